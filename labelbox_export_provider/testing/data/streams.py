"""The bytes of an export stream, and how they are cut into files."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class StreamLayout:
    """How rows become a stream and a stream becomes files."""

    file_bytes: int = 1 << 20
    """The size at which a file ends; with `cut="line"` a longer row makes a longer file."""
    cut: Literal["line", "anywhere", "character"] = "line"
    """Where files end: after whole lines, at exactly `file_bytes`, or inside a multi-byte character near there."""
    last_newline: bool = True
    """Whether the last line of the stream ends in a newline."""
    newline_between_files: bool = True
    """Whether a file that ends with a whole line includes its newline; if False, no file holds that byte."""


@dataclass(frozen=True)
class FilePiece:
    """One file: bytes `start` to `end` and lines `line_start` to `line_end` of the stream, ends included, from 0."""

    index: int
    start: int
    end: int
    line_start: int
    line_end: int


@dataclass(frozen=True)
class Stream:
    """A stream as it is stored: all bytes, the number of rows, and the files that tile it."""

    content: bytes
    lines: int
    pieces: tuple[FilePiece, ...]

    def piece_at(self, offset: int) -> FilePiece | None:
        """Return the file that holds this byte; None past the end."""
        if not 0 <= offset < len(self.content):
            return None
        return self.pieces[bisect_right(self.pieces, offset, key=lambda piece: piece.start) - 1]

    def piece_at_line(self, line: int) -> FilePiece | None:
        """Return the first file that holds bytes of this line; None past the end."""
        return next((piece for piece in self.pieces if piece.line_start <= line <= piece.line_end), None)

    def read(self, piece: FilePiece) -> bytes:
        """Return the bytes of one file."""
        return self.content[piece.start : piece.end + 1]

    def as_rows(self) -> bytes:
        """Return the rows of the stream, a newline after each, also where the stream has none."""
        text = bytearray()
        for piece, following in itertools.zip_longest(self.pieces, self.pieces[1:]):
            text += self.read(piece)
            ends_a_row = following is None or following.line_start > piece.line_end
            if ends_a_row and not text.endswith(b"\n"):
                text += b"\n"
        return bytes(text)


def lay_out(rows: Sequence[bytes], layout: StreamLayout) -> Stream:
    """Make the stream of these rows, none of which holds a newline."""
    if not rows:
        return Stream(b"", 0, ())
    if layout.cut == "line":
        return _cut_after_lines(rows, layout)
    content = b"\n".join(rows) + (b"\n" if layout.last_newline else b"")
    ends = _cut_points(content, layout)
    line_starts = list(itertools.accumulate((len(row) + 1 for row in rows[:-1]), initial=0))
    pieces = [
        FilePiece(index, start, end - 1, bisect_right(line_starts, start) - 1, bisect_right(line_starts, end - 1) - 1)
        for index, (start, end) in enumerate(itertools.pairwise([0, *ends]))
    ]
    return Stream(content, len(rows), tuple(pieces))


def _cut_after_lines(rows: Sequence[bytes], layout: StreamLayout) -> Stream:
    files: list[list[bytes]] = []
    size = 0
    for row in rows:
        if not files or size + len(row) + 1 > layout.file_bytes:
            files.append([])
            size = 0
        files[-1].append(row)
        size += len(row) + 1
    contents: list[bytes] = []
    pieces: list[FilePiece] = []
    offset = line = 0
    for index, lines in enumerate(files):
        is_last = index == len(files) - 1
        newline = layout.last_newline if is_last else layout.newline_between_files
        content = b"\n".join(lines) + (b"\n" if newline else b"")
        contents.append(content)
        pieces.append(FilePiece(index, offset, offset + len(content) - 1, line, line + len(lines) - 1))
        offset += len(content)
        line += len(lines)
    return Stream(b"".join(contents), len(rows), tuple(pieces))


def _cut_points(content: bytes, layout: StreamLayout) -> list[int]:
    points: list[int] = []
    while (point := (points[-1] if points else 0) + layout.file_bytes) < len(content):
        points.append(_inside_a_character(content, point, layout.file_bytes) if layout.cut == "character" else point)
    return [*points, len(content)]


def _inside_a_character(content: bytes, point: int, reach: int) -> int:
    """Return the first place at or after `point` that splits a character; `point` itself when none nearby does."""
    for place in range(point, min(len(content), point + reach)):
        if content[place] & 0b1100_0000 == 0b1000_0000:
            return place
    return point
