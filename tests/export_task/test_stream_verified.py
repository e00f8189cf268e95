"""A stream is verified, survives broken downloads, closes its connections and takes little memory."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from support.export_streams import CONTENT, ROWS, stream_of, streaming
from support.streaming.http import Reply
from support.streaming.source import SIGNATURE, Twist, faults, serve

from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.errors import IntegrityError
from labelbox_export_provider.export_task.stream import BufferedStream
from labelbox_export_provider.streaming.download.stream_reader import CHUNK_BYTES


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
        noted, begin, close = self, file_host.FileHost.begin_get, file_host.FileResponse.close
        close_host = file_host.FileHost.close

        def opened(host: file_host.FileHost, url: str, **range_: int) -> Callable[[], file_host.FileResponse]:
            noted.open += 1
            return begin(host, url, **range_)

        def closed(response: file_host.FileResponse) -> None:
            noted.open -= 1
            close(response)

        monkeypatch.setattr(file_host.FileHost, "begin_get", opened)

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
