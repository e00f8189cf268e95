"""Where workers leave what they made and the pipeline takes it, in order, within one bound in bytes.

Workers make members in any order, the object needs them in theirs. The member whose turn it is hands its bytes on as
they come; those ahead of it wait here. All bytes that were made and not yet stored count against `limit`; members ahead
may use it up but for `reserve`, so that the one whose turn it is always gets through: what it cannot place is either on
its way to the store, which ends, or less than one part.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from labelbox_export_provider.streaming.pipeline.blocks import Output


class StoppedError(Exception):
    """The pipeline ends early. Raised in workers only; the reason is raised by the pipeline itself."""


class OrderedBuffer:
    """Shared by the workers of one stream and the thread that joins their output."""

    def __init__(self, *, limit: int, reserve: int) -> None:
        self._limit = limit
        self._ahead_limit = max(0, limit - reserve)
        self._condition = threading.Condition()
        self._waiting: dict[int, deque[Output]] = {}
        self._finished: set[int] = set()
        self._turn = 0
        self._held = 0
        self._ahead = 0
        self._most_held = 0
        self._long_line_of: int | None = None
        self._stopped = False
        self._error: BaseException | None = None

    # --- workers

    def put(self, member: int, data: Output) -> None:
        """Leave bytes of a member; waits until there is room for them."""
        with self._condition:
            while not self._has_room(member, len(data)):
                self._condition.wait()
            self._check()
            self._held += len(data)
            self._most_held = max(self._most_held, self._held)
            if member != self._turn:
                self._ahead += len(data)
            self._waiting.setdefault(member, deque()).append(data)
            self._condition.notify_all()

    def finish(self, member: int) -> None:
        """Say that a member is complete."""
        with self._condition:
            self._finished.add(member)
            self._condition.notify_all()

    def take_long_line(self, member: int) -> None:
        """Wait until this member may hold a long row; the member whose turn it is never waits."""
        with self._condition:
            while not self._stopped and self._long_line_of not in {None, member} and member != self._turn:
                self._condition.wait()
            self._check()
            if self._long_line_of is None:
                self._long_line_of = member

    def give_back_long_line(self, member: int) -> None:
        """Let others hold a long row."""
        with self._condition:
            if self._long_line_of == member:
                self._long_line_of = None
                self._condition.notify_all()

    def check(self) -> None:
        """End a worker whose pipeline has stopped."""
        with self._condition:
            self._check()

    def wait(self, seconds: float) -> None:
        """Sleep, but wake up and end when the pipeline stops."""
        deadline = time.monotonic() + seconds
        with self._condition:
            while not self._stopped and (left := deadline - time.monotonic()) > 0:
                self._condition.wait(left)
            self._check()

    # --- the joining thread

    def take(self, member: int, *, every: float, tick: Callable[[], None]) -> Output | None:
        """Give the next bytes of a member whose turn it is now, or None when it is complete.

        Calls `tick` about `every` seconds while it waits. Raises the first error that stopped the pipeline.
        """
        while True:
            with self._condition:
                self._raise_error()
                if self._turn != member:
                    self._turn = member
                    self._ahead -= sum(map(len, self._waiting.get(member, ())))
                    self._condition.notify_all()
                if waiting := self._waiting.get(member):
                    return waiting.popleft()
                if member in self._finished:
                    self._waiting.pop(member, None)
                    self._finished.discard(member)
                    return None
                self._condition.wait(every)
            tick()

    def release(self, size: int) -> None:
        """Say that bytes are stored, and held no more."""
        with self._condition:
            self._held -= size
            self._condition.notify_all()

    def stop(self, error: BaseException | None = None) -> None:
        """End everything; the first error given is the one that counts."""
        with self._condition:
            if self._error is None and not isinstance(error, StoppedError):
                self._error = error
            self._stopped = True
            self._condition.notify_all()

    @property
    def error(self) -> BaseException | None:
        """The first error that stopped the pipeline."""
        with self._condition:
            return self._error

    def raise_error(self) -> None:
        """Raise the first error, if there was one."""
        with self._condition:
            self._raise_error()

    @property
    def most_held(self) -> int:
        """The most bytes that were ever held at once."""
        return self._most_held

    def _has_room(self, member: int, size: int) -> bool:
        if self._stopped:
            return True
        # Something that is larger than the bound has to pass when nothing else is there.
        if member == self._turn:
            return self._held + size <= self._limit or self._held == 0
        return self._ahead + size <= self._ahead_limit and self._held + size <= self._limit

    def _check(self) -> None:
        if self._stopped:
            raise StoppedError

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
