"""Rows of a stream, which end at byte 0x0A only: counted, measured and, where a window trims, filtered.

Rows are never decoded and encoded again: the bytes that are kept are those that were read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Protocol

from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.streaming.rows.timestamps import RowPositions, last_activity_at, peek_timestamp

MAX_TRIM_LINE = 128 * 1024**2
LONG_ROW = 2 * 1024**2
"""An unfinished row of more bytes is long, and only one worker at a time may hold a long row."""
_SLICE = 1024**2


@dataclass(slots=True)
class RowCounts:
    """Counts over rows. Rows and bytes include those trimmed; `max_row_bytes` includes the newline.

    `rows_unknown` had no readable timestamp or were too long to search for one. Where nothing is trimmed no timestamp
    is read, and the four counts of kinds stay 0.
    """

    rows: int = 0
    bytes: int = 0
    rows_trimmed: int = 0
    bytes_trimmed: int = 0
    rows_after_end: int = 0
    rows_before_start: int = 0
    rows_unknown: int = 0
    max_row_bytes: int = 0
    newlines_added: int = 0

    def add(self, other: RowCounts) -> None:
        """Add the counts of other rows."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, max(mine, theirs) if each.name == "max_row_bytes" else mine + theirs)

    @property
    def rows_kept(self) -> int:
        """Rows that are landed."""
        return self.rows - self.rows_trimmed

    @property
    def bytes_kept(self) -> int:
        """Bytes that are landed, before compression."""
        return self.bytes - self.bytes_trimmed


class RowFilter(Protocol):
    """Filters a run of whole rows, passed in arbitrary pieces, and yields the bytes to keep.

    The caller uses each result before it asks for the next one.
    """

    counts: RowCounts

    def feed(self, data: bytes) -> Iterator[bytes | memoryview]:
        """Filter a piece."""

    def end_row(self) -> Iterator[bytes | memoryview]:
        """End the unfinished row with a newline that the stream lacks."""

    def end_stream(self) -> Iterator[bytes | memoryview]:
        """End the run; its last row may be without newline."""


class RowCounter:
    """Keeps everything. Its memory is one piece, whatever the length of rows. `open` bytes are of an unfinished row."""

    def __init__(self) -> None:
        self.counts = RowCounts()
        self.open = 0

    def feed(self, data: bytes) -> Iterator[bytes | memoryview]:
        """Count the rows of a piece and yield it."""
        self.count(data)
        yield data

    def count(self, data: bytes) -> int:
        """Count the rows of a piece; return how many ended in it."""
        counts = self.counts
        find = data.find
        rows, longest, position = 0, counts.max_row_bytes, 0
        begin = -self.open
        # One search per row counts and measures; counting all newlines first would take four times as long.
        while position := find(b"\n", position) + 1:
            rows += 1
            if position - begin > longest:  # noqa: PLR1730  max() would be a call per row
                longest = position - begin
            begin = position
        counts.bytes += len(data)
        counts.rows += rows
        counts.max_row_bytes = longest
        self.open = len(data) - begin
        return rows

    def end_row(self) -> Iterator[bytes | memoryview]:
        """End the unfinished row."""
        self.counts.newlines_added += 1
        yield from self.feed(b"\n")

    def end_stream(self) -> Iterator[bytes | memoryview]:
        """Count a last row without newline."""
        if self.open:
            self.counts.rows += 1
            self.counts.max_row_bytes = max(self.counts.max_row_bytes, self.open)
            self.open = 0
        yield from ()


class LongRowTurn(Protocol):
    """Permission to hold a long row, which few workers have at a time, so that memory is bounded."""

    def acquire(self) -> None:
        """Wait for the permission."""

    def release(self) -> None:
        """Return the permission; may be called without one."""


class RowTrimmer:
    """Drops the rows in a window's margin. Holds one unfinished row, up to `max_line` bytes; longer ones are kept."""

    def __init__(
        self, rule: RowPositions, *, max_line: int = MAX_TRIM_LINE, long_row_turn: LongRowTurn, long_row: int = LONG_ROW
    ) -> None:
        self.counts = RowCounts()
        self._rule = rule
        self._max_line = max_line
        self._long_row_turn = long_row_turn
        self._long_row = long_row
        self._unfinished = bytearray()
        self._emitted = 0
        """Bytes that were emitted so far of an unfinished row that is too long to be judged."""

    def feed(self, data: bytes) -> Iterator[bytes | memoryview]:
        """Judge the rows that end in this piece, hold the one that does not."""
        position = 0
        if self._unfinished or self._emitted:
            position = data.find(b"\n") + 1
            yield from self._continue_row(data[:position] if position else data)
            if not position:
                return
        kept_from = position
        view = memoryview(data)
        while end := data.find(b"\n", position) + 1:
            if not self._keeps(data, position, end):
                if kept_from < position:
                    yield view[kept_from:position]
                kept_from = end
            position = end
        if kept_from < position:
            yield view[kept_from:position]
        if position < len(data):
            yield from self._continue_row(data[position:])

    def end_row(self) -> Iterator[bytes | memoryview]:
        """End the unfinished row."""
        self.counts.newlines_added += 1
        yield from self._continue_row(b"\n")

    def end_stream(self) -> Iterator[bytes | memoryview]:
        """Judge a last row without newline."""
        if self._unfinished or self._emitted:
            yield from self._judge_unfinished()

    def _continue_row(self, data: bytes) -> Iterator[bytes | memoryview]:
        """Add bytes to the unfinished row, up to its newline at most."""
        ends = data.endswith(b"\n")
        if not self._emitted:
            self._unfinished += data
            if len(self._unfinished) > self._long_row and not ends:
                self._long_row_turn.acquire()
            if len(self._unfinished) > self._max_line:
                yield from self._emit_unjudged()
        else:
            self._emitted += len(data)
            yield data
        if ends:
            yield from self._judge_unfinished()

    def _judge_unfinished(self) -> Iterator[bytes | memoryview]:
        if self._emitted:
            self._count(self._emitted, "unknown")
            self._emitted = 0
            return
        row, self._unfinished = self._unfinished, bytearray()
        if self._keeps(row, 0, len(row)):
            yield from _slices(row)
        self._long_row_turn.release()

    def _emit_unjudged(self) -> Iterator[bytes | memoryview]:
        row, self._unfinished = self._unfinished, bytearray()
        self._emitted = len(row)
        yield from _slices(row)
        self._long_row_turn.release()

    def _keeps(self, data: bytes | bytearray, start: int, end: int) -> bool:
        size = end - start
        if size > self._max_line:
            return self._count(size, "unknown")
        moment = peek_timestamp(data, start, end)
        position = self._rule.position(moment) if moment is not None else "margin"
        if position == "margin":
            position = self._rule.position(last_activity_at(memoryview(data)[start:end]))
        return self._count(size, position)

    def _count(self, size: int, position: str) -> bool:
        counts = self.counts
        counts.rows += 1
        counts.bytes += size
        if size > counts.max_row_bytes:  # noqa: PLR1730  max() would be a call per row
            counts.max_row_bytes = size
        if position == "inside":
            return True
        if position == "margin":
            counts.rows_trimmed += 1
            counts.bytes_trimmed += size
            return False
        if position == "after_end":
            counts.rows_after_end += 1
        elif position == "before_start":
            counts.rows_before_start += 1
        elif position == "unknown":
            counts.rows_unknown += 1
        return True


def newline_is_missing(before: ExportFile, after: ExportFile, last_byte: int, first_byte: int) -> bool:
    """Return whether a row ended at a file border without its newline.

    The file closes a JSON value, the next one opens one, and Labelbox counts a new row there. In all other cases the
    row continues over the border, and no byte is added. If this were wrong, the number of rows would differ from the
    total, which is an error.
    """
    return after.line_start == before.line_end + 1 and last_byte in b"}]" and first_byte in b"{["


def _slices(row: bytearray) -> Iterator[memoryview]:
    view = memoryview(row)
    for start in range(0, len(row), _SLICE):
        yield view[start : start + _SLICE]
