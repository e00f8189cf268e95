"""The buffer in which workers leave their output and from which the pipeline reads it, in order, within one bound.

Workers process units of work in any order; the objects need them in theirs. The unit whose turn it is passes its bytes
on at once; units ahead of it wait here. All bytes that were made and are not yet stored count against `limit`. Units
ahead may use all of it except `reserve`, so that the unit whose turn it is always makes progress: the bytes that keep
it waiting are being uploaded, which ends, or are less than one part.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.streaming.pipeline.blocks import Output


class OrderedBuffer:
    """Shared by the workers of one stream and the thread that joins their output.

    When `token` is cancelled, workers get `StoppedError` and the joining thread gets the reason.
    """

    def __init__(self, token: CancelToken, *, limit: int, reserve: int) -> None:
        self._token = token
        self._limit = limit
        self._ahead_limit = max(0, limit - reserve)
        self._condition = threading.Condition()
        self._waiting: dict[int, deque[Output]] = {}
        self._finished: set[int] = set()
        self._turn = 0
        self._held = 0
        self._ahead = 0
        self._max_held = 0
        self._rows_ahead: dict[int, int] = {}
        """Bytes of long rows that units ahead hold, by unit."""
        self.close = token.call_on_cancel(self._wake)

    # --- workers

    def append_output(self, unit: int, data: Output) -> None:
        """Append bytes of a unit; wait until there is room for them."""
        with self._condition:
            while not self._has_room(unit, len(data)):
                self._condition.wait()
            self._token.check()
            self._held += len(data)
            self._max_held = max(self._max_held, self._held)
            if unit != self._turn:
                self._ahead += len(data)
            self._waiting.setdefault(unit, deque()).append(data)
            self._condition.notify_all()

    def close_unit(self, unit: int) -> None:
        """Mark a unit as complete."""
        with self._condition:
            self._finished.add(unit)
            self._condition.notify_all()

    def reserve_row(self, unit: int, size: int) -> None:
        """Count `size` more bytes of a row that a unit holds; wait until there is room for them.

        The unit whose turn it is never waits, since nothing else could make room: one row is held besides the bound.
        """
        with self._condition:
            while unit != self._turn and not self._has_room(unit, size):
                self._condition.wait()
            self._token.check()
            if unit != self._turn:
                self._rows_ahead[unit] = self._rows_ahead.get(unit, 0) + size
                self._count_ahead(size)

    def release_row(self, unit: int) -> None:
        """Count the row of a unit as gone."""
        with self._condition:
            self._count_ahead(-self._rows_ahead.pop(unit, 0))
            self._condition.notify_all()

    # --- the joining thread

    def next_output(self, unit: int, *, every: float, tick: Callable[[], None]) -> Output | None:
        """Return the next bytes of the unit whose turn it is now, or None when it is complete.

        Calls `tick` about every `every` seconds while it waits. Raises the error that cancelled the work.
        """
        while True:
            with self._condition:
                self._token.raise_error()
                if self._turn != unit:
                    self._turn = unit
                    self._ahead -= sum(map(len, self._waiting.get(unit, ())))
                    self._count_ahead(-self._rows_ahead.pop(unit, 0))
                    self._condition.notify_all()
                if waiting := self._waiting.get(unit):
                    return waiting.popleft()
                if unit in self._finished:
                    self._waiting.pop(unit, None)
                    self._finished.discard(unit)
                    return None
                self._condition.wait(every)
            tick()

    def release_bytes(self, size: int) -> None:
        """Count bytes as stored, so that they are not held any more."""
        with self._condition:
            self._held -= size
            self._condition.notify_all()

    @property
    def max_held(self) -> int:
        """The most bytes that were ever held at once."""
        return self._max_held

    def _has_room(self, unit: int, size: int) -> bool:
        if self._token.cancelled:
            return True
        # Output that is larger than the bound must pass when nothing else is held.
        if unit == self._turn:
            return self._held + size <= self._limit or self._held == 0
        return self._ahead + size <= self._ahead_limit and self._held + size <= self._limit

    def _count_ahead(self, size: int) -> None:
        self._held += size
        self._ahead += size

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify_all()
