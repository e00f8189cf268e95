"""Bodies of HTTP answers as they arrive: nothing that came is lost, and a host that hardly sends is given up.

`BufferedReader.read` waits until it has all bytes, and throws those away that came before a failure. Here it reads from
a source that seems to end when a moment has passed since the first byte, and at a failure, which the next read raises.
"""

from __future__ import annotations

import errno
import io
import time
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, cast

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from labelbox_export_provider.client.sockets import OpenSockets

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MOMENT = 0.5
"""How long, in seconds, a read goes on after its first byte."""


@dataclass(frozen=True, slots=True)
class LeastRate:
    """Bytes that a host must send, on average, in each second of `window` seconds; 0 allows any rate.

    Only the time in which somebody waits for bytes counts, so a reader that is slow itself does no harm.
    """

    bytes_per_second: int
    window: float


class _Source(io.RawIOBase):
    def __init__(self, source: io.RawIOBase, rate: LeastRate) -> None:
        self.failure: OSError | None = None
        self._source = source
        self._rate = rate
        self._is_body = False
        self._until = 0.0
        self._first = True
        self._seconds = 0.0
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def begin_read(self) -> None:
        self._is_body = self._first = True
        self._until = time.monotonic() + _MOMENT

    def readinto(self, target: WriteableBuffer) -> int:
        if not self._is_body:
            return cast("int", self._source.readinto(target))
        begun = time.monotonic()
        if self.failure is not None or (begun > self._until and not self._first):
            return 0
        self._first = False
        try:
            count = cast("int", self._source.readinto(target))
        except OSError as error:
            self.failure = error
            return 0
        self._measure(count, time.monotonic() - begun)
        return count

    def close(self) -> None:
        self._source.close()
        super().close()

    def _measure(self, count: int, seconds: float) -> None:
        self._bytes += count
        self._seconds += seconds
        if self._seconds < self._rate.window:
            return
        if self._bytes < self._rate.bytes_per_second * self._seconds:
            sent = f"it sent {self._bytes} bytes in {self._seconds:.0f} s"
            self.failure = TimeoutError(errno.ETIMEDOUT, f"{sent}, less than {self._rate.bytes_per_second} a second")
        self._bytes, self._seconds = 0, 0.0


class _Body(io.BufferedReader):
    def __init__(self, source: _Source) -> None:
        super().__init__(source)
        self._source = source

    def read1(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes: what arrives within a moment, or before a failure, which the next call raises."""
        self._source.begin_read()
        data = self.read(size)
        if not data and self._source.failure is not None:
            raise self._source.failure
        return data


def connection_pools(sockets: OpenSockets, rate: LeastRate) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """Return urllib3's pools by scheme, for connections that `sockets` knows and whose `read1` reads as told above."""

    class Response(HTTPResponse):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.fp = _Body(_Source(self.fp.detach(), rate))

    def pool_of(pool: type[urllib3.HTTPConnectionPool], connection: Any) -> type[urllib3.HTTPConnectionPool]:
        class Connection(connection):  # type: ignore[misc]  # one of urllib3's two
            response_class = Response

            def connect(self) -> None:
                super().connect()
                sockets.add(self.sock)

        return type(pool.__name__, (pool,), {"ConnectionCls": Connection})

    return {
        "http": pool_of(urllib3.HTTPConnectionPool, HTTPConnection),
        "https": pool_of(urllib3.HTTPSConnectionPool, HTTPSConnection),
    }
