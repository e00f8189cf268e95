"""What a transfer is told: the stream, the form of its objects, and what to call meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.domain.records.object_names import Compression
from labelbox_export_provider.streaming.download.stream_reader import CHUNK_BYTES
from labelbox_export_provider.streaming.pipeline.compression import BLOCK_BYTES
from labelbox_export_provider.streaming.pipeline.members import MEMBER_BYTES
from labelbox_export_provider.streaming.pipeline.progress import Progress, ProgressReport, log_progress
from labelbox_export_provider.streaming.rows.timestamps import RowPositions
from labelbox_export_provider.streaming.rows.trimming import MAX_TRIM_ROW


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of one export: its totals, its name for logs and errors, and the call that returns its files."""

    label: str
    totals: StreamTotals
    ask: Callable[[int], ExportFile]


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """How rows are stored. Every field but `verify` decides the bytes of the objects; only tests change the last two.

    `object_bytes` is how many bytes of the source go into one object, as exactly as rows allow; None makes one object.
    With `verify` what is compressed is unpacked again and compared.
    """

    compression: Compression | None
    rule: RowPositions | None = None
    max_trim_row: int = MAX_TRIM_ROW
    object_bytes: int | None = None
    verify: bool = False
    member_bytes: int = MEMBER_BYTES
    block_bytes: int = BLOCK_BYTES

    @property
    def passthrough(self) -> bool:
        """Whether bytes are stored unchanged."""
        return self.compression is None and self.rule is None


@dataclass(frozen=True, slots=True)
class TransferHooks:
    """Functions that a transfer calls: to wait, to read the time, and to report progress.

    With `sleep` None, waits end when the transfer stops. `watch` receives the progress object when a stream starts.
    """

    sleep: Callable[[float], object] | None = None
    clock: Callable[[], float] = time.monotonic
    report: Callable[[ProgressReport], None] = log_progress
    watch: Callable[[Progress], None] | None = None
    chunk_bytes: int = CHUNK_BYTES
