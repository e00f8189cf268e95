"""Rows of a stream, which end at byte 0x0A only: their counts, and the filter that keeps all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields


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


class RowCounter:
    """Keeps everything. Its memory is one piece, whatever the length of rows. `open` bytes are of an unfinished row."""

    def __init__(self) -> None:
        self.counts = RowCounts()
        self.open = 0

    def feed(self, data: bytes) -> Iterator[bytes | memoryview]:
        """Count the rows of a piece and yield it."""
        counts = self.counts
        find = data.find
        rows, longest, offset = 0, counts.max_row_bytes, 0
        begin = -self.open
        # One search per row counts and measures; counting all newlines first would take four times as long.
        while offset := find(b"\n", offset) + 1:
            rows += 1
            if offset - begin > longest:  # noqa: PLR1730  max() would be a call per row
                longest = offset - begin
            begin = offset
        counts.bytes += len(data)
        counts.rows += rows
        counts.max_row_bytes = longest
        self.open = len(data) - begin
        yield data

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
