"""The inputs of one landing, and what follows from them alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.object_names import ObjectNames
from labelbox_export_provider.sinks.base import EXPORT_ID, STARTED_AT, Sink
from labelbox_export_provider.streaming.landing.options import LandingOptions
from labelbox_export_provider.streaming.landing.progress import LandingProgress
from labelbox_export_provider.streaming.pipeline import compression
from labelbox_export_provider.streaming.pipeline.call_pool import CallPool
from labelbox_export_provider.streaming.pipeline.members import MEMBER_BYTES
from labelbox_export_provider.streaming.pipeline.pipeline import TransferHooks

Ended = Callable[[LabelboxClient], datetime | None]
"""Makes sure that the export is COMPLETE, and returns when it ended, where that is known."""


@dataclass(frozen=True, slots=True)
class Job:
    """The inputs of one landing."""

    client: LabelboxClient
    handle: ExportHandle
    names: ObjectNames
    sink: Sink
    options: LandingOptions
    progress: LandingProgress
    transfer_hooks: TransferHooks
    calls: CallPool
    """Its token is cancelled with the first failure, or by whoever ends the landing; all threads and waits know it."""

    def object_bytes(self, source_bytes: int) -> int | None:
        """Return how many bytes of a source of this size go into one data object; None where all of them do."""
        limit = self.options.max_object_bytes
        return None if limit is None or self.names.explicit_key is not None or source_bytes <= limit else limit

    @property
    def receipt_bytes(self) -> int | None:
        """Bytes of the source that one receipt is about: of an object, or at an explicit key of a range of it."""
        return self.options.max_object_bytes if self.names.explicit_key is None else self.options.receipt_bytes

    def has_receipts(self, source_bytes: int) -> bool:
        """Return whether a source of this size is more than one receipt is about: else there are none."""
        return self.receipt_bytes is not None and source_bytes > self.receipt_bytes

    def metadata(self) -> dict[str, str]:
        """Return the metadata about its origin that every object carries."""
        return {EXPORT_ID: self.handle.export_id, STARTED_AT: iso_utc(self.handle.started_at)}


def encoding(handle: ExportHandle, options: LandingOptions, object_bytes: int | None = None) -> str:
    """Return the name of all that decides the bytes of a data object besides the export itself."""
    packed = compression.encoding(options.compression, MEMBER_BYTES)
    split = "whole" if object_bytes is None else f"split-{object_bytes}"
    window = handle.window
    if window is None or not window.trim:
        return f"1;{packed};{split};untrimmed"
    ends = ",".join(
        "-" if end is None else iso_utc(end)
        for end in (window.queried_start, window.start, window.end, window.queried_end)
    )
    return f"1;{packed};{split};{window.field},{ends},{options.max_trim_row}"
