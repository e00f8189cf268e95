"""The open sockets of a client, which another thread can shut down: closing a socket does not wake its reader."""

from __future__ import annotations

import contextlib
import socket
import threading
from weakref import WeakSet


class OpenSockets:
    """Knows sockets as long as somebody uses them. Threads may share it."""

    def __init__(self) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.RLock()
        self._is_shut = False

    def add(self, opened: object) -> None:
        """Remember a socket that was connected; shut it down at once after `shut_down`."""
        if not isinstance(opened, socket.socket):
            opened = getattr(opened, "socket", None)  # TLS inside of TLS, through a proxy
        if isinstance(opened, socket.socket):
            with self._lock:
                self._sockets.add(opened)
            if self._is_shut:
                _shut_down(opened)

    def shut_down(self) -> None:
        """End all reads and writes, also those that other threads wait for, and those of sockets opened later."""
        self._is_shut = True
        with self._lock:
            opened = list(self._sockets)
        for each in opened:
            _shut_down(each)


def _shut_down(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is closed
        # Not SSLSocket's own method: it would have the reader take the bytes that are left for decrypted ones.
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
