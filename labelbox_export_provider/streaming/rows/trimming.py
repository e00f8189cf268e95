"""Trimming, which leaves out whole rows: those whose own timestamp lies in a margin of the window.

A row is kept or left out, never shortened, and never decoded and encoded again: the bytes that are kept are those that
were read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

from labelbox_export_provider.streaming.rows.counts import RowCounter, RowCounts
from labelbox_export_provider.streaming.rows.timestamps import RowPositions, last_activity_at, peek_timestamp

MAX_TRIM_ROW = 128 * 1024**2
"""A row of more bytes is kept without reading its time."""
LONG_ROW = 256 * 1024
"""An unfinished row of more bytes is long: it is counted, and held in memory of its own."""
_SLICE = 128 * 1024


class RowTrimmer:
    """Leaves out the rows in a window's margin.

    Takes a run of whole rows in arbitrary pieces. The caller uses each result before it asks for the next one.
    Holds one unfinished row, up to `max_row` bytes; longer ones are kept without reading their time. `hold` is called
    with the bytes of a long row that are held now, before they are more, and with 0 when none are; it may wait.
    """

    def __init__(
        self,
        rule: RowPositions,
        *,
        max_row: int = MAX_TRIM_ROW,
        hold: Callable[[int], object],
        long_row: int = LONG_ROW,
    ) -> None:
        self.counts = RowCounts()
        self._rule = rule
        self._max_row = max_row
        self._hold = hold
        self._long_row = long_row
        self._unfinished: bytearray | mmap = bytearray()
        self._size = 0
        """Bytes of the unfinished row that were read so far."""
        self._unjudged = False
        """Whether these were emitted already, since the row is too long to be judged."""

    def feed(self, data: bytes) -> Iterator[bytes | memoryview]:
        """Judge the rows that end in this piece, hold the one that does not."""
        offset = 0
        if self._size:
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
        if self._size:
            yield from self._judge_unfinished()

    def _continue_row(self, data: bytes) -> Iterator[bytes | memoryview]:
        """Add bytes to the unfinished row, up to its newline at most."""
        if not self._unjudged and self._size + len(data) > self._max_row:
            yield from self._take_slices()
            self._unjudged = True
        if self._unjudged:
            yield data
        else:
            self._append(data)
        self._size += len(data)
        if data.endswith(b"\n"):
            yield from self._judge_unfinished()

    def _append(self, data: bytes) -> None:
        size = self._size + len(data)
        if size > self._long_row:
            self._hold(size)
            if isinstance(self._unfinished, bytearray):
                # In the heap of its thread a long row would leave a gap behind that no other thread can use. Of mapped
                # memory only the pages that are written to are taken.
                mapped = mmap(-1, self._max_row, flags=MAP_PRIVATE | MAP_ANONYMOUS)
                mapped[: self._size] = bytes(self._unfinished)
                self._unfinished = mapped
        self._unfinished[self._size : size] = data

    def _judge_unfinished(self) -> Iterator[bytes | memoryview]:
        if self._unjudged:
            self._count(self._size, "unknown")
        elif self._keeps(self._unfinished, 0, self._size):
            yield from self._take_slices()
        self._size, self._unjudged = 0, False
        self._drop()

    def _take_slices(self) -> Iterator[memoryview]:
        """Yield the bytes that are held of the unfinished row, then drop them."""
        view = memoryview(self._unfinished)
        for start in range(0, self._size, _SLICE):
            yield view[start : min(start + _SLICE, self._size)]
        del view
        self._drop()

    def _drop(self) -> None:
        self._unfinished = bytearray()
        self._hold(0)

    def _keeps(self, data: bytes | bytearray | mmap, start: int, end: int) -> bool:
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


RowFilter = RowCounter | RowTrimmer
"""Yields the bytes to keep."""
