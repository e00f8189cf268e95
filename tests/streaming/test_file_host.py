"""Requests for files follow the connection's settings and show no URL to anybody."""

from __future__ import annotations

import base64
import logging
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.streaming.http import Reply, Request, http_server
from support.streaming.reading import read_all, reading
from support.streaming.source import SETTINGS, SIGNATURE, Twist
from support.streaming.tls import certificate

from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.errors import (
    ConnectionSettingsError,
    LabelboxExportError,
    UnreachableError,
)
from labelbox_export_provider.streaming.download.file_host import BrokenTransferError, FileHost


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
    assert sum(waits) > 250


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
