"""A small HTTP/1.1 server with a blocking thread per connection, for servers that must not be a bottleneck.

File bytes go out by `sendfile` and come in into one scratch buffer, so both are the kernel's work. It serves the
clients of the benchmarks on 127.0.0.1 and nobody else: no TLS, no chunked requests, no time limits. `GET /-/counts`
returns how many other requests were answered, and how many bytes of files were sent, since it was asked last.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

SCRATCH_BYTES = 1024**2


@dataclass(frozen=True)
class Request:
    """Head of a request; its body is still to be read from the connection."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return int(self.headers.get("content-length", "0"))


class Counts:
    """What a server has done since it was asked last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = 0
        self._bytes = 0

    def add(self, *, requests: int = 0, bytes_sent: int = 0) -> None:
        """Count requests and bytes of files."""
        with self._lock:
            self._requests += requests
            self._bytes += bytes_sent

    def taken(self) -> dict[str, int]:
        """Return both, and begin at zero."""
        with self._lock:
            counted = {"requests": self._requests, "bytes": self._bytes}
            self._requests = self._bytes = 0
        return counted


class Connection:
    """One client's connection."""

    def __init__(self, raw: socket.socket, counts: Counts) -> None:
        self.raw = raw
        self._counts = counts
        self._buffered = bytearray()
        self._scratch = bytearray(SCRATCH_BYTES)

    def request(self) -> Request | None:
        """Read the next head; None when the client is gone."""
        while (end := self._buffered.find(b"\r\n\r\n")) < 0:
            received = self.raw.recv(65536)
            if not received:
                return None
            self._buffered += received
        lines = bytes(self._buffered[:end]).decode("latin-1").split("\r\n")
        del self._buffered[: end + 4]
        method, target, _ = lines[0].split(" ", 2)
        pairs = (line.partition(":") for line in lines[1:])
        request = Request(method, target, {name.strip().lower(): value.strip() for name, _, value in pairs})
        if "chunked" in request.headers.get("transfer-encoding", ""):
            raise ValueError("chunked requests are not understood")
        if request.headers.get("expect", "").lower() == "100-continue":
            self.raw.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return request

    def body(self, size: int) -> bytes:
        """Read a small body."""
        while len(self._buffered) < size:
            received = self.raw.recv(65536)
            if not received:
                raise ConnectionError("the client hung up in its body")
            self._buffered += received
        body = bytes(self._buffered[:size])
        del self._buffered[:size]
        return body

    def take(self, size: int, take: Callable[[bytes], None]) -> None:
        """Read a body and hand it over piece by piece."""
        view = memoryview(self._scratch)
        while size:
            if self._buffered:
                piece = bytes(self._buffered[:size])
                del self._buffered[: len(piece)]
            else:
                received = self.raw.recv_into(self._scratch, min(size, SCRATCH_BYTES))
                if not received:
                    raise ConnectionError("the client hung up in its body")
                piece = bytes(view[:received])
            take(piece)
            size -= len(piece)

    def discard(self, size: int) -> int:
        """Read a body and drop it; return its size."""
        left = size - min(size, len(self._buffered))
        del self._buffered[:size]
        while left:
            # MSG_TRUNC lets Linux drop the bytes instead of copying them to us.
            received = self.raw.recv_into(self._scratch, min(left, SCRATCH_BYTES), socket.MSG_TRUNC)
            if not received:
                raise ConnectionError("the client hung up in its body")
            left -= received
        return size

    def answer(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, length: int | None = None
    ) -> None:
        """Send status, headers and a small body; `length` announces one that the caller sends."""
        fields = {"Content-Length": str(len(body) if length is None else length), **(headers or {})}
        head = f"HTTP/1.1 {status} _\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        self.raw.sendall(head.encode("latin-1") + body)

    def send_file(self, file: BinaryIO, first: int, size: int) -> None:
        """Send bytes of a file; those that went out count at once, also of a client that hangs up."""
        end = first + size
        while first < end:
            sent = os.sendfile(self.raw.fileno(), file.fileno(), first, min(end - first, SCRATCH_BYTES))
            if not sent:
                raise ConnectionError("the file has become shorter")
            self._counts.add(bytes_sent=sent)
            first += sent


Answer = Callable[[Request, Connection], None]


def serve(answer: Answer) -> None:
    """Listen on a free port of 127.0.0.1, print it, and answer until stdin ends.

    Whoever starts a server holds the other end of its stdin, so no server outlives a benchmark that was killed.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_accept, args=(listener, answer, Counts()), daemon=True).start()
    sys.stdin.read()


def _accept(listener: socket.socket, answer: Answer, counts: Counts) -> None:
    while True:
        raw, _ = listener.accept()
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_talk, args=(Connection(raw, counts), answer, counts), daemon=True).start()


def _talk(connection: Connection, answer: Answer, counts: Counts) -> None:
    with contextlib.suppress(ConnectionError), connection.raw:
        while (request := connection.request()) is not None:
            if request.target == "/-/counts":
                connection.answer(200, json.dumps(counts.taken()).encode())
                continue
            counts.add(requests=1)
            answer(request, connection)
