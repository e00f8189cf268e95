"""The clocks of the fake, and the two spellings of an instant that Labelbox uses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the wall clock in UTC: the default of the fake."""
    return datetime.now(timezone.utc)


class ManualClock:
    """A clock that changes only when it is moved, so that tests of waits and expiry need no sleep.

    Pass it as `FakeLabelbox(clock=...)`. Only exports, index lag and URL expiry read it; slow answers and slow files
    take real time, because the client's own time limits do.
    """

    def __init__(self, start: datetime = datetime(2024, 5, 13, tzinfo=timezone.utc)) -> None:
        self._now = start
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """Return the current instant of the clock."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        with self._lock:
            self._now += timedelta(seconds=seconds)


def row_text(moment: datetime) -> str:
    """Return an instant as rows spell it: `2024-04-08T16:21:26.000+00:00`. Microseconds are cut off."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")


def api_text(moment: datetime) -> str:
    """Return an instant as tasks spell it: `2024-04-08T16:21:26.000Z`. Microseconds are cut off."""
    return row_text(moment).removesuffix("+00:00") + "Z"
