"""Ctrl-C and SIGTERM, noticed only where it is safe.

An exception out of a signal handler can be raised while a lock is being taken, after which cleaning up waits for that
lock for ever. So the handlers only set a flag, and every wait checks it: every wait here goes through `pause`.
"""

from __future__ import annotations

import signal
import time

_asked: list[int] = []


class Interrupted(BaseException):
    """Somebody asked for the end. No `Exception`, for the same reason as KeyboardInterrupt."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        """Return the signal's name."""
        return signal.Signals(self.number).name


def notice_signals() -> None:
    """Record Ctrl-C, SIGTERM and SIGHUP from now on; those that the parent process ignores stay ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: _asked.append(number))


def pause(seconds: float) -> None:
    """Sleep; raise `Interrupted` as soon as somebody has asked for the end."""
    deadline = time.monotonic() + seconds
    while True:
        if _asked:
            raise Interrupted(_asked[0])
        left = deadline - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.1))
