"""The manifest: the record of one landed export, written last, so that it names only whole, verified objects.

At an explicit key with `replace=True`, a later export overwrites the object, and the older manifest stays: from then on
its size and CRC32C are not those of the object, whose metadata names the export that it is of.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator
from typing_extensions import Self

from labelbox_export_provider.domain.records.handle import (
    ExportHandle,
    HandleWindow,
    SourceName,
    TolerantRecord,
    UtcText,
)
from labelbox_export_provider.domain.records.object_names import Compression, State

Rerun = Literal["add", "replace", "refuse"]


class ResultCounts(TolerantRecord):
    """The content of the result stream: `rows` are those of the export, `rows_trimmed` of them included.

    `rows_trimmed` were in a window's margin and were left out; how many were landed is the sum of `objects[].rows`.
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


class ErrorCounts(TolerantRecord):
    """The content of the error stream, and where it was landed; `uri` is None when it was empty."""

    rows: int
    bytes: int
    uri: str | None


class LandedObject(TolerantRecord):
    """One data object: `rows` landed in it, `bytes` as stored, `source_bytes` of its rows, CRC32C of what is stored."""

    uri: str
    rows: int
    bytes: int
    source_bytes: int
    crc32c: str
    etag: str | None
    version_id: str | None


class Versions(TolerantRecord):
    """The versions of the programs that landed it."""

    provider: str
    airflow: str | None


class Manifest(TolerantRecord):
    """The whole record of one landed export; its JSON schema is in `docs/`.

    `max_object_bytes` is how many bytes of the source went into each object, None where the rows were not split.
    `rerun` is what this landing does with older exports of the same question, which give way to one that replaces;
    `replaces` names the generations that it takes the place of: they may be gone, or still be on their way out. Counts
    that contradict each other are refused, also when a manifest is read: rows of objects and rows trimmed make up the
    rows of the stream, and the state is what they say.
    """

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
    max_object_bytes: int | None = None
    rerun: Rerun = "add"
    replaces: tuple[str, ...] = ()
    started_at: UtcText
    exported_at: UtcText | None
    landed_at: UtcText
    versions: Versions

    @property
    def rows_landed(self) -> int:
        """Rows in all data objects."""
        return sum(landed.rows for landed in self.objects)

    @model_validator(mode="after")
    def _counts_add_up(self) -> Self:
        result, landed = self.result, self.rows_landed
        if landed + result.rows_trimmed != result.rows:
            raise ValueError(
                f"objects hold {landed} rows and {result.rows_trimmed} were trimmed, but the stream had {result.rows}"
            )
        source_bytes = sum(landed.source_bytes for landed in self.objects)
        # A newline that is missing between two files is added, at most one for each row.
        least = 0 if result.rows_trimmed else result.bytes
        if not least <= source_bytes <= result.bytes + result.rows:
            raise ValueError(f"objects hold {source_bytes} bytes of the source, but the stream had {result.bytes}")
        state: State = "errors" if self.errors.rows else "ok" if landed else "empty"
        if self.state != state:
            raise ValueError(f"state is {self.state!r}, but the counts make it {state!r}")
        return self


class LandedSummary(TolerantRecord):
    """The manifest in short: what a transfer returns and puts on its asset event. Stays under 4 KiB at any size.

    `rows` are those landed, `errors` those of the error stream.
    """

    v: Literal[1] = 1
    manifest_uri: str
    uris_uri: str | None
    rows: int
    errors: int
    state: State
    window: HandleWindow | None
    source: SourceName
    export_id: str
