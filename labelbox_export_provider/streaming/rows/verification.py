"""Verification of a stream: the accounts of all workers, added up in order and compared with Labelbox's totals."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.errors import IntegrityError
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.streaming.download.file_answer import AnnouncedChecksums
from labelbox_export_provider.streaming.rows.counts import RowCounts, newline_is_missing
from labelbox_export_provider.streaming.rows.segments import Segment

logger = logging.getLogger(__name__)

NOTHING_PUBLISHED = "Nothing was published; a retry reads it again."
_NEWLINE = 0x0A


@dataclass(slots=True)
class _OpenFile:
    """A file that is not yet accounted to its end. `starts_row` is whether its first byte starts a row."""

    file: ExportFile
    starts_row: bool
    size: int = 0
    newlines: int = 0
    crc32c: int = 0
    last_byte: int = _NEWLINE


class StreamVerifier:
    """Adds accounts up in order; every difference is an `IntegrityError` with both numbers.

    Files are checked one by one: length, the CRC32C that the host announced, and rows where no row continues over the
    file's borders. `verify_totals` checks each total twice: as read from files and as counted in rows. `advice` ends
    every message: what happened to the bytes so far, and what to do.
    """

    def __init__(
        self, totals: StreamTotals, checksums: AnnouncedChecksums, label: str, *, advice: str = NOTHING_PUBLISHED
    ) -> None:
        self.counts = RowCounts()
        self.crc32c = 0
        self._totals = totals
        self._checksums = checksums
        self._label = label
        self._advice = advice
        self._size = 0
        self._newlines = 0
        self._open: _OpenFile | None = None
        self._ended: _OpenFile | None = None

    def add_segments(self, segments: Iterable[Segment]) -> None:
        """Add the accounts of the next source bytes."""
        for segment in segments:
            self._add_segment(segment)

    def add_counts(self, counts: RowCounts) -> None:
        """Add counts of rows."""
        self.counts.add(counts)

    def verify_totals(self) -> None:
        """Compare the sums with the totals, after the last unit of work."""
        if self._open is not None:
            self._mismatch(f"{_describe(self._open.file)} has", self._open.size, self._open.file.size, "bytes")
        if self._ended is not None and self._ended.last_byte != _NEWLINE:
            self._newlines += 1
        self._mismatch("the stream has", self._size, self._totals.size, "bytes")
        self._mismatch("the rows have", self.counts.bytes - self.counts.newlines_added, self._totals.size, "bytes")
        self._mismatch("the stream has", self._newlines, self._totals.lines, "rows")
        self._mismatch("the row counters have", self.counts.rows, self._totals.lines, "rows")

    def _add_segment(self, segment: Segment) -> None:
        if segment.offset != self._size:
            self._mismatch("the next bytes have", segment.offset, self._size, "bytes before them")
        current = self._open or self._begin(segment)
        current.size += segment.size
        current.newlines += segment.newlines
        current.crc32c = checksum.combine(current.crc32c, segment.crc32c, segment.size)
        current.last_byte = segment.last_byte
        self.crc32c = checksum.combine(self.crc32c, segment.crc32c, segment.size)
        self._size += segment.size
        self._newlines += segment.newlines
        self._open = current
        if current.size >= current.file.size:
            self._end(current)

    def _begin(self, segment: Segment) -> _OpenFile:
        before = self._ended
        starts_row = before is None or before.last_byte == _NEWLINE
        if before is not None and newline_is_missing(before.file, segment.file, before.last_byte, segment.first_byte):
            logger.warning(
                "%s: %s ends a row without its newline; a newline is added between it and the next file.",
                self._label,
                _describe(before.file),
            )
            self._newlines += 1
            starts_row = True
            self._check_rows(before, before.newlines + 1)
        return _OpenFile(segment.file, starts_row)

    def _end(self, current: _OpenFile) -> None:
        file = current.file
        self._mismatch(f"{_describe(file)} has", current.size, file.size, "bytes")
        announced = self._checksums.pop(file)
        if announced is not None and announced != current.crc32c:
            raise IntegrityError(
                f"{self._label}: {_describe(file)} has CRC32C {checksum.text(current.crc32c)}, its host announced "
                f"{checksum.text(announced)}. {self._advice}"
            )
        if current.last_byte == _NEWLINE:
            self._check_rows(current, current.newlines)
        elif self._size == self._totals.size:
            self._check_rows(current, current.newlines + 1)
        self._ended, self._open = current, None

    def _check_rows(self, current: _OpenFile, rows: int) -> None:
        """Compare a file's number of rows, which is known only where no row continues over its borders."""
        if current.starts_row:
            announced = current.file.line_end - current.file.line_start + 1
            self._mismatch(f"{_describe(current.file)} has", rows, announced, "rows of its own")

    def _mismatch(self, what: str, got: int, announced: int, unit: str) -> None:
        if got != announced:
            raise IntegrityError(f"{self._label}: {what} {got} {unit}; {announced} were announced. {self._advice}")


def _describe(file: ExportFile) -> str:
    return f"the file of bytes {file.start} to {file.end}"
