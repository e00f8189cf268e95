"""A small threaded HTTP/1.1 server that can also misbehave: delay or cut an answer, reset the connection."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HttpRequest:
    """A request. `path` is unquoted and without query, `raw_path` as it was sent; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    raw_path: str = ""


@dataclass(frozen=True)
class HttpAnswer:
    """An answer and how it is sent.

    `delay` seconds pass before its first byte. With `break_after` the connection is reset after this many bytes of the
    body, with `drop` before anything is sent; with `drip` the rest comes byte by byte instead, with so many seconds
    before each. `chunked` sends no Content-Length.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    break_after: int | None = None
    drop: bool = False
    drip: float | None = None
    chunked: bool = False


class HttpServer(ThreadingHTTPServer):
    """Serves one application until it is stopped; stopping ends open connections too.

    `tls` makes it an HTTPS server. Request bodies with `Transfer-Encoding: chunked` are refused without `takes_chunks`.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        host: str,
        port: int,
        application: Callable[[HttpRequest], HttpAnswer],
        *,
        tls: ssl.SSLContext | None = None,
        takes_chunks: bool = False,
    ) -> None:
        self.application = application
        self.takes_chunks = takes_chunks
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._resets: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)
        self._scheme = "https" if tls else "http"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self._stop_signal, self._stop_sender = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"{self._scheme}://{self.server_address[0]!s}:{self.server_address[1]}"

    def start(self) -> None:
        """Serve from a thread of its own."""
        self._thread.start()

    def _serve(self) -> None:
        # serve_forever() checks a few times a second whether it should end; this sleeps until then and ends at once.
        self.timeout = 0
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._stop_signal, selectors.EVENT_READ)
            while not self.stopping.is_set():
                selector.select()
                self.handle_request()

    def stop(self) -> None:
        """Stop listening, wake delayed answers, and close every connection."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        self._stop_sender.send(b"!")
        self._thread.join()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):  # the client closed it first
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._stop_signal.close()
        self._stop_sender.close()

    def reset(self, connection: socket.socket) -> None:
        """End this connection with a reset instead of an orderly close."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with self._lock:
            self._resets.add(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, then serve it."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End the connection in the requested way."""
        with self._lock:
            self._connections.discard(request)
            is_reset = request in self._resets
            self._resets.discard(request)
        if is_reset:
            request.close()
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # names of the base class
        """Log errors of the server; a client that disconnects is not an error."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            logger.error("a test server failed", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "FakeLabelbox"
    sys_version = ""
    wbufsize = -1
    disable_nagle_algorithm = True

    @property
    def _server(self) -> HttpServer:
        return cast("HttpServer", self.server)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the standard library's
        """Do nothing: the request log has everything."""

    def _serve(self) -> None:
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        chunked = self._server.takes_chunks and headers.get("transfer-encoding") == "chunked"
        if not chunked and ("transfer-encoding" in headers or not length.isdigit()):
            self.close_connection = True
            return self._send(HttpAnswer(411, b"Length Required", {"content-type": "text/plain"}))
        request = HttpRequest(
            method=self.command,
            path=unquote(url.path),
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers=headers,
            body=self._read_chunks() if chunked else self.rfile.read(int(length)),
            raw_path=url.path,
        )
        return self._send(self._server.application(request))

    def handle_expect_100(self) -> bool:
        """Ask for the body at once: answers are buffered, and a client would wait a second for this one."""
        sent = super().handle_expect_100()
        self.wfile.flush()
        return sent

    def _read_chunks(self) -> bytes:
        body = bytearray()
        while size := int(self._read_line().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self._read_line()
        while self._read_line().strip():
            pass
        return bytes(body)

    def _read_line(self) -> bytes:
        line = self.rfile.readline()
        if not line:
            raise ConnectionResetError("the client closed the connection within a request")
        return line

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = _serve  # noqa: N815  # names of the standard library

    def _send(self, answer: HttpAnswer) -> None:
        if answer.delay and self._server.stopping.wait(answer.delay):
            self.close_connection = True
            return
        if answer.drop:
            self._break()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunked:
            self.send_header("transfer-encoding", "chunked")
        elif "content-length" not in answer.headers:
            self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(answer)
        self.wfile.flush()
        if answer.break_after is not None and answer.drip is None:
            self._break()

    def _send_body(self, answer: HttpAnswer) -> None:
        body = answer.body if answer.break_after is None else answer.body[: answer.break_after]
        if not answer.chunked:
            self.wfile.write(body)
            if answer.drip is not None:
                self._drip(answer.body[len(body) :], answer.drip)
            return
        view = memoryview(body)
        for start in range(0, len(view), 1 << 16):
            chunk = view[start : start + (1 << 16)]
            self.wfile.write(b"%x\r\n" % len(chunk))
            self.wfile.write(chunk)
            self.wfile.write(b"\r\n")
        if answer.break_after is None:
            self.wfile.write(b"0\r\n\r\n")

    def _drip(self, body: bytes, seconds: float) -> None:
        for byte in body:
            self.wfile.flush()
            if self._server.stopping.wait(seconds):
                self.close_connection = True
                return
            self.wfile.write(bytes([byte]))

    def _break(self) -> None:
        self.close_connection = True
        self._server.reset(self.connection)
