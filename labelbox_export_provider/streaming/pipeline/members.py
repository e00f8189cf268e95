"""Members of the output: the rows that start in one constant range of source offsets, read, trimmed and compressed.

A member with the range [start, stop) owns the rows that start at an offset in (start, stop]; the first member also owns
the row at 0. Every row starts at exactly one offset, and these ranges cover every offset once, so every row is in
exactly one member, and members in order hold the rows in order. A row starts at 0, behind a newline, or at a file
border where the newline is missing. A worker that reads from `start` sees each of these, since the byte before a later
start is in its range. So workers are independent: each reads from `start`, skips to the first row behind it, and
continues to the first row behind `stop`. A row may be longer than several members; those have no rows and no bytes.
Nothing here depends on how the source is cut into files, requests or pieces, nor on the number of workers or parts, but
for `cut_at_files`, where the cuts of members decide no byte of the output.

With objects of B bytes, object j has the rows that start in [j * B, (j + 1) * B), so its first member starts one byte
before j * B. Inside an object, members are counted from j * B. With ranges of B bytes of one object, range j ends with
the member that ends at (j + 1) * B: where B is a multiple of the size of members, no byte depends on B.

Bytes are accounted (checksum, newlines) by the member whose range [start, stop) holds them, and the border of two files
by the one that reads over it. These ranges tile the source as well, so the two accounts check each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from labelbox_export_provider.streaming.download.file_index import FileIndex
from labelbox_export_provider.streaming.download.stream_reader import Piece
from labelbox_export_provider.streaming.pipeline.compression import Packer
from labelbox_export_provider.streaming.rows.counts import RowCounts
from labelbox_export_provider.streaming.rows.trimming import RowFilter
from labelbox_export_provider.streaming.rows.verification import Segment, add_piece

MEMBER_BYTES = 32 * 1024**2
"""Changing it changes the bytes of every object, so that a retry would no longer write the same bytes."""


@dataclass(frozen=True, slots=True)
class Member:
    """Range [start, stop) of source offsets, whose rows go into the object of number `object`, counted from 0.

    `first` and `last` are the offsets between which the members of this object, or range of one object, lie.
    """

    number: int
    start: int
    stop: int
    object: int = 0
    first: int = 0
    last: int = 0


def members(
    size: int, member_bytes: int = MEMBER_BYTES, object_bytes: int | None = None, range_bytes: int | None = None
) -> Iterator[Member]:
    """Cut a stream of `size` bytes into its members, and these into objects of `object_bytes` of the source.

    Without these, with `range_bytes`, into the ranges of one object.
    """
    number = start = 0
    shift = 1 if object_bytes else 0
    split = object_bytes or range_bytes or max(1, size)
    for object_number, begin in enumerate(range(0, size, split)):
        first, last = start, begin + split - shift if begin + split < size else size
        for stop in (*range(begin + member_bytes, last, member_bytes), last):
            yield Member(number, start, stop, object_number, first, last)
            number, start = number + 1, stop


def cut_at_files(member: Member, index: FileIndex, near: int) -> Member:
    """Move the ends of a member of rows that are stored unchanged to a border of two files that is `near`.

    So most files are one request. Each cut moves by its own offset alone, and by a member at most, so neighbours agree
    without asking, and one of them may become empty.
    """

    def moved(offset: int) -> int:
        if offset in {member.first, member.last}:
            return offset
        file = index.file_holding(offset)
        behind, ahead = offset - file.start, file.end + 1 - offset
        if ahead <= min(behind, near):
            return min(file.end + 1, member.last)
        return max(file.start, member.first) if behind < near else offset

    return replace(member, start=moved(member.start), stop=moved(member.stop))


@dataclass(frozen=True, slots=True)
class MemberAccount:
    """The counts of one member's rows, and the source bytes of its range."""

    counts: RowCounts
    segments: list[Segment]


def encode_member(member: Member, pieces: Iterator[Piece], rows: RowFilter, pack: Packer) -> MemberAccount:
    """Read one member's range and rows from `pieces`, which start at its start, and pass the rows to `pack`."""
    current = _Encoding(member, rows, pack)
    if member.number and member.start == member.stop:
        return MemberAccount(rows.counts, [])
    for piece in pieces:
        if current.encode_piece(piece):
            break
    else:
        current.end_of_stream()
    pack.end_member()
    return MemberAccount(rows.counts, current.segments)


class _Encoding:
    def __init__(self, member: Member, rows: RowFilter, pack: Packer) -> None:
        self.segments: list[Segment] = []
        self._member = member
        self._rows = rows
        self._pack = pack
        self._inside = member.number == 0

    def encode_piece(self, piece: Piece) -> bool:
        """Encode the next piece; return whether the member is complete."""
        if piece.starts_row:
            if self._inside:
                self._write(self._rows.end_row())
            if piece.offset > self._member.stop:
                return True
            self._inside = True
        elif not self._inside and piece.offset >= self._member.stop:
            return True
        rows_before, all_ours = self._rows.counts.rows, self._inside
        ended = self._take_rows(piece)
        # Where the whole piece is ours, each newline has ended a row, so newlines are not counted again.
        all_ours = all_ours and piece.offset + len(piece.data) <= self._member.stop
        until = max(0, self._member.stop - piece.offset)
        newlines = self._rows.counts.rows - rows_before if all_ours else None
        add_piece(self.segments, piece, piece.data[:until], newlines)
        return ended

    def end_of_stream(self) -> None:
        """End the last row, since no piece follows."""
        if self._inside:
            self._write(self._rows.end_stream())

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
