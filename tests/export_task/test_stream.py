"""Rows of an export in Python: byte-exact, from any offset or line, however the stream is cut into files."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from support.streaming.http import Reply
from support.streaming.source import SETTINGS, SIGNATURE, Source, Twist, faults, serve

from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.errors import IntegrityError, ProtocolError
from labelbox_export_provider.export_task.stream import BufferedStream, StreamSource
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.download.stream_reader import CHUNK_BYTES

ROWS = [
    b'{"n": 0}',
    '{"text": "a \u2028 b \u0085 c"}'.encode(),
    '{"astral": "\U0001d49c\U00010348"}'.encode(),
    b'{"big": 123456789012345678901234567890, "float": 1264.0, "tiny": 1e-07}',
    b'{"escaped": "one\\ntwo"}\r',
    b'{"long": "' + b"x" * 300 + b'"}',
    b"{}",
    b'{"n": 7}',
]
CONTENT = b"\n".join(ROWS) + b"\n"


def stream_of(source: Source, **changes: object) -> BufferedStream:
    given = StreamSource(
        label="export e1, RESULT stream",
        totals=source.totals,
        ask=source.ask,
        open_host=lambda: FileHost(SETTINGS, user_agent="tests"),
        sleep=lambda seconds: None,
    )
    return BufferedStream(replace(given, **changes))  # type: ignore[arg-type]  # a test's own keywords


@contextmanager
def streaming(content: bytes = CONTENT, cuts: tuple[int, ...] = (), **served: object) -> Iterator[BufferedStream]:
    with serve(content, cuts, **served) as source:  # type: ignore[arg-type]  # a test's own keywords
        yield stream_of(source)


def files_that_start_rows(content: bytes, cuts: tuple[int, ...]) -> list[tuple[int, int]]:
    """Row numbers of files when a row counts in the file where it starts, and not in those that it goes on into."""
    starts = [0, *(place + 1 for place, byte in enumerate(content[:-1]) if byte == 0x0A)]
    ranges = []
    for begin, end in pairwise([0, *cuts, len(content)]):
        here = [number for number, start in enumerate(starts) if begin <= start < end]
        ranges.append((here[0], here[-1]))
    return ranges


# --- rows


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


# --- offsets


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


# --- verified


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lines": 9}, r"8 rows; 9 were announced"),
        ({"lines": 7}, r"8 rows; 7 were announced"),
        ({"size": len(CONTENT) + 4}, "no file"),
        ({"size": len(CONTENT) - 4}, f"total of {len(CONTENT) - 4} bytes"),
    ],
)
def test_totals_that_differ_are_an_error_at_the_end(changes: dict[str, Any], message: str) -> None:
    """Totals that differ are an error with both numbers at the end."""
    seen: list[bytes] = []
    with streaming(**changes) as stream, pytest.raises(IntegrityError, match=message):
        stream.start(lambda row: seen.append(row.raw))
    if "lines" in changes:
        assert seen == ROWS


def test_from_a_line_on_the_rows_are_still_counted() -> None:
    with streaming(lines=9) as stream, pytest.raises(IntegrityError, match=r"from line 2 on, 6 rows.* 7 \(of 9"):
        stream.with_line(2).start()


def test_a_changed_file_is_an_error_before_its_end() -> None:
    """A file with other bytes than its host announced is an error before its end is yielded."""

    def spoil(reply: Reply) -> Reply:
        return replace(reply, body=b"!" + reply.body[1:])

    seen: list[bytes] = []
    with (
        streaming(cuts=(9, 60), twist=faults((1, spoil))) as stream,
        pytest.raises(IntegrityError, match=r"bytes 9 to 59 has CRC32C \w{8}, its host announced \w{8}.*read"),
    ):
        stream.start(lambda row: seen.append(row.raw))
    assert seen == ROWS[:1]


def test_rows_of_files_that_do_not_join_are_not_counted_on() -> None:
    with (
        streaming(cuts=(9, 60), line_ranges=[(0, 0), (3, 4), (5, 9)]) as stream,
        pytest.raises(IntegrityError, match="do not join: rows 0 to 0, then 3 to 4"),
    ):
        next(iter(stream.with_line(3)))


def test_a_line_that_no_file_holds_is_an_error() -> None:
    with (
        streaming(cuts=(9, 60), line_ranges=[(0, 0), (4, 5), (6, 9)]) as stream,
        pytest.raises(IntegrityError, match="no file holds line 2"),
    ):
        next(iter(stream.with_line(2)))


# --- downloads


FAULTS: dict[str, Twist] = {
    "breaks off": faults((0, lambda reply: replace(reply, break_after=40)), (1, lambda reply: Reply(503))),
    "expires": faults((0, lambda reply: Reply(403)), (1, lambda reply: Reply(400, b"<Code>ExpiredToken</Code>"))),
}


@pytest.mark.parametrize("name", FAULTS)
def test_rows_come_whole_and_once_in_spite_of_broken_downloads(name: str) -> None:
    with streaming(cuts=(150,), twist=FAULTS[name]) as stream:
        assert list(stream.lines()) == ROWS


class _Noted:
    """Takes notes of answers that are being read, and of hosts whose connections were closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from labelbox_export_provider.streaming.download import file_host

        self.open = 0
        self.closed_hosts = 0
        noted, get, close = self, file_host.FileHost.get, file_host.FileResponse.close
        close_host = file_host.FileHost.close

        def opened(host: file_host.FileHost, url: str, **range_: int) -> file_host.FileResponse:
            noted.open += 1
            return get(host, url, **range_)

        def closed(response: file_host.FileResponse) -> None:
            noted.open -= 1
            close(response)

        monkeypatch.setattr(file_host.FileHost, "get", opened)

        def closed_host(host: file_host.FileHost) -> None:
            noted.closed_hosts += 1
            close_host(host)

        monkeypatch.setattr(file_host.FileResponse, "close", closed)
        monkeypatch.setattr(file_host.FileHost, "close", closed_host)


def leave_a_loop(stream: BufferedStream) -> None:
    for _ in stream:
        break


def leave_the_lines(stream: BufferedStream) -> None:
    for _ in stream.lines():
        break


def fail_in_the_handler(stream: BufferedStream) -> None:
    def handler(row: object) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        stream.start(handler)


@pytest.mark.parametrize("leave", [leave_a_loop, leave_the_lines, fail_in_the_handler])
def test_leaving_early_closes_the_connection(
    leave: Callable[[BufferedStream], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = _Noted(monkeypatch)
    with streaming(b'{"n": 1}\n' * 400_000, (1_800_000,)) as stream:
        leave(stream)
        assert (noted.open, noted.closed_hosts) == (0, 1)


def test_files_are_read_only_as_far_as_rows_are_used() -> None:
    """Files are read one after another, and only as far as rows are used."""
    with serve(b'{"n": 1}\n' * 1000, tuple(range(900, 9000, 900))) as source:
        rows = iter(stream_of(source))
        for _ in range(150):
            next(rows)
        assert [number for number, _ in source.requests] == [0, 1]
        rows.close()


def test_no_signed_address_is_in_an_error() -> None:
    with streaming(twist=lambda number, request, reply: Reply(403)) as stream, pytest.raises(Exception) as caught:
        stream.start()
    assert SIGNATURE not in f"{caught.value!r}{caught.value.__context__!r}{caught.value.__cause__!r}"


# --- memory


def test_files_that_are_behind_are_forgotten() -> None:
    def known_files() -> int:
        # isinstance would wake whatever other tests have loaded lazily
        return sum(type(each) is ExportFile for each in gc.get_objects())

    with serve(b'{"n": 1}\n' * 300, tuple(range(9, 2700, 9))) as source:
        before = known_files()
        rows = iter(stream_of(source))
        for _ in range(299):
            next(rows)
        assert len(source.asked) >= 299
        assert known_files() < before + 20
        rows.close()


def test_memory_does_not_depend_on_the_size() -> None:
    """Memory is a few chunks and two times the longest row, whatever the size.

    G5: memory does not grow with the export.
    """
    chance = random.Random(1)
    rows = [b'{"x": "%s"}' % (b"x" * chance.randrange(3000)) for _ in range(1000)]
    longest = b'{"x": "%s"}' % (b"x" * 1_000_000)
    file = b"\n".join([*rows, longest]) + b"\n"
    files = 20

    with serve(file) as one:

        def ask(offset: int) -> ExportFile:
            number = offset // len(file)
            return replace(
                one.ask(0),
                start=number * len(file),
                end=(number + 1) * len(file) - 1,
                line_start=number * 1001,
                line_end=(number + 1) * 1001 - 1,
            )

        stream = stream_of(one, totals=StreamTotals(len(file) * files, 1001 * files), ask=ask)
        stream.start()
        tracemalloc.start()
        try:
            count = sum(1 for _ in stream)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert count == 1001 * files
    bound = 6 * CHUNK_BYTES + 2 * len(longest)
    assert len(file) * files > 8 * bound
    assert most < bound
