"""A real HTTP server that plays back a list of answers, one a request, and records what it was asked."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Plays:
    """One answer. A body that is not bytes or text is sent as JSON; `announce` lies about its length."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    announce: int | None = None

    @property
    def raw(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass(frozen=True)
class Drops:
    """Read the request, then reset the connection, or close it quietly."""

    reset: bool = True


@dataclass(frozen=True)
class Hangs:
    """Read the request and say nothing for `seconds`; with `drip`, send a chunk of an endless body so often."""

    seconds: float = 5
    drip: float | None = None
    chunk: bytes = b" "


Step = Plays | Drops | Hangs | Callable[["Asked"], Plays]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *args: Any) -> None:
        """Log nothing: a client that hangs up is part of the test."""


class ScriptedServer:
    """Plays `script`; its last step is repeated for ever."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.script: list[Step] = []
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"scripted": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/graphql"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def play(self, *steps: Step) -> None:
        self.script = list(steps)
        self.asked.clear()

    def next_step(self) -> Step:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    @contextmanager
    def serving(self) -> Iterator[ScriptedServer]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    scripted: ScriptedServer

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, self.rfile.read(int(headers.get("content-length", 0))))
        self.scripted.asked.append(asked)
        step = self.scripted.next_step()
        if callable(step):
            step = step(asked)
        if isinstance(step, Drops):
            self.drop(step)
        elif isinstance(step, Hangs):
            self.hang(step)
        else:
            self.answer(step)

    do_GET = do_CONNECT = do_POST  # noqa: N815 - the names that http.server looks for

    def answer(self, plays: Plays) -> None:
        self.send_response(plays.status)
        for name, value in plays.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(plays.announce if plays.announce is not None else len(plays.raw)))
        if plays.announce is not None:
            self.close_connection = True
        self.end_headers()
        self.wfile.write(plays.raw)

    def drop(self, drops: Drops) -> None:
        self.close_connection = True
        if drops.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def hang(self, hangs: Hangs) -> None:
        self.close_connection = True
        if hangs.drip is None:
            self.scripted.closing.wait(hangs.seconds)
            return
        self.send_response(200)
        self.end_headers()
        try:
            while not self.scripted.closing.wait(hangs.drip):
                self.wfile.write(hangs.chunk)
        except OSError:
            return

    def log_message(self, *args: Any) -> None:
        """Log nothing: tests read `asked`."""


def data(**members: Any) -> Plays:
    """A sound answer."""
    return Plays(body={"data": members})


def graphql_error(
    code: str | None, message: str = "it went wrong", *, status: int = 200, inside: Any = None, **members: Any
) -> Plays:
    """An answer with one entry in `errors`; `inside` is `extensions.exception.status`."""
    extensions: dict[str, Any] = {} if code is None else {"code": code}
    if inside is not None:
        extensions["exception"] = {"status": inside, "message": message}
    return Plays(status, {"errors": [{"message": message, "extensions": extensions, **members}], "data": None})


def closed_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def bodies(asked: Sequence[Asked]) -> list[dict[str, Any]]:
    """What was asked, as JSON."""
    return [each.json for each in asked]
