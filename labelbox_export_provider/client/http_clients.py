"""The two clients that run flows over HTTP.

They differ in `await` alone: shared functions build requests and interpret answers and failures. The API key is sent in
one header to one address: redirects are not followed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.client.certificates import create_ssl_context
from labelbox_export_provider.client.proxies import proxy_for
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import Answer, FailureKind, Flow, Reply, Send, Sleep, T, TransportFailure
from labelbox_export_provider.client.user_agent import user_agent as default_user_agent
from labelbox_export_provider.errors import ConnectionSettingsError
from labelbox_export_provider.redaction import scrub

log = logging.getLogger(__name__)

C = TypeVar("C", httpx.Client, httpx.AsyncClient)

MAX_BODY = 16 * 2**20
"""Maximum number of bytes that are read of an answer; answers to our operations are far smaller."""
MAX_IN_FLIGHT = 20
"""Maximum number of requests that the asynchronous client has under way at once, each on a connection of its own."""
KEPT_SECONDS = 90.0
"""How long an idle connection is kept: longer than the longest usual pause between two polls, so that it is reused."""
NOTICED_WAIT = 5.0
"""The shortest wait that is logged, in seconds."""


class LabelboxClient:
    """Runs flows in the calling thread; threads may share it. Use as a context manager or close it.

    `user_agent` names the program, by default this package. File downloads use it too. Once `token` is cancelled, waits
    end and nothing more is sent: `run` raises `StoppedError`.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        user_agent: str | None = None,
        sleep: Callable[[float], object] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        token: CancelToken | None = None,
    ) -> None:
        self.user_agent = user_agent or default_user_agent()
        self._settings = settings
        self._token = token or CancelToken()
        self._sleep = sleep or self._token.wait
        self._http = _opened(httpx.Client, settings, self.user_agent, ssl_context)

    @property
    def settings(self) -> ConnectionSettings:
        """The settings that this client was made with; file downloads follow them too."""
        return self._settings

    def run(self, flow: Flow[T]) -> T:
        """Run a flow: perform its effects until it returns; raises what the flow raises."""
        with self._settings.naming_connection():
            return self._run(flow)

    def _run(self, flow: Flow[T]) -> T:
        reply: Reply = None
        try:
            while True:
                effect = flow.send(reply)
                if isinstance(effect, Sleep):
                    _announce(effect)
                    self._sleep(effect.seconds)
                    reply = None
                else:
                    reply = self._post(effect)
        except StopIteration as stop:
            value: T = stop.value
            return value
        finally:
            flow.close()

    def _post(self, send: Send) -> Answer | TransportFailure:
        self._token.check()
        exchange = _Exchange(self._settings)
        try:
            with self._http.stream("POST", self._settings.endpoint, **_request(self._settings, send)) as response:
                for chunk in response.iter_bytes():
                    if not exchange.take(chunk):
                        break
                return exchange.answer(response)
        except (httpx.HTTPError, httpx.StreamError, ssl.SSLError, TimeoutError) as error:
            return exchange.failure(error)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> LabelboxClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncLabelboxClient:
    """Runs flows in the running event loop, any number at once. Use as an async context manager or close it.

    Requests beyond `MAX_IN_FLIGHT` wait here, in order, and their time limit begins when they are sent: httpx's own
    pool looks through all that wait at every event, which blocks the loop for half a minute with a thousand of them.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        user_agent: str,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        limits = httpx.Limits(
            max_connections=MAX_IN_FLIGHT, max_keepalive_connections=MAX_IN_FLIGHT, keepalive_expiry=KEPT_SECONDS
        )
        self._http = _opened(httpx.AsyncClient, settings, user_agent, ssl_context, limits=limits)
        self._in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow: perform its effects until it returns; raises what the flow raises."""
        with self._settings.naming_connection():
            return await self._run(flow)

    async def _run(self, flow: Flow[T]) -> T:
        reply: Reply = None
        try:
            while True:
                effect = flow.send(reply)
                if isinstance(effect, Sleep):
                    _announce(effect)
                    await self._sleep(effect.seconds)
                    reply = None
                else:
                    reply = await self._post(effect)
        except StopIteration as stop:
            value: T = stop.value
            return value
        finally:
            flow.close()

    async def _post(self, send: Send) -> Answer | TransportFailure:
        async with self._in_flight:
            return await self._exchange(send)

    async def _exchange(self, send: Send) -> Answer | TransportFailure:
        exchange = _Exchange(self._settings)
        try:
            async with self._http.stream("POST", self._settings.endpoint, **_request(self._settings, send)) as response:
                async for chunk in response.aiter_bytes():
                    if not exchange.take(chunk):
                        break
                return exchange.answer(response)
        except (httpx.HTTPError, httpx.StreamError, ssl.SSLError, TimeoutError) as error:
            return exchange.failure(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncLabelboxClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _opened(
    client: Callable[..., C],
    settings: ConnectionSettings,
    user_agent: str,
    ssl_context: ssl.SSLContext | None,
    **options: Any,
) -> C:
    with settings.naming_connection():
        context = ssl_context or create_ssl_context(settings)
        proxy = _proxy(settings, context)
        try:
            httpx.URL(settings.endpoint)
        except httpx.InvalidURL as error:
            raise ConnectionSettingsError(f"The host {settings.endpoint!r} is not a usable URL: {error}.") from None
    return client(
        verify=context,
        proxy=proxy,
        trust_env=False,  # the context and the proxy already hold what the environment names
        timeout=settings.timeout,
        follow_redirects=False,
        headers={"User-Agent": user_agent},
        **options,
    )


def _proxy(settings: ConnectionSettings, context: ssl.SSLContext) -> httpx.Proxy | None:
    proxy = proxy_for(settings, settings.endpoint)
    if proxy is None:
        return None
    encrypted = proxy.url.startswith("https:")
    return httpx.Proxy(proxy.url, auth=proxy.login, ssl_context=context if encrypted else None)


def _request(settings: ConnectionSettings, send: Send) -> dict[str, Any]:
    return {
        "content": json.dumps({"query": send.document.text, "variables": dict(send.variables)}).encode(),
        "headers": {
            "Authorization": f"Bearer {settings.api_key.get_secret_value()}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        },
    }


def _announce(effect: Sleep) -> None:
    if effect.seconds > NOTICED_WAIT:
        log.info("Waiting %.1f s: %s", effect.seconds, effect.reason)


class _Exchange:
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
        # A server or gateway may echo the request.
        return Answer(
            status=response.status_code,
            headers={name.lower(): self._without_key(value) for name, value in response.headers.items()},
            body=bytes(self._body[:MAX_BODY]).replace(self._key.encode(), b"***"),
            elapsed=self._elapsed(),
            host=self._host,
        )

    def failure(self, error: Exception) -> TransportFailure:
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
