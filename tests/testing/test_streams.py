"""Streams are cut into files that tile them, in every layout."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbox_export_provider.testing import StreamLayout
from labelbox_export_provider.testing.data.streams import Stream, lay_out

ROWS = st.lists(
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=30).map(str.encode),
    min_size=1,
    max_size=20,
)
LAYOUTS = st.builds(
    StreamLayout,
    file_bytes=st.integers(1, 60),
    cut=st.sampled_from(["line", "anywhere", "character"]),
    last_newline=st.booleans(),
)


@given(ROWS, LAYOUTS)
def test_files_tile_the_stream_and_the_stream_is_the_rows(rows: list[bytes], layout: StreamLayout) -> None:
    stream = lay_out(rows, layout)
    assert stream.content == b"\n".join(rows) + (b"\n" if layout.last_newline else b"")
    assert stream.lines == len(rows)
    assert stream.pieces[0].start == 0
    assert stream.pieces[-1].end == len(stream.content) - 1
    for before, after in itertools.pairwise(stream.pieces):
        assert after.start == before.end + 1
    assert b"".join(map(stream.read, stream.pieces)) == stream.content


@given(ROWS, LAYOUTS, st.booleans())
def test_rows_of_a_stream_need_no_newlines(rows: list[bytes], layout: StreamLayout, between: bool) -> None:
    """The rows of a stream are returned whatever newlines it lacks."""
    stream = lay_out(rows, replace(layout, newline_between_files=between))
    assert stream.as_rows() == b"".join(row + b"\n" for row in rows)


@given(ROWS, LAYOUTS)
def test_lines_of_a_file_are_those_that_it_holds_bytes_of(rows: list[bytes], layout: StreamLayout) -> None:
    stream = lay_out(rows, layout)
    for piece in stream.pieces:
        assert piece.line_start == stream.content[: piece.start].count(b"\n")
        assert piece.line_end == stream.content[: piece.end].count(b"\n")


@given(ROWS, LAYOUTS)
def test_every_offset_is_in_the_file_that_is_found_for_it(rows: list[bytes], layout: StreamLayout) -> None:
    stream = lay_out(rows, layout)
    for offset in range(len(stream.content)):
        piece = stream.piece_at(offset)
        assert piece is not None
        assert piece.start <= offset <= piece.end
    assert stream.piece_at(len(stream.content)) is None
    for line in range(len(rows)):
        found = stream.piece_at_line(line)
        assert found is not None
        assert found.line_start <= line <= found.line_end
    assert stream.piece_at_line(len(rows)) is None


@given(ROWS)
def test_files_without_newlines_end_in_a_row(rows: list[bytes]) -> None:
    """Without newlines between files every file but the last ends in a row."""
    stream = lay_out(rows, StreamLayout(file_bytes=1, newline_between_files=False))
    assert list(map(stream.read, stream.pieces)) == [*rows[:-1], rows[-1] + b"\n"]
    assert stream.content == b"".join(rows) + b"\n"


def test_whole_lines_stay_together_and_files_are_filled() -> None:
    stream = lay_out([b"12345", b"1", b"1", b"123456789"], StreamLayout(file_bytes=8))
    assert list(map(stream.read, stream.pieces)) == [b"12345\n1\n", b"1\n", b"123456789\n"]


def test_files_can_end_inside_a_character() -> None:
    stream = lay_out(["ab\U0001d49cd".encode()], StreamLayout(file_bytes=2, cut="character"))
    first = stream.read(stream.pieces[0])
    with pytest.raises(UnicodeDecodeError):
        first.decode()


def test_no_rows_make_an_empty_stream_without_files() -> None:
    assert lay_out([], StreamLayout()) == Stream(b"", 0, ())
