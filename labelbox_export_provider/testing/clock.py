"""Time as the fake sees it, and the two spellings of an instant that Labelbox uses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock in UTC: what the fake uses unless told otherwise."""
    return datetime.now(timezone.utc)


class ManualClock:
    """A clock that stands still until it is moved, so that tests of waits and expiry need no sleep.

    Pass it as `FakeLabelbox(clock=...)`. Only exports, index lag and URL expiry read it; slow answers and slow files
    take real time, because the client's own time limits do.
    """

    def __init__(self, start: datetime = datetime(2024, 5, 13, tzinfo=timezone.utc)) -> None:
        self._now = start
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """The instant at which the clock stands."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        with self._lock:
            self._now += timedelta(seconds=seconds)


def row_text(moment: datetime) -> str:
    """An instant as rows spell it: `2024-04-08T16:21:26.000+00:00`. Microseconds are cut off."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")


def api_text(moment: datetime) -> str:
    """An instant as tasks spell it: `2024-04-08T16:21:26.000Z`. Microseconds are cut off."""
    return row_text(moment).removesuffix("+00:00") + "Z"
