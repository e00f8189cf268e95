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
    """How much of one stream is read. Bytes are those of the source; rows include those that are trimmed."""

    label: str
    bytes_done: int
    bytes_total: int
    rows: int
    seconds: float

    def describe(self) -> str:
        """Return one line for a log: percent, rows, rate, time left."""
        rate = self.bytes_done / self.seconds if self.seconds > 0 else 0.0
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


@dataclass(slots=True)
class UnitProgress:
    """How much of its unit of work one worker has done; only that worker writes it."""

    bytes: int = 0
    rows: int = 0


class Progress:
    """Adds up the progress of the workers, and reports it. For the joining thread."""

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
        self._done = UnitProgress()
        self._running: dict[int, UnitProgress] = {}

    def start_unit(self, number: int) -> UnitProgress:
        """Return the progress of a new unit of work, which its worker updates."""
        progress = self._running[number] = UnitProgress()
        return progress

    def finish_unit(self, number: int) -> None:
        """Add the progress of a finished unit to what is done."""
        progress = self._running.pop(number)
        self._done.bytes += progress.bytes
        self._done.rows += progress.rows

    def report_if_due(self) -> None:
        """Report when the last report is long enough ago."""
        now = self._clock()
        if now - self._last >= self._every:
            self._last = now
            self._report(self.state())

    def state(self) -> ProgressReport:
        """Return how much is read now."""
        all_units = [self._done, *list(self._running.values())]
        return ProgressReport(
            self._label,
            sum(each.bytes for each in all_units),
            self._total,
            sum(each.rows for each in all_units),
            self._clock() - self._begun,
        )
