"""Rows of an export in Python: byte-exact, from any offset or line, however the stream is cut into files."""

from __future__ import annotations

import pytest
from support.export_streams import CONTENT, ROWS, files_that_start_rows, stream_of, streaming
from support.streaming.source import serve

from labelbox_export_provider.errors import ProtocolError


def test_rows_are_the_bytes_between_newlines() -> None:
    """Rows are the bytes between newlines, whatever else may end a line elsewhere."""
    with streaming() as stream:
        assert [row.raw for row in stream] == ROWS
        assert list(stream.lines()) == ROWS
        assert b"\n".join(bytes(row) for row in stream) + b"\n" == CONTENT


def test_a_row_knows_where_it_starts_and_shows_itself() -> None:
    with streaming() as stream:
        rows = list(stream)
        assert [row.offset for row in rows] == [CONTENT.index(row) for row in ROWS]
        assert str(rows[2]) == '{"astral": "\U0001d49c\U00010348"}'
        assert repr(rows[0]) == "<ExportRow at byte 0, 8 bytes>"


def test_json_is_the_parsed_row() -> None:
    with streaming() as stream:
        rows = [row.json for row in stream]
    assert rows[1] == {"text": "a \u2028 b \u0085 c"}
    assert rows[3]["big"] == 123456789012345678901234567890
    assert rows[4] == {"escaped": "one\ntwo"}


@pytest.mark.parametrize("content", [CONTENT, CONTENT[:-1], b"\n\n{}", b"\n"], ids=["newline", "none", "blank", "one"])
def test_a_file_may_be_cut_at_every_byte_of_rows_and_characters(content: bytes) -> None:
    rows = content.removesuffix(b"\n").split(b"\n")
    places = [
        place
        for place in (1, 8, 9, 10, 20, 21, 22, 23, 24, 25, *range(45, 62), len(content) - 1)
        if place < len(content)
    ]
    for place in places:
        with streaming(content, (place,)) as stream:
            assert list(stream.lines()) == rows, place


def test_a_missing_newline_between_files_ends_a_row(caplog: pytest.LogCaptureFixture) -> None:
    """A row ends between two files also where its newline is missing."""
    content = b'{"n": 0}\n{"n": 1}{"n": 2}\n{"n": 3}\n'
    with streaming(content, (17,), lines=4, line_ranges=[(0, 1), (2, 3)]) as stream:
        assert [row.json["n"] for row in stream] == [0, 1, 2, 3]
        assert [row.json["n"] for row in stream.with_line(2)] == [2, 3]
        assert [row.json["n"] for row in stream.with_line(1)] == [1, 2, 3]
    assert "without its newline" in caplog.text


def test_a_row_that_is_not_valid_json_is_not_quoted() -> None:
    """A row that is not valid JSON is an error with its place and without its text."""
    for content in (b'{"n": 0}\n{"secret-of-the-row": }\n', b'{"n": 0}\n{"secret-of-the-row": "\xff"}\n'):
        with streaming(content) as stream:
            rows = list(stream)
            with pytest.raises(ProtocolError, match=r"row at byte 9 \(\d+ bytes\) is not valid JSON") as caught:
                rows[1].json  # noqa: B018  the access is what is tested
        assert "secret-of-the-row" not in str(caught.value)
        assert caught.value.__context__ is None


def test_each_iteration_reads_the_stream_anew() -> None:
    with streaming() as stream:
        assert list(stream.lines()) == list(stream.lines()) == ROWS


def test_start_calls_the_handler_with_each_row() -> None:
    """`start` calls the handler with each row, and works without one."""
    seen: list[bytes] = []
    with streaming() as stream:
        stream.start(stream_handler=lambda row: seen.append(row.raw))
        stream.start()
    assert seen == ROWS


def test_an_offset_in_a_row_starts_with_its_rest() -> None:
    """Every offset starts there, and in the middle of a row with the rest of that row."""
    with streaming(cuts=(30, 31, 200)) as stream:
        for offset in (*range(7, 40, 3), 30, 31, 32, 199, 200, 201, len(CONTENT) - 1):
            rest = CONTENT[offset:].removesuffix(b"\n").split(b"\n")
            assert list(stream.with_offset(offset).lines()) == rest, offset


def test_the_rest_of_a_row_says_that_it_is_one_when_it_is_parsed() -> None:
    with streaming() as stream:
        first, second, *_ = stream.with_offset(3)
        with pytest.raises(ProtocolError, match=r"byte 3 .*with_offset\(\)"):
            first.json  # noqa: B018  the access is what is tested
        assert "text" in second.json


def test_a_far_offset_reads_no_file_before_it() -> None:
    """An offset far into the stream reads no file before it."""
    content = b'{"n": 1}\n' * 1000
    with serve(content, tuple(range(90, 9000, 90))) as source:
        assert len(list(stream_of(source).with_offset(8990))) == 2
        assert source.asked == [8990]
        assert [number for number, _ in source.requests] == [99]


@pytest.mark.parametrize("offset", [len(CONTENT), len(CONTENT) + 1, -1])
def test_an_offset_outside_of_the_stream_is_a_value_error(offset: int) -> None:
    """There is no byte at the total size itself: the last offset is one less."""
    with streaming() as stream, pytest.raises(ValueError, match=rf"with_offset\({offset}\).*{len(CONTENT) - 1}"):
        stream.with_offset(offset)


# --- lines

CUTS: dict[str, tuple[int, ...]] = {
    "one file": (),
    "after rows": (9, CONTENT.index(ROWS[3]), CONTENT.index(ROWS[6])),
    "inside rows": (5, 12, CONTENT.index(ROWS[3]) + 3),
    "inside one long row": (CONTENT.index(ROWS[5]) + 20, CONTENT.index(ROWS[5]) + 90, CONTENT.index(ROWS[5]) + 91),
    "at a newline": (8, CONTENT.index(ROWS[3]) - 1),
}


@pytest.mark.parametrize("name", CUTS)
def test_every_line_starts_there_counted_from_0(name: str) -> None:
    with streaming(cuts=CUTS[name]) as stream:
        for line in range(len(ROWS)):
            assert list(stream.with_line(line).lines()) == ROWS[line:], line


@pytest.mark.parametrize("name", ["after rows", "inside rows", "at a newline"])
def test_lines_are_found_if_rows_count_in_one_file(name: str) -> None:
    """Lines are found also where a row counts in the file of its start alone."""
    with streaming(cuts=CUTS[name], line_ranges=files_that_start_rows(CONTENT, CUTS[name])) as stream:
        for line in range(len(ROWS)):
            assert list(stream.with_line(line).lines()) == ROWS[line:], line


def test_a_far_line_is_found_with_a_few_requests() -> None:
    """A line far into the stream is found with a few requests, and nothing before its file is read."""
    rows = [b'{"n": %d, "x": "%s"}' % (n, b"x" * (n % 7 * (50 if n > 700 else 1))) for n in range(1000)]
    ends = [len(b"\n".join(rows[: n + 1])) + 1 for n in range(999)]
    with serve(b"\n".join(rows) + b"\n", tuple(ends)) as source:
        assert list(stream_of(source).with_line(998).lines()) == rows[998:]
        assert next(stream_of(source).with_line(650).lines()) == rows[650]
        read = [number for number, _ in source.requests if number < 650]
        assert read == [649]
        before = len(source.asked)
        next(iter(stream_of(source).with_line(400)))
        assert len(source.asked) - before < 25


def test_with_line_starts_with_the_next_line_as_the_guide_counts() -> None:
    with streaming() as stream:
        assert next(iter(stream.with_line(3))).raw == ROWS[3]


@pytest.mark.parametrize("line", [len(ROWS), len(ROWS) + 5, -1, True, 1.0])
def test_a_line_outside_of_the_stream_is_a_value_error(line: int) -> None:
    with streaming() as stream, pytest.raises(ValueError, match="with_line"):
        stream.with_line(line)


def test_choosing_a_start_leaves_the_stream_itself_as_it_was() -> None:
    with streaming() as stream:
        stream.with_line(3)
        stream.with_offset(3)
        assert list(stream.lines()) == ROWS
