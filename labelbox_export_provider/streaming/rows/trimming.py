"""Trimming, which leaves out whole rows: those whose own timestamp lies in a margin of the window.

A row is kept or left out, never shortened, and never decoded and encoded again: the bytes that are kept are those that
were read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from labelbox_export_provider.streaming.rows.counts import RowCounts
from labelbox_export_provider.streaming.rows.timestamps import RowPositions, last_activity_at, peek_timestamp

MAX_TRIM_ROW = 128 * 1024**2
"""A row of more bytes is kept without reading its time."""
LONG_ROW = 2 * 1024**2
"""An unfinished row of more bytes is long, and only one worker at a time may hold a long row."""
_SLICE = 1024**2


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


class LongRowTurn(Protocol):
    """Permission to hold a long row, which few workers have at a time, so that memory is bounded."""

    def acquire(self) -> None:
        """Wait for the permission."""

    def release(self) -> None:
        """Return the permission; may be called without one."""


class RowTrimmer:
    """Leaves out the rows in a window's margin.

    Holds one unfinished row, up to `max_row` bytes; longer ones are kept without reading their time.
    """

    def __init__(
        self, rule: RowPositions, *, max_row: int = MAX_TRIM_ROW, long_row_turn: LongRowTurn, long_row: int = LONG_ROW
    ) -> None:
        self.counts = RowCounts()
        self._rule = rule
        self._max_row = max_row
        self._long_row_turn = long_row_turn
        self._long_row = long_row
        self._unfinished = bytearray()
        self._emitted = 0
        """Bytes that were emitted so far of an unfinished row that is too long to be judged."""

    def feed(self, data: bytes) -> Iterator[bytes | memoryview]:
        """Judge the rows that end in this piece, hold the one that does not."""
        offset = 0
        if self._unfinished or self._emitted:
            offset = data.find(b"\n") + 1
            yield from self._continue_row(data[:offset] if offset else data)
            if not offset:
                return
        kept_from = offset
        view = memoryview(data)
        while end := data.find(b"\n", offset) + 1:
            if not self._keeps(data, offset, end):
                if kept_from < offset:
                    yield view[kept_from:offset]
                kept_from = end
            offset = end
        if kept_from < offset:
            yield view[kept_from:offset]
        if offset < len(data):
            yield from self._continue_row(data[offset:])

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
            if len(self._unfinished) > self._max_row:
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
        if size > self._max_row:
            return self._count(size, "unknown")
        moment = peek_timestamp(data, start, end)
        # Until the whole row is parsed, "margin" only means that it has to be: a row without a timestamp near its start
        # may be anywhere, and one that is not valid JSON is not left out.
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


def _slices(row: bytearray) -> Iterator[memoryview]:
    view = memoryview(row)
    for start in range(0, len(row), _SLICE):
        yield view[start : start + _SLICE]
