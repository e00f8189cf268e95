"""Verification of a stream: the accounts of all workers, added up in order and compared with Labelbox's totals.

An account is a list of segments: the bytes of a range, file by file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

import google_crc32c

from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.errors import IntegrityError
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.streaming.download.file_answer import AnnouncedChecksums
from labelbox_export_provider.streaming.download.stream_reader import Piece
from labelbox_export_provider.streaming.rows.counts import RowCounts

logger = logging.getLogger(__name__)

NOTHING_PUBLISHED = "Nothing was published."
_NEWLINE = 0x0A


@dataclass(slots=True)
class Segment:
    """Account of consecutive bytes of one file. `starts_row` is that of its first piece.

    `announced` is the CRC32C of the whole file as its host announced it, where an earlier try has read the segment.
    """

    file: ExportFile
    offset: int
    starts_row: bool
    size: int = 0
    newlines: int = 0
    crc32c: int = 0
    last_byte: int = _NEWLINE
    announced: int | None = None


def add_segments(segments: list[Segment], more: Iterable[Segment]) -> None:
    """Append the segments of the next bytes, those of one file as one."""
    for segment in more:
        if not segments or segments[-1].file.start != segment.file.start:
            segments.append(replace(segment))
            continue
        last = segments[-1]
        last.size += segment.size
        last.newlines += segment.newlines
        last.crc32c = checksum.combine(last.crc32c, segment.crc32c, segment.size)
        last.last_byte = segment.last_byte
        last.announced = segment.announced if last.announced is None else last.announced


def add_piece(segments: list[Segment], piece: Piece, data: bytes, newlines: int | None = None) -> None:
    """Account for `data`, with which the piece starts; count its newlines where they are not passed."""
    if not (data or piece.starts_row):
        return
    if not segments or segments[-1].file.start != piece.file.start:
        segments.append(Segment(piece.file, piece.offset, piece.starts_row))
    segment = segments[-1]
    segment.size += len(data)
    segment.newlines += data.count(b"\n") if newlines is None else newlines
    segment.crc32c = google_crc32c.extend(segment.crc32c, data)
    segment.last_byte = data[-1] if data else _NEWLINE


class StreamVerifier:
    """Adds accounts up in order; every difference is an `IntegrityError` with both numbers.

    Files are checked one by one: length, the CRC32C that the host announced, and rows where no row continues over the
    file's borders. `verify_totals` checks each total twice: as read from files and as counted in rows. `advice` ends
    every message: what happened to the bytes so far, and what to do. With `first_offset` the accounts begin there, and
    of a file that began before it nothing is known but its bytes from there on; totals cannot be verified then.
    """

    def __init__(
        self,
        totals: StreamTotals,
        checksums: AnnouncedChecksums,
        label: str,
        *,
        advice: str = NOTHING_PUBLISHED,
        first_offset: int = 0,
    ) -> None:
        self.counts = RowCounts()
        self.crc32c = 0
        self._totals = totals
        self._checksums = checksums
        self._label = label
        self._advice = advice
        self._first = self._size = first_offset
        self._newlines = 0
        self._open: Segment | None = None
        self._ended: Segment | None = None
        self._starts_row = True
        """Whether the first byte of the open file starts a row."""

    def add_segments(self, segments: Iterable[Segment]) -> None:
        """Add the accounts of the next source bytes."""
        for segment in segments:
            self._add_segment(segment)

    def add_counts(self, counts: RowCounts) -> None:
        """Add counts of rows."""
        self.counts.add(counts)

    def verify_totals(self) -> None:
        """Compare the sums with the totals, after the last member."""
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
        if segment.announced is not None:
            self._checksums.record(segment.file, segment.announced, self._label)
        if self._open is None:
            self._begin(segment)
            self._open = Segment(segment.file, segment.offset, segment.starts_row)
        current = self._open
        current.size += segment.size
        current.newlines += segment.newlines
        current.crc32c = checksum.combine(current.crc32c, segment.crc32c, segment.size)
        current.last_byte = segment.last_byte
        self.crc32c = checksum.combine(self.crc32c, segment.crc32c, segment.size)
        self._size += segment.size
        self._newlines += segment.newlines
        if self._size > current.file.end or current.size >= current.file.size:
            self._end(current)

    def _begin(self, segment: Segment) -> None:
        before = self._ended
        if before is not None and segment.starts_row:
            logger.warning(
                "%s: %s ends a row without its newline; a newline is added between it and the next file.",
                self._label,
                _describe(before.file),
            )
            self._newlines += 1
            self._check_rows(before, before.newlines + 1)
        follows_row = before.last_byte == _NEWLINE if before is not None else not self._first
        self._starts_row = segment.starts_row or follows_row

    def _end(self, current: Segment) -> None:
        file = current.file
        self._ended, self._open = current, None
        if current.offset != file.start and current.offset == self._first:
            return  # who has read its beginning compares it
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

    def _check_rows(self, current: Segment, rows: int) -> None:
        """Compare a file's number of rows, which is known only where no row continues over its borders."""
        if self._starts_row:
            announced = current.file.line_end - current.file.line_start + 1
            self._mismatch(f"{_describe(current.file)} has", rows, announced, "rows of its own")

    def _mismatch(self, what: str, got: int, announced: int, unit: str) -> None:
        if got != announced:
            raise IntegrityError(f"{self._label}: {what} {got} {unit}; {announced} were announced. {self._advice}")


def _describe(file: ExportFile) -> str:
    return f"the file of bytes {file.start} to {file.end}"
