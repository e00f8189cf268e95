"""One request to Labelbox and its outcome as a value, the same for both clients."""

from __future__ import annotations

import json
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import httpx

from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import Answer, FailureKind, Send, TransportFailure
from labelbox_export_provider.redaction import scrub

MAX_BODY = 16 * 2**20
"""Maximum number of bytes that are read of an answer; answers to our operations are far smaller."""
FAILURES = (httpx.HTTPError, httpx.StreamError, ssl.SSLError, TimeoutError)
"""What `Exchange.failure` converts."""


def request_options(settings: ConnectionSettings, send: Send) -> dict[str, Any]:
    """Return the body and the headers of a request, the key among them."""
    return {
        "content": json.dumps({"query": send.document.text, "variables": dict(send.variables)}).encode(),
        "headers": {
            "Authorization": f"Bearer {settings.api_key.get_secret_value()}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        },
    }


class Exchange:
    """One request and its outcome: collects the body within its limits, and converts the end to a value."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._key = settings.api_key.get_secret_value()
        self._timeout = settings.timeout
        self._host = urlsplit(settings.endpoint).netloc
        self._begun = time.monotonic()
        self._body = bytearray()

    def take(self, chunk: bytes) -> bool:
        """Keep a piece of the body; return False when it is long enough. Raises `TimeoutError` when it is too slow."""
        self._body += chunk
        if self._elapsed() > self._timeout:
            raise TimeoutError
        return len(self._body) <= MAX_BODY

    def answer(self, response: httpx.Response) -> Answer:
        """Return what came, without the key."""
        # A server or gateway may echo the request.
        return Answer(
            status=response.status_code,
            headers={name.lower(): self._without_key(value) for name, value in response.headers.items()},
            body=bytes(self._body[:MAX_BODY]).replace(self._key.encode(), b"***"),
            elapsed=self._elapsed(),
            host=self._host,
        )

    def failure(self, error: Exception) -> TransportFailure:
        """Return that no answer came, and why, without the key."""
        kind, described = _kind_of(error)
        seconds = self._elapsed()
        message = f"{self._host} gave no answer: {self._without_key(described)} (after {seconds:.1f} s)"
        return TransportFailure(kind, message, seconds)

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "***")

    def _elapsed(self) -> float:
        return time.monotonic() - self._begun


def _kind_of(error: Exception) -> tuple[FailureKind, str]:
    if _is_untrusted_certificate(error):
        return FailureKind.UNTRUSTED, f"its certificate is not trusted, {scrub(str(error))}"
    if isinstance(error, httpx.ProxyError):
        return FailureKind.NOT_SENT, f"the proxy did not connect, {scrub(str(error))}"
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)):
        return FailureKind.NOT_SENT, f"no connection, {scrub(str(error)) or type(error).__name__}"
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return FailureKind.TIMEOUT, "timed out"
    # The text of a local protocol error may quote a header.
    described = type(error).__name__ if isinstance(error, httpx.LocalProtocolError) else scrub(str(error))
    return FailureKind.BROKEN, f"the connection broke, {described or type(error).__name__}"


def _is_untrusted_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
