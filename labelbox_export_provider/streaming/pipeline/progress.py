"""How far a stream is, told about every ten seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

REPORT_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """State of one stream on its way. Bytes are of the source, rows include those that are trimmed."""

    label: str
    bytes_done: int
    bytes_total: int
    rows: int
    seconds: float

    def line(self) -> str:
        """Return one line for a log: percent, rows, rate, time left."""
        rate = self.bytes_done / self.seconds if self.seconds > 0 else 0.0
        left = f", about {(self.bytes_total - self.bytes_done) / rate:.0f} s left" if rate > 0 else ""
        # Rounded down: 100 % is said of all bytes only.
        percent = 100 * self.bytes_done // self.bytes_total if self.bytes_total else 100
        return (
            f"{self.label}: {percent} % ({self.bytes_done} of {self.bytes_total} bytes), {self.rows} rows read, "
            f"{rate / 1e6:.1f} MB/s{left}"
        )


def log_progress(report: ProgressReport) -> None:
    """Write the line into this module's log."""
    logger.info(report.line())


@dataclass(slots=True)
class MemberProgress:
    """What one worker has done of its member so far; written by that worker alone."""

    bytes: int = 0
    rows: int = 0


class Progress:
    """Adds up what workers note, and reports when it is time. For the joining thread, but for the notes."""

    def __init__(
        self,
        label: str,
        total: int,
        *,
        report: Callable[[ProgressReport], None] = log_progress,
        clock: Callable[[], float] = time.monotonic,
        every: float = REPORT_EVERY,
    ) -> None:
        self._label = label
        self._total = total
        self._report = report
        self._clock = clock
        self._every = every
        self._begun = self._last = clock()
        self._done = MemberProgress()
        self._running: dict[int, MemberProgress] = {}

    def member(self, number: int) -> MemberProgress:
        """Give the notes of a member, to be filled by its worker."""
        notes = self._running[number] = MemberProgress()
        return notes

    def finish(self, number: int) -> None:
        """Take the notes of a finished member in."""
        notes = self._running.pop(number)
        self._done.bytes += notes.bytes
        self._done.rows += notes.rows

    def tick(self) -> None:
        """Report if it is time."""
        now = self._clock()
        if now - self._last >= self._every:
            self._last = now
            self._report(self.state())

    def state(self) -> ProgressReport:
        """Say how far it is now."""
        notes = [self._done, *list(self._running.values())]
        return ProgressReport(
            self._label,
            sum(each.bytes for each in notes),
            self._total,
            sum(each.rows for each in notes),
            self._clock() - self._begun,
        )


@dataclass(slots=True)
class LandingProgress:
    """How far one landing is, for the message of a task that fails: what was moved, and what is in the store."""

    in_store: str = "nothing of this export"
    _streams: list[tuple[str, int, Progress]] = field(default_factory=list)

    def begin(self, stream: str, rows_total: int, progress: Progress) -> None:
        """Take note of a stream that starts to move."""
        self._streams.append((stream, rows_total, progress))

    def describe(self) -> str | None:
        """Say how many bytes and rows were read, out of how many; None where none were to be read yet."""
        parts = []
        for stream, rows_total, progress in self._streams:
            state = progress.state()
            parts.append(
                f"{stream}: {state.bytes_done} of {state.bytes_total} bytes, {state.rows} of {rows_total} rows read"
            )
        return "; ".join(parts) or None
