"""Progress of a stream, reported about every ten seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)

REPORT_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """How much of one stream is read. Bytes are those of the source; rows include those that are trimmed.

    `bytes_kept` of those that are done were read by an earlier try.
    """

    label: str
    bytes_done: int
    bytes_total: int
    rows: int
    seconds: float
    bytes_kept: int = 0

    def describe(self) -> str:
        """Return one line for a log: percent, rows, rate, time left."""
        rate = (self.bytes_done - self.bytes_kept) / self.seconds if self.seconds > 0 else 0.0
        left = f", about {(self.bytes_total - self.bytes_done) / rate:.0f} s left" if rate > 0 else ""
        # Rounded down: only all bytes are 100 %.
        percent = 100 * self.bytes_done // self.bytes_total if self.bytes_total else 100
        return (
            f"{self.label}: {percent} % ({self.bytes_done} of {self.bytes_total} bytes), {self.rows} rows read, "
            f"{rate / 1e6:.1f} MB/s{left}"
        )


def log_progress(report: ProgressReport) -> None:
    """Log the report."""
    logger.info(report.describe())


class Progress:
    """Adds up the progress of the workers, and reports it. For the joining thread, but for `update_member`."""

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
        self._bytes = self._rows = self._kept = 0
        self._running: dict[int, tuple[int, int]] = {}

    def update_member(self, number: int, size: int, rows: int) -> None:
        """Record how many bytes and rows of a member are read; for its worker."""
        self._running[number] = size, rows

    def finish_member(self, number: int, size: int, rows: int) -> None:
        """Add a member that is read to what is done."""
        self._running.pop(number, None)
        self._bytes += size
        self._rows += rows

    def add_kept(self, size: int, rows: int) -> None:
        """Add what an earlier try has read to what is done."""
        self._kept += size
        self._bytes += size
        self._rows += rows

    def report_if_due(self) -> None:
        """Report when the last report is long enough ago."""
        now = self._clock()
        if now - self._last >= self._every:
            self._last = now
            self._report(self.state())

    def state(self) -> ProgressReport:
        """Return how much is read now."""
        running = list(self._running.values())
        size = self._bytes + sum(size for size, _ in running)
        rows = self._rows + sum(rows for _, rows in running)
        return ProgressReport(self._label, size, self._total, rows, self._clock() - self._begun, self._kept)
