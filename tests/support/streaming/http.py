"""A real HTTP server whose answers a test decides, request by request."""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Request:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """`break_after`: send so many bytes of the body, then reset (or, with `hang_up`, close) the connection.

    `no_answer`: send nothing at all and reset the connection. With `drip`, what `break_after` leaves is sent byte by
    byte, with so many seconds before each.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_length: int | None = None
    no_length: bool = False
    break_after: int | None = None
    hang_up: bool = False
    no_answer: bool = False
    drip: float | None = None


@contextmanager
def http_server(respond: Callable[[Request], Reply], *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on 127.0.0.1; yield the address."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.respond = respond
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    respond: Callable[[Request], Reply]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that a test breaks on purpose is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ValueError):
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        pass

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._read_chunks() if "chunked" in headers.get("transfer-encoding", "") else self._read(headers)
        reply = self.server.respond(Request(self.command, parts.path, parts.query, headers, body))
        if reply.no_answer:
            self._break(hang_up=False)
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.no_length:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            length = len(reply.body) if reply.content_length is None else reply.content_length
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.wfile.write(reply.body[: reply.break_after])
        if reply.break_after is None:
            return
        self.wfile.flush()
        if reply.drip is not None:
            for byte in reply.body[reply.break_after :]:
                time.sleep(reply.drip)
                self.wfile.write(bytes([byte]))
            return
        self._break(hang_up=reply.hang_up)

    def _break(self, *, hang_up: bool) -> None:
        self.close_connection = True
        if hang_up:
            self.connection.shutdown(socket.SHUT_WR)
        else:
            # A reset drops what the kernel has not sent yet.
            for _ in range(1000):
                if not any(fcntl.ioctl(self.connection, termios.TIOCOUTQ, bytes(4))):
                    break
                time.sleep(0.001)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _read(self, headers: dict[str, str]) -> bytes:
        return self.rfile.read(int(headers.get("content-length", 0)))

    def _read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body
