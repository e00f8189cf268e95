"""Members of the output: the rows that start in one constant range of source offsets, read, trimmed and compressed.

A member with the range [start, stop) owns the rows that start at an offset in (start, stop]; the first member also owns
the row at 0. Every row starts at exactly one offset, and these ranges cover every offset once, so every row is in
exactly one member, and members in order hold the rows in order. A row starts at 0, behind a newline, or at a file
border where the newline is missing. A worker that reads from `start` sees each of these, since the byte before a later
start is in its range. So workers are independent: each reads from `start`, skips to the first row behind it, and
continues to the first row behind `stop`. A row may be longer than several members; those have no rows and no bytes.
Nothing here depends on how the source is cut into files, requests or pieces, nor on the number of workers or parts.

With objects of B bytes, object j has the rows that start in [j * B, (j + 1) * B), so its first member starts one byte
before j * B. Inside an object, members are counted from j * B.

Bytes are accounted (checksum, newlines, file borders) by the member whose range [start, stop) holds them. These ranges
tile the source as well, so the two accounts check each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labelbox_export_provider.streaming.download.stream_reader import Piece
from labelbox_export_provider.streaming.pipeline.compression import Packer
from labelbox_export_provider.streaming.rows.counts import RowCounts, newline_is_missing
from labelbox_export_provider.streaming.rows.segments import Segment, Segments
from labelbox_export_provider.streaming.rows.trimming import RowFilter

MEMBER_BYTES = 32 * 1024**2
"""Changing it changes the bytes of every object, so that a retry would no longer write the same bytes."""


@dataclass(frozen=True, slots=True)
class Member:
    """Range [start, stop) of source offsets, whose rows go into the object of number `object`, counted from 0."""

    number: int
    start: int
    stop: int
    object: int = 0


def members(size: int, member_bytes: int = MEMBER_BYTES, object_bytes: int | None = None) -> Iterator[Member]:
    """Cut a stream of `size` bytes into its members, and these into objects of `object_bytes` of the source."""
    number = start = 0
    for object_number, begin, end in object_ranges(size, object_bytes):
        for stop in (*range(begin + member_bytes, end, member_bytes), end):
            yield Member(number, start, stop, object_number)
            number, start = number + 1, stop


def object_ranges(size: int, object_bytes: int | None) -> Iterator[tuple[int, int, int]]:
    """Yield number, nominal start and last offset of each object: its rows start behind the last offset before it.

    With objects of B bytes that is one byte before the next multiple of B, and the end of the stream for the last.
    """
    object_bytes = object_bytes or max(1, size)
    for number, begin in enumerate(range(0, size, object_bytes)):
        yield number, begin, begin + object_bytes - 1 if begin + object_bytes < size else size


@dataclass(frozen=True, slots=True)
class MemberAccount:
    """The counts of one member's rows, and the source bytes of its range."""

    counts: RowCounts
    segments: tuple[Segment, ...]


def encode_member(member: Member, pieces: Iterator[Piece], rows: RowFilter, pack: Packer) -> MemberAccount:
    """Read one member's range and rows from `pieces`, which start at its start, and pass the rows to `pack`."""
    current = _Encoding(member, rows, pack)
    for piece in pieces:
        if current.encode_piece(piece):
            break
    else:
        current.end_of_stream()
    pack.end_member()
    return MemberAccount(rows.counts, current.segments.all)


class _Encoding:
    def __init__(self, member: Member, rows: RowFilter, pack: Packer) -> None:
        self.segments = Segments()
        self._member = member
        self._rows = rows
        self._pack = pack
        self._inside = member.number == 0
        self._before: Piece | None = None

    def encode_piece(self, piece: Piece) -> bool:
        """Encode the next piece; return whether the member is complete."""
        if self._row_starts_at_border(piece):
            if self._inside:
                self._write(self._rows.end_row())
            if piece.offset > self._member.stop:
                return True
            self._inside = True
        elif not self._inside and piece.offset >= self._member.stop:
            return True
        self._before = piece
        rows_before, all_ours = self._rows.counts.rows, self._inside
        ended = self._take_rows(piece)
        # Where the whole piece is ours, each newline has ended a row, so newlines are not counted again.
        all_ours = all_ours and piece.offset + len(piece.data) <= self._member.stop
        until = max(0, self._member.stop - piece.offset)
        self.segments.add_piece(piece, piece.data[:until], self._rows.counts.rows - rows_before if all_ours else None)
        return ended

    def end_of_stream(self) -> None:
        """End the last row, since no piece follows."""
        if self._inside:
            self._write(self._rows.end_stream())

    def _row_starts_at_border(self, piece: Piece) -> bool:
        before = self._before
        return (
            before is not None
            and before.file.start != piece.file.start
            and newline_is_missing(before.file, piece.file, before.data[-1], piece.data[0])
        )

    def _take_rows(self, piece: Piece) -> bool:
        data = piece.data
        # A newline before this place starts a row of ours; one behind it starts the next member's first row.
        until = self._member.stop - piece.offset
        begin = 0
        if not self._inside:
            begin = data.find(b"\n", 0, max(0, until)) + 1
            if not begin:
                # At a file border exactly here, a row of ours may still start: the next piece decides.
                ends_with_file = piece.offset + len(data) == piece.file.end + 1 == self._member.stop
                return len(data) >= until and not ends_with_file
            self._inside = True
        end = data.find(b"\n", max(begin, until)) + 1
        own = data[begin : end or len(data)]
        if own:
            self._write(self._rows.feed(own))
        return end > 0

    def _write(self, kept: Iterator[bytes | memoryview]) -> None:
        for data in kept:
            self._pack.write(data)
