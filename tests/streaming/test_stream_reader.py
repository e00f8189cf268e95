"""Bytes of a stream come whole, in spite of files that break off and URLs that expire, or not at all."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest
from support.streaming.http import Reply, Request
from support.streaming.reading import CONTENT, CUTS, read_all, reading
from support.streaming.source import SETTINGS, SIGNATURE, faults
from support.streaming.stops import until_none

from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.errors import (
    IntegrityError,
    ProtocolError,
    UnreachableError,
)
from labelbox_export_provider.streaming.download.file_host import FileResponse


def test_a_stream_is_the_concatenation_of_its_files() -> None:
    with reading() as (reader, source, waits):
        assert read_all(reader) == CONTENT
        assert len(source.requests) == 4
        assert waits == []


def test_every_range_of_the_stream_can_be_read() -> None:
    with reading() as (reader, _, _):
        for start, stop in [(0, 1), (99_999, 100_002), (250_000, 260_000), (429_999, 430_001), (699_999, 700_000)]:
            data = b""
            for piece in reader.pieces(start, stop):
                assert piece.offset == start + len(data)
                data += piece.data
                if len(data) >= stop - start:
                    break
            assert data[: stop - start] == CONTENT[start:stop]


def test_the_next_file_is_requested_while_one_is_read() -> None:
    """Nobody waits for a first byte who could read meanwhile, and no file is requested twice for it."""
    with reading(ahead=True) as (reader, source, _):
        reader._index.file_holding(len(CONTENT) - 1)
        pieces = reader.pieces(0, len(CONTENT))
        data = next(pieces).data
        assert until_none(lambda: len(source.requests) < 2, 10) is False
        assert data + b"".join(piece.data for piece in pieces) == CONTENT
        assert len(source.requests) == 4


def test_the_row_behind_a_range_is_requested_in_time() -> None:
    """Where a file begins behind a range, its first row is on its way before the range has been read."""
    with reading(ahead=True) as (reader, source, _):
        border = reader._index.file_holding(0).end + 1
        reader._index.file_holding(border)
        pieces = reader.pieces(0, border)
        data = next(pieces).data
        assert until_none(lambda: len(source.requests) < 2, 10) is False
        while len(data) <= border:
            data += next(pieces).data
        assert data == CONTENT[: len(data)]
        assert len(source.requests) == 2


def test_a_range_takes_the_answer_that_was_requested_ahead() -> None:
    with reading() as (reader, source, _):
        reader.request_ahead(150_000, 250_000)
        assert source.requests == []  # its file is not known yet
        reader._index.file_holding(150_000)
        reader.request_ahead(150_000, 250_000)
        assert until_none(lambda: not source.requests, 10) is False
        assert read_all(reader, 150_000, 250_000)[:100_000] == CONTENT[150_000:250_000]
        ranges = [request.headers.get("range") for _, request in source.requests]
    with reading() as (reader, source, _):
        read_all(reader, 150_000, 250_000)
        assert [request.headers.get("range") for _, request in source.requests] == ranges


def test_a_request_ahead_that_breaks_off_is_made_again() -> None:
    broken = (2, lambda reply: replace(reply, break_after=0, hang_up=False))
    with reading(twist=faults(broken), ahead=True) as (reader, source, waits):
        reader._index.file_holding(len(CONTENT) - 1)
        assert read_all(reader) == CONTENT
        assert (len(source.requests), waits) == (5, [1.0])


def test_what_was_requested_ahead_is_closed_with_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[FileResponse] = []
    monkeypatch.setattr(FileResponse, "close", lambda response: closed.append(response))  # noqa: PLW0108  a method
    with reading() as (reader, source, _):
        reader._index.file_holding(150_000)
        reader.request_ahead(150_000, 250_000)
        reader.close()
        assert (len(closed), len(source.requests)) == (1, 1)


def test_a_row_that_another_reader_has_is_not_requested_again() -> None:
    """The first row behind a range comes from whoever has read it."""
    content = b'{"row":12}\n' * 10_000
    with reading(content, (55_000,)) as (reader, source, _):
        with closing(reader.pieces(55_000, len(content))) as following:
            next(following)
        read = b""
        for piece in reader.pieces(0, 55_000):
            read += piece.data
            if piece.offset == 55_000:
                break
        assert read == content[:55_011]
        assert len(source.requests) == 2


def test_requests_carry_neither_key_nor_cookies() -> None:
    """Requests carry neither key nor cookies, and ask for plain bytes.

    G6: the API key goes to the GraphQL endpoint and nowhere else.
    """

    def set_cookie(number: int, request: Request, reply: Reply) -> Reply:
        return replace(reply, headers={**reply.headers, "Set-Cookie": "session=1; Path=/"})

    with reading(twist=set_cookie) as (reader, source, _):
        read_all(reader)
        for _, request in source.requests:
            assert "authorization" not in request.headers
            assert "cookie" not in request.headers
            assert request.headers["accept-encoding"] == "identity"


IMPATIENT = SETTINGS.model_copy(update={"timeout": 0.4, "min_bytes_per_second": 1000})


@pytest.mark.parametrize("place", [0, 1, 150_000, 329_998])
@pytest.mark.parametrize("hang_up", [True, False], ids=["closed", "reset"])
def test_a_broken_transfer_is_resumed_at_its_byte(place: int, hang_up: bool) -> None:
    broken = (2, lambda reply: replace(reply, break_after=place, hang_up=hang_up))
    with reading(twist=faults(broken)) as (reader, source, waits):
        assert read_all(reader) == CONTENT
        again = [request for number, request in source.requests if number == 2]
        assert len(again) == 2
        resumed = int(again[1].headers.get("range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        # A reset may take what had not been read yet with it.
        assert resumed <= place
        assert resumed > place - 262_144 or not hang_up
        assert waits == [1.0]


@pytest.mark.parametrize(("size", "each", "breaks"), [(420_000, 150_000, 2), (700_000, 80_000, 8)])
def test_each_break_costs_one_request_more(size: int, each: int, breaks: int) -> None:
    """A file that is reset again and again, with progress each time, is read on at its byte: what came is kept."""

    def reset(number: int, request: Request, reply: Reply) -> Reply:
        return replace(reply, break_after=each if len(reply.body) > each else None)

    with reading(CONTENT[:size], (), twist=reset) as (reader, source, waits):
        assert read_all(reader, size=size) == CONTENT[:size]
        ranges = [request.headers.get("range") for _, request in source.requests]
        assert ranges == [None, *(f"bytes={place}-{size - 1}" for place in range(each, size, each))]
        assert len(waits) == breaks


def test_a_stall_keeps_what_came() -> None:
    """Bytes that came before a host fell silent are not asked for again."""
    stalled = (0, lambda reply: replace(reply, break_after=70_000, drip=0.6))
    with reading(CONTENT[:90_000], (), twist=faults(stalled), settings=IMPATIENT) as (reader, source, _):
        assert read_all(reader, size=90_000) == CONTENT[:90_000]
        assert [request.headers.get("range") for _, request in source.requests] == [None, "bytes=70000-89999"]


def test_a_dripping_host_is_left_and_its_bytes_are_kept() -> None:
    """A host that sends less than the least rate is asked again, from the byte where it was left."""
    dripping = (0, lambda reply: replace(reply, break_after=70_000, drip=0.05))
    with reading(CONTENT[:90_000], (), twist=faults(dripping), settings=IMPATIENT) as (reader, source, _):
        assert read_all(reader, size=90_000) == CONTENT[:90_000]
        first, second = (request.headers.get("range") for _, request in source.requests)
        assert first is None
        assert second is not None
        assert 70_000 < int(second[len("bytes=") : -len("-89999")]) < 70_100


def test_a_host_that_only_drips_is_given_up() -> None:
    """Every wait has a bound: a few bytes with each try are no progress."""
    few = lambda number, request, reply: replace(reply, break_after=10)  # noqa: E731
    with reading(twist=few) as (reader, source, waits):
        with pytest.raises(UnreachableError, match="could not be read to the end") as caught:
            read_all(reader)
        assert caught.value.retryable
        assert len(source.requests) < 30
        assert sum(waits) < 310


def test_a_slow_reader_does_not_make_its_host_slow() -> None:
    """Only time spent in reads counts: a host that waits for us is not left."""
    settings = IMPATIENT.model_copy(update={"min_bytes_per_second": 500_000})
    with reading(CONTENT[:90_000], (), settings=settings) as (reader, source, _):
        reader._chunk_bytes = 10_000
        data = b""
        for piece in reader.pieces(0, 90_000):
            data += piece.data
            time.sleep(0.1)
        assert data == CONTENT[:90_000]
        assert len(source.requests) == 1


@pytest.mark.parametrize("header", ["x-goog-hash", "Content-MD5"])
def test_a_byte_that_is_changed_under_an_md5_is_caught(header: str) -> None:
    """G3: a file that is read in one go is compared with the MD5 that its host announces, where it has no CRC32C."""
    content = CONTENT[:90_000]
    digest = base64.b64encode(hashlib.md5(content).digest()).decode()
    announced = {header: digest if header == "Content-MD5" else f"md5={digest}"}

    def changed(number: int, request: Request, reply: Reply) -> Reply:
        return replace(reply, body=b"x" + reply.body[1:], headers=announced)

    def sound(number: int, request: Request, reply: Reply) -> Reply:
        return replace(reply, headers=announced)

    with reading(content, (), twist=sound) as (reader, _, _):
        assert read_all(reader, size=90_000) == content
    with (
        reading(content, (), twist=changed) as (reader, _, _),
        pytest.raises(IntegrityError, match=f"announced {digest}"),
    ):
        read_all(reader, size=90_000)


def test_a_host_without_ranges_is_read_from_the_start() -> None:
    """A host without ranges is read from the start, and the known bytes are skipped."""

    def ignore_range(number: int, request: Request, reply: Reply) -> Reply:
        start, end = (0, *CUTS, len(CONTENT))[number : number + 2]
        broken = None if "range" in request.headers else 300_000
        return Reply(200, CONTENT[start:end], break_after=broken, hang_up=True)

    with reading(twist=ignore_range) as (reader, _, _):
        assert read_all(reader) == CONTENT
        assert read_all(reader, start=650_000) == CONTENT[650_000:]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refused_url_is_asked_for_anew_by_the_same_offset(status: int) -> None:
    with reading(twist=faults((2, lambda reply: Reply(status, b"<Code>ExpiredToken</Code>")))) as (
        reader,
        source,
        waits,
    ):
        assert read_all(reader) == CONTENT
        assert source.asked.count(100_001) == 2
        assert waits == []


def test_a_url_that_expires_midway_is_renewed() -> None:
    """A URL that expires in the middle of a file is renewed there."""
    wanted = faults(
        (2, lambda reply: replace(reply, break_after=300_000)),
        (2, lambda reply: Reply(403)),
    )
    with reading(twist=wanted) as (reader, source, _):
        assert read_all(reader) == CONTENT
        assert len([1 for number, _ in source.requests if number == 2]) == 3


def test_a_host_that_refuses_every_url_fails_soon() -> None:
    """A host that refuses every new URL fails the read after a few tries."""
    with reading(twist=lambda number, request, reply: Reply(403)) as (reader, source, _):
        with pytest.raises(UnreachableError, match=r"HTTP 403.*4 URLs.*0 of 100000 bytes"):
            read_all(reader)
        assert len(source.requests) == 4


def test_another_file_on_renewal_is_an_integrity_error() -> None:
    """A file that is another one when it is requested again is an integrity error."""
    seen: list[int] = []

    def change(file: ExportFile) -> ExportFile:
        seen.append(file.start)
        return replace(file, end=file.end - 1) if seen.count(file.start) > 1 else file

    with (
        reading(twist=faults((0, lambda reply: Reply(403))), change=change) as (reader, _, _),
        pytest.raises(IntegrityError, match=r"bytes 0 to 99998.*instead of.*bytes 0 to 99999"),
    ):
        read_all(reader)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_passing_failures_of_the_host_are_waited_out(status: int) -> None:
    busy = (0, lambda reply: Reply(status, headers={"Retry-After": "7"}))
    with reading(twist=faults(busy, busy)) as (reader, _, waits):
        assert read_all(reader) == CONTENT
        assert len(waits) == 2
        assert min(waits) >= 7


def test_a_broken_host_fails_with_numbers_and_is_retryable() -> None:
    """A host that never answers correctly fails the read with the numbers, and the error is retryable."""
    with reading(twist=lambda number, request, reply: Reply(503)) as (reader, source, waits):
        with pytest.raises(UnreachableError, match=r"ended at 0 of its 100000 bytes.*HTTP 503") as caught:
            read_all(reader)
        assert caught.value.retryable
        assert len(source.requests) == 14
        assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, *[30.0] * 8]


WRONG_FILES: dict[str, tuple[Callable[[Reply], Reply], str]] = {
    "shorter": (lambda reply: replace(reply, body=reply.body[:-1]), r"99999 bytes at its host, 100000 were announced"),
    "longer": (
        lambda reply: replace(reply, body=reply.body + b"x"),
        r"100001 bytes at its host, 100000 were announced",
    ),
    "longer, unannounced": (
        lambda reply: replace(reply, body=reply.body + b"x", no_length=True),
        r"longer than the 100000 bytes announced",
    ),
}


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_file_of_another_length_fails_with_both_numbers(name: str) -> None:
    """G3: verified before visible."""
    change, message = WRONG_FILES[name]
    with reading(twist=faults((0, change))) as (reader, _, _), pytest.raises(IntegrityError, match=message):
        read_all(reader)


def test_a_file_that_always_ends_early_fails_with_both_numbers() -> None:
    def short(number: int, request: Request, reply: Reply) -> Reply:
        return replace(reply, body=b"" if "range" in request.headers else reply.body[:400], no_length=True)

    with reading(twist=short) as (reader, _, _), pytest.raises(IntegrityError, match="ended after 400 bytes, 100000"):
        read_all(reader)


def test_a_range_beyond_a_shorter_file_fails_with_both_numbers() -> None:
    unsatisfiable = Reply(416, headers={"Content-Range": "bytes */50"})
    with (
        reading(twist=faults((0, lambda reply: unsatisfiable))) as (reader, _, _),
        pytest.raises(IntegrityError, match="has 50 bytes, 100000 were announced"),
    ):
        read_all(reader, start=60_000)


@pytest.mark.parametrize(
    ("answer", "message"),
    [("bytes 0-9/100000", "60000 to 99999 were requested, 0 to 9 came"), ("bytes 60000-99999/7", "has 7 bytes")],
)
def test_a_partial_answer_of_another_range_is_an_integrity_error(answer: str, message: str) -> None:
    wrong = (0, lambda reply: replace(reply, headers={"Content-Range": answer}))
    with reading(twist=faults(wrong)) as (reader, _, _), pytest.raises(IntegrityError, match=message):
        read_all(reader, start=60_000)


def test_redirects_are_not_followed() -> None:
    elsewhere = Reply(302, headers={"Location": "http://127.0.0.1:9/secret-path/0?" + SIGNATURE})
    with (
        reading(twist=lambda number, request, reply: elsewhere) as (reader, _, _),
        pytest.raises(ProtocolError, match=r"302.*redirects are not followed") as caught,
    ):
        read_all(reader)
    assert SIGNATURE not in str(caught.value)


def test_the_announced_checksum_of_a_file_is_recorded() -> None:
    """The announced checksum of a file is recorded for the verification."""
    import google_crc32c

    with reading() as (reader, source, _):
        read_all(reader)
        first = source.ask(0)
        assert reader.checksums.pop(first) == google_crc32c.value(CONTENT[: CUTS[0]])
        assert reader.checksums.pop(first) is None
