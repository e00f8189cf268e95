"""The manifest: the record of one landed export, written last, so that it names only whole, verified objects."""

from __future__ import annotations

from typing import Any, Literal

from labelbox_export_provider.spec.handle import ExportHandle, HandleWindow, Record, SourceName, UtcText
from labelbox_export_provider.spec.layout import Compression, State


class ResultCounts(Record):
    """What the result stream held, before trimming. `rows_trimmed` were in a window's margin and were left out.

    `rows_after_end` moved on while the export ran and are kept, as are `rows_before_start` and the rows whose time
    could not be read (`rows_unknown`). All three are 0 where nothing was trimmed, since then no row's time is read.
    `max_row_bytes` includes the newline.
    """

    rows: int
    bytes: int
    rows_trimmed: int
    rows_after_end: int
    rows_before_start: int
    rows_unknown: int
    max_row_bytes: int
    crc32c: str


class ErrorCounts(Record):
    """What the error stream held, and where it was landed; `uri` is None when it was empty."""

    rows: int
    bytes: int
    uri: str | None


class LandedObject(Record):
    """One data object: `bytes` as stored, `source_bytes` of rows in it, CRC32C of what is stored."""

    uri: str
    rows: int
    bytes: int
    source_bytes: int
    crc32c: str
    etag: str | None
    version_id: str | None


class Versions(Record):
    """Which programs landed it."""

    provider: str
    airflow: str | None


class Manifest(Record):
    """The whole record of one landed export; its JSON schema is in `docs/`."""

    v: Literal[1] = 1
    state: State
    generation: str
    export: ExportHandle
    query: dict[str, Any]
    result: ResultCounts
    errors: ErrorCounts
    objects: tuple[LandedObject, ...]
    uris: str | None
    compression: Compression | None
    started_at: UtcText
    exported_at: UtcText | None
    landed_at: UtcText
    versions: Versions


class LandedSummary(Record):
    """The manifest in short: what a transfer returns and puts on its asset event. Stays under 4 KiB at any size."""

    v: Literal[1] = 1
    manifest_uri: str
    uris_uri: str | None
    rows: int
    errors: int
    state: State
    window: HandleWindow | None
    source: SourceName
    export_id: str
