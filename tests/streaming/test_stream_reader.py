"""Bytes of a stream come whole, in spite of files that break off and URLs that expire, or not at all."""

from __future__ import annotations

import base64
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.streaming.http import Reply, Request, http_server
from support.streaming.source import SETTINGS, SIGNATURE, Source, Twist, faults, serve
from support.streaming.tls import certificate

from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.errors import (
    ConnectionSettingsError,
    IntegrityError,
    LabelboxExportError,
    ProtocolError,
    UnreachableError,
)
from labelbox_export_provider.streaming.download.file_host import BrokenTransferError, FileHost
from labelbox_export_provider.streaming.download.file_index import FileIndex
from labelbox_export_provider.streaming.download.stream_reader import StreamReader

CONTENT = random.Random(1).randbytes(700_000)
CUTS = (100_000, 100_001, 430_000)


@contextmanager
def reading(
    content: bytes = CONTENT,
    cuts: tuple[int, ...] = CUTS,
    *,
    twist: Twist | None = None,
    settings: ConnectionSettings = SETTINGS,
    change: Callable[[ExportFile], ExportFile] = lambda file: file,
) -> Iterator[tuple[StreamReader, Source, list[float]]]:
    waits: list[float] = []
    with serve(content, cuts, twist=twist) as source:
        index = FileIndex(lambda offset: change(source.ask(offset)), source.totals, label="export e1", ahead_files=0)
        host = FileHost(settings, user_agent="tests")
        try:
            yield (
                StreamReader(index, host, size=len(content), label="export e1", sleep=waits.append, jitter=lambda: 1.0),
                source,
                waits,
            )
        finally:
            index.close()
            host.close()


def read_all(reader: StreamReader, start: int = 0, size: int = len(CONTENT)) -> bytes:
    return b"".join(piece.data for piece in reader.pieces(start, size))


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
        assert waits == [7.0, 7.0]


def test_a_broken_host_fails_with_numbers_and_is_retryable() -> None:
    """A host that never answers correctly fails the read with the numbers, and the error is retryable."""
    with reading(twist=lambda number, request, reply: Reply(503)) as (reader, source, waits):
        with pytest.raises(UnreachableError, match=r"ended at 0 of its 100000 bytes.*HTTP 503") as caught:
            read_all(reader)
        assert caught.value.retryable
        assert len(source.requests) == 6
        assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]


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


def test_a_plain_http_address_outside_the_machine_is_never_asked() -> None:
    host = FileHost(SETTINGS, user_agent="tests")
    with pytest.raises(ConnectionSettingsError, match="allow_http"):
        host.get("http://files.example.com/0?" + SIGNATURE)


def test_the_proxy_of_the_connection_carries_file_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Request] = []

    def proxy(request: Request) -> Reply:
        seen.append(request)
        return Reply(200, b"through the proxy")

    url = "http://files.invalid/0?" + SIGNATURE
    with http_server(proxy) as address:
        login = address.replace("http://", "http://user:p%40ss@")
        host = FileHost(SETTINGS.model_copy(update={"proxy": login, "allow_http": True}), user_agent="tests")
        assert host.get(url).read(100) == b"through the proxy"
        assert seen[0].headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"
        monkeypatch.setenv("http_proxy", address)
        host = FileHost(SETTINGS.model_copy(update={"allow_http": True}), user_agent="tests")
        assert host.get(url).read(100) == b"through the proxy"
        monkeypatch.setenv("no_proxy", "files.invalid")
        with pytest.raises(Exception, match=r"files\.invalid"):
            host.get(url)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_downloads_trust_whom_the_connection_trusts(tmp_path: Path) -> None:
    trusted, tls = certificate(tmp_path)
    with http_server(lambda request: Reply(200, b"over TLS"), tls=tls) as address:
        url = f"{address}/secret-path/0?{SIGNATURE}"
        for verify in (str(trusted), False):
            host = FileHost(SETTINGS.model_copy(update={"verify": verify}), user_agent="tests")
            assert host.get(url).read(100) == b"over TLS"
            host.close()
        with pytest.raises(BrokenTransferError, match=r"certificate is not trusted.*'verify'") as caught:
            FileHost(SETTINGS, user_agent="tests").get(url)
        assert SIGNATURE not in every_text(caught.value)
        assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SSL_CERT_FILE", "/no/such/bundle.pem"), ("SSL_CERT_DIR", "/no/such/place"), ("SSL_CERT_FILE", "/")],
)
def test_certificates_of_the_environment_that_are_gone_are_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transfer ends with the variable, its value and the connection instead of a bare error."""
    monkeypatch.setenv(variable, value)
    host = FileHost(SETTINGS.model_copy(update={"conn_id": "lb_prod"}), user_agent="tests")
    with pytest.raises(ConnectionSettingsError, match=rf"'lb_prod': .*{variable} is '{value}'"):
        host.get("https://127.0.0.1:9/0?" + SIGNATURE)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "all_proxy"])
def test_an_unusable_proxy_is_named_without_its_password(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No piece of a password that was not percent-encoded is in the message."""
    monkeypatch.setenv(variable, "http://user:Sup3rSecret/x@proxy:3128")
    with pytest.raises(ConnectionSettingsError, match=rf"{variable} .*%2F") as caught:
        FileHost(SETTINGS, user_agent="tests").get("http://127.0.0.1:9/0?" + SIGNATURE)
    assert "Sup3rSecret" not in every_text(caught.value)


@pytest.mark.parametrize("entries", ["fd00::/8", "[::1]", "10.0.0.0/8,127.0.0.0/8"])
def test_networks_in_no_proxy_keep_file_requests_off_the_proxy(entries: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """File hosts read NO_PROXY as the API client does: networks match, and what does not match stops nothing."""
    with http_server(lambda _: Reply(200, b"direct")) as address, http_server(lambda _: Reply(200, b"proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("no_proxy", entries)
        expected = b"direct" if "127" in entries else b"proxy"
        assert FileHost(SETTINGS, user_agent="tests").get(f"{address}/0?{SIGNATURE}").read(100) == expected


def test_a_proxys_password_may_hold_any_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login outside Latin-1 is sent as UTF-8, as the API client does."""
    seen: list[Request] = []

    def proxy(request: Request) -> Reply:
        seen.append(request)
        return Reply(200, b"through the proxy")

    with http_server(proxy) as address:
        monkeypatch.setenv("http_proxy", address.replace("http://", "http://user:%E2%82%AC@"))
        FileHost(SETTINGS, user_agent="tests").get("http://127.0.0.1:9/0?" + SIGNATURE).read(100)
    assert base64.b64decode(seen[0].headers["proxy-authorization"].removeprefix("Basic ")) == "user:€".encode()


# --- secrecy


def every_text(error: BaseException | None) -> str:
    text = ""
    while error is not None:
        text += f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__
    return text


SPOILERS: dict[str, Twist | None] = {
    "sound": None,
    "refused": lambda number, request, reply: Reply(403),
    "failing": lambda number, request, reply: Reply(500),
    "reset": lambda number, request, reply: replace(reply, break_after=10),
    "shorter": lambda number, request, reply: replace(reply, body=b"x"),
    "redirecting": lambda number, request, reply: Reply(302, headers={"Location": "/secret-path/9?" + SIGNATURE}),
    "bad headers": lambda number, request, reply: replace(reply, headers={"Content-Range": "x", "X-Bad": "\x01"}),
}


@pytest.mark.parametrize("name", SPOILERS)
def test_no_file_url_is_in_logs_or_exceptions(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """No URL of a file is in any log record or exception, also at level DEBUG.

    G6: signed URLs are as secret as keys.
    """
    caplog.set_level(logging.DEBUG)
    texts = ""
    with reading(twist=SPOILERS[name]) as (reader, source, _):
        try:
            read_all(reader)
        except LabelboxExportError as error:
            texts = every_text(error)
        assert source.urls
        for record in caplog.records:
            texts += f"{record.getMessage()} {record.args} {record.exc_info} {record.__dict__}"
        assert "GET" in texts
        for url in source.urls:
            parts = urlsplit(url)
            assert parts.query not in texts
            assert parts.path not in texts
        assert SIGNATURE not in texts


def test_no_file_url_is_in_exceptions_of_an_unreachable_host(caplog: pytest.LogCaptureFixture) -> None:
    """No URL of a file is in an exception when the host cannot be reached.

    G6: signed URLs are as secret as keys.
    """
    caplog.set_level(logging.DEBUG)

    def elsewhere(file: ExportFile) -> ExportFile:
        return replace(file, url="http://127.0.0.1:9/secret-path/0?" + SIGNATURE)

    with reading(change=elsewhere) as (reader, _, waits), pytest.raises(UnreachableError) as caught:
        read_all(reader)
    assert "Connection refused" in str(caught.value)
    assert "secret-path" not in every_text(caught.value) + caplog.text
    assert len(waits) == 5


def test_urllib3_still_says_what_it_does_for_others(caplog: pytest.LogCaptureFixture) -> None:
    import urllib3

    from labelbox_export_provider import redaction

    redaction.install_log_filter()
    redaction.install_log_filter()
    assert len(logging.getLogger("urllib3.connectionpool").filters) == 1
    caplog.set_level(logging.DEBUG)
    with http_server(lambda request: Reply(200)) as address:
        urllib3.request("GET", f"{address}/bucket/key?X-Amz-Signature=1")
    assert '"GET /bucket/key?*** HTTP/1.1" 200' in caplog.text
