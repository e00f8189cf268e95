"""How far one landing got, for the message of a task that fails: what was read, and what is in the store."""

from __future__ import annotations

from dataclasses import dataclass, field

from labelbox_export_provider.domain.records.failure_report import NOTHING_WRITTEN
from labelbox_export_provider.streaming.pipeline.progress import Progress


@dataclass(frozen=True, slots=True)
class StoreState:
    """What is visible of one export for certain: `objects` of the `planned` data objects, all whole and verified.

    `earlier` means that an earlier try put it there, `replacing` that older generations are being removed, `taken_back`
    that another try removes it, so that its manifest is gone.
    """

    errors: str | None = None
    objects: int = 0
    planned: int = 0
    first: str | None = None
    manifest: str | None = None
    earlier: bool = False
    replacing: bool = False
    taken_back: bool = False

    def describe(self) -> str:
        """Return it in one line."""
        if self.taken_back:
            return "no manifest any more, and those objects that another try of this export has not removed"
        if self.manifest is not None and self.earlier:
            return f"this export, as an earlier try landed it ({self.manifest})"
        if self.manifest is not None:
            return f"everything ({self.manifest}){', and older generations beside it' * self.replacing}"
        if self.first is not None:
            label = self.first if self.planned == 1 else f"{self.planned} objects, the first is {self.first}"
            return f"the rows ({label}), whole and verified, but no manifest that names them"
        if self.planned:
            return (
                f"for certain {self.objects} of {self.planned} objects with rows, each whole and verified, and no "
                "manifest that names them"
            )
        return NOTHING_WRITTEN if self.errors is None else f"the error rows ({self.errors}), no results, no manifest"


@dataclass(slots=True)
class LandingProgress:
    """What one landing has read, and what it has put into the store."""

    in_store: StoreState = StoreState()
    resumed: int = 0
    """How many downloads broke off and were resumed at their byte."""
    result_bytes: int | None = None
    """Bytes of the result stream, once they are known."""
    kept: str | None = None
    """After a failure: what the next try need not move again, or why it moves everything."""
    by_others: bool = False
    """Whether other tasks have staged the result, and this one only publishes it."""
    stage_again: bool = False
    """After a failure: whether they have to stage again before a retry can publish."""
    _streams: list[tuple[str, int, Progress]] = field(default_factory=list)

    def add_stream(self, stream: str, rows_total: int, progress: Progress) -> None:
        """Add a stream whose transfer starts."""
        self._streams.append((stream, rows_total, progress))

    def has_begun(self, stream: str) -> bool:
        """Return whether any of a stream was to be moved."""
        return any(name == stream for name, *_ in self._streams)

    def describe(self) -> str | None:
        """Return how many bytes and rows were read, out of how many; None before the first stream."""
        parts = []
        for stream, rows_total, progress in self._streams:
            state = progress.state()
            parts.append(
                f"{stream}: {state.bytes_done} of {state.bytes_total} bytes, {state.rows} of {rows_total} rows read"
            )
        return "; ".join(parts) or None
