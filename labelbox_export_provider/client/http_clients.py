"""The two clients that run flows over HTTP.

They differ in `await` alone: shared functions build requests and interpret answers and failures. The API key is sent in
one header to one address: redirects are not followed.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import httpx

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.client.certificates import create_ssl_context
from labelbox_export_provider.client.exchange import FAILURES, Exchange, request_options
from labelbox_export_provider.client.proxies import proxy_for
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.sockets import OpenSockets
from labelbox_export_provider.client.types import Answer, Flow, Reply, Send, Sleep, T, TransportFailure
from labelbox_export_provider.client.user_agent import user_agent as default_user_agent
from labelbox_export_provider.errors import ConnectionSettingsError

log = logging.getLogger(__name__)

C = TypeVar("C", httpx.Client, httpx.AsyncClient)

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
        self._given_sleep = sleep
        self._token = token
        self._sleep = sleep or (time.sleep if token is None else token.wait)
        self._ssl_context = ssl_context or _context(settings)
        self._http = _opened(httpx.Client, settings, self.user_agent, self._ssl_context)
        self._sockets = OpenSockets()
        self._forget = token.call_on_cancel(self._sockets.shut_down) if token is not None else None

    @property
    def token(self) -> CancelToken | None:
        """What ends the requests of this client; None where nothing does."""
        return self._token

    def bound_to(self, token: CancelToken) -> LabelboxClient:
        """Return a client of the same settings, with connections of its own; close it.

        As soon as `token` is cancelled, its requests and waits end with `StoppedError`.
        """
        return LabelboxClient(
            self._settings,
            user_agent=self.user_agent,
            sleep=self._given_sleep,
            ssl_context=self._ssl_context,
            token=token,
        )

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
                if self._token is not None:
                    self._token.check()
                if isinstance(effect, Sleep):
                    _announce(effect)
                    self._sleep(effect.seconds)
                    reply = None
                elif self._token is not None:
                    reply = self._token.call(partial(self._post, effect))
                else:
                    reply = self._post(effect)
        except StopIteration as stop:
            value: T = stop.value
            return value
        finally:
            flow.close()

    def _post(self, send: Send) -> Answer | TransportFailure:
        exchange = Exchange(self._settings)
        try:
            request = request_options(self._settings, send)
            request["extensions"] = {"trace": self._note_socket}
            with self._http.stream("POST", self._settings.endpoint, **request) as response:
                for chunk in response.iter_bytes():
                    if not exchange.take(chunk):
                        break
                return exchange.answer(response)
        except FAILURES as error:
            return exchange.failure(error)

    def _note_socket(self, event: str, details: Mapping[str, Any]) -> None:
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._sockets.add(details["return_value"].get_extra_info("socket"))

    def close(self) -> None:
        """Close the connections; calls of other threads end."""
        if self._forget is not None:
            self._forget()
        # First, since the end of a thread that waits for a closed socket is its timeout.
        self._sockets.shut_down()
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
        exchange = Exchange(self._settings)
        try:
            async with self._http.stream(
                "POST", self._settings.endpoint, **request_options(self._settings, send)
            ) as response:
                async for chunk in response.aiter_bytes():
                    if not exchange.take(chunk):
                        break
                return exchange.answer(response)
        except FAILURES as error:
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


def _context(settings: ConnectionSettings) -> ssl.SSLContext:
    with settings.naming_connection():
        return create_ssl_context(settings)


def _opened(
    client: Callable[..., C],
    settings: ConnectionSettings,
    user_agent: str,
    ssl_context: ssl.SSLContext | None,
    **options: Any,
) -> C:
    context = ssl_context or _context(settings)
    with settings.naming_connection():
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


def _announce(effect: Sleep) -> None:
    if effect.seconds > NOTICED_WAIT:
        log.info("Waiting %.1f s: %s", effect.seconds, effect.reason)
