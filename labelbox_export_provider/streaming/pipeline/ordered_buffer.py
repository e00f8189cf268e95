"""The buffer in which workers leave their output and from which the pipeline reads it, in order, within one bound.

Workers process members in any order; the objects need them in theirs. The member whose turn it is passes its bytes on
at once; members ahead of it wait here. All bytes that were made and are not yet stored count against `limit`. Members
ahead may use all of it except `reserve`, so that the member whose turn it is always makes progress: the bytes that keep
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
        """Bytes of long rows that members ahead hold, by member."""
        self.close = token.call_on_cancel(self._wake)

    # --- workers

    def append_output(self, member: int, data: Output) -> None:
        """Append bytes of a member; wait until there is room for them."""
        with self._condition:
            while not self._has_room(member, len(data)):
                self._condition.wait()
            self._token.check()
            self._held += len(data)
            self._max_held = max(self._max_held, self._held)
            if member != self._turn:
                self._ahead += len(data)
            self._waiting.setdefault(member, deque()).append(data)
            self._condition.notify_all()

    def hold_row(self, member: int, size: int) -> int:
        """Count the bytes that a long row takes in the memory of its member; wait until there is room for more of them.

        Return how many bytes are left for all output beside such rows. The member whose turn it is never waits, since
        nothing else could make room: one row is held besides the bound.
        """
        with self._condition:
            while size and member != self._turn and not self._has_room(member, size - self._rows_ahead.get(member, 0)):
                self._condition.wait()
            self._set_row(member, size if member != self._turn else 0)
            left = self._limit - sum(self._rows_ahead.values())
            self._condition.notify_all()
        if size:
            self._token.check()
        return left

    def close_member(self, member: int) -> None:
        """Mark a member as complete."""
        with self._condition:
            self._set_row(member, 0)
            self._finished.add(member)
            self._condition.notify_all()

    # --- the joining thread

    def next_output(self, member: int, *, every: float, tick: Callable[[], None]) -> Output | None:
        """Return the next bytes of the member whose turn it is now, or None when it is complete.

        Calls `tick` about every `every` seconds while it waits. Raises the error that cancelled the work.
        """
        while True:
            with self._condition:
                self._token.raise_error()
                if self._turn != member:
                    self._turn = member
                    self._ahead -= sum(map(len, self._waiting.get(member, ())))
                    self._set_row(member, 0)
                    self._condition.notify_all()
                if waiting := self._waiting.get(member):
                    return waiting.popleft()
                if member in self._finished:
                    self._waiting.pop(member, None)
                    self._finished.discard(member)
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

    def _has_room(self, member: int, size: int) -> bool:
        if self._token.cancelled:
            return True
        # Output that is larger than the bound must pass when nothing else is held.
        if member == self._turn:
            return self._held + size <= self._limit or self._held == 0
        return self._ahead + size <= self._ahead_limit and self._held + size <= self._limit

    def _set_row(self, member: int, size: int) -> None:
        more = size - self._rows_ahead.pop(member, 0)
        if size:
            self._rows_ahead[member] = size
        self._held += more
        self._ahead += more

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify_all()
