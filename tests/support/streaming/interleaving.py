"""Calls to a store in a fixed order: the tasks of landings take turns, one call at a time, and end where told."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from support.stores.faulty_sink import KilledError, area_of
from support.streaming.histories import End, Turn

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.errors import StorageDeniedError
from labelbox_export_provider.sinks.base import (
    ExpectedObject,
    ListedObject,
    NewObject,
    ObjectWriter,
    Part,
    Sink,
    StoredObject,
    WrittenObject,
)
from labelbox_export_provider.sinks.stored_upload import StoredUpload

Answer = TypeVar("Answer")


class Schedule:
    """Lets one task at a time call the store, one call at a time, as the turns say.

    A landing has tasks from `start` on, one or several, and is over with `end`. Where it has none at the moment its
    turn waits for the next ones, so that the order of calls hangs on nothing else.
    """

    def __init__(self, turns: Sequence[Turn], landings: Iterable[int]) -> None:
        self._changed = threading.Condition()
        self._turns = deque(turns)
        self._tasks: dict[int, list[int]] = {landing: [] for landing in landings}
        self._numbers = itertools.count()
        self._dead: set[int] = set()
        self._turn = Turn(-1, 0)
        self._task: int | None = None
        self._left = 0
        self._busy = False
        self._stopping = False

    def start(self, landing: int, count: int) -> list[int]:
        """Add so many tasks to a landing, and return their numbers."""
        with self._changed:
            numbers = [next(self._numbers) for _ in range(count)]
            self._tasks[landing] += numbers
            self._pass_on()
            return numbers

    def enter(self, task: int) -> End | None:
        """Wait for the task's turn; return how it has to end with this call, if it has to."""
        with self._changed:
            while task not in self._dead and (self._busy or self._task != task):
                assert self._changed.wait(20), f"task {task} never got its turn"
            if task in self._dead:
                raise KilledError
            self._busy = True
            self._left -= 1
            return self._turn.end if self._left == 0 else None

    def leave(self, task: int, end: End | None) -> None:
        """End a call. A task that was stopped keeps its turn until it is over."""
        with self._changed:
            self._busy = False
            self._stopping = self._stopping or end == "stopped"
            if end is not None and end != "stopped":
                self._dead.add(task)
            self._pass_on()

    def finish(self, task: int) -> None:
        """Note that a task is over; what its threads still ask for never reaches the store."""
        with self._changed:
            self._dead.add(task)
            self._pass_on()

    def end(self, landing: int) -> None:
        """Note that a landing has no more tasks."""
        with self._changed:
            del self._tasks[landing]
            self._pass_on()

    def is_dead(self, task: int) -> bool:
        """Return whether the task is killed or over."""
        return task in self._dead

    def _pass_on(self) -> None:
        """Choose whose call is the next, unless one is being made."""
        if not self._busy:
            if self._task in self._dead:
                self._task = None
                self._left = 0 if self._stopping else self._left
                self._stopping = False
            if (self._left == 0 and not self._stopping) or self._turn.landing not in self._tasks:
                self._task, self._stopping = None, False
                self._take_turn()
            alive = [each for each in self._tasks.get(self._turn.landing, ()) if each not in self._dead]
            if self._task is None and alive:
                self._task = alive[self._turn.pick % len(alive)]
        self._changed.notify_all()

    def _take_turn(self) -> None:
        while self._turns:
            self._turn = self._turns.popleft()
            self._left = self._turn.calls
            if self._turn.landing in self._tasks:
                return
        self._turn, self._left = Turn(min(self._tasks, default=-1), 0), -1


@dataclass
class Seen:
    """What a history did: keys of manifests that were ever written, and what each landing removed."""

    manifests: set[str] = field(default_factory=set)
    removed: set[tuple[int, str]] = field(default_factory=set)


class GatedSink(Sink):
    """Passes calls on to a store when it is its task's turn, until the task is killed."""

    def __init__(  # noqa: PLR0917  all of them differ from task to task, or from history to history
        self, sink: Sink, landing: int, task: int, schedule: Schedule, token: CancelToken, seen: Seen, *, listed: bool
    ) -> None:
        self._sink = sink
        self._landing = landing
        self._task = task
        self._schedule = schedule
        self._token = token
        self._seen = seen
        self._listed = listed
        for name in Sink.__annotations__:
            setattr(self, name, getattr(sink, name))

    def uri(self, key: str) -> str:
        return self._sink.uri(key)

    def begin(self, new: NewObject) -> ObjectWriter:
        return _GatedWriter(self, self.make(lambda: self._sink.begin(new)))

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        def put() -> WrittenObject:
            if area_of(new.key) == "manifests":
                self._seen.manifests.add(new.key)
            return self._sink.put(new, content)

        return self.make(put)

    def read(self, key: str, *, limit: int) -> bytes | None:
        return self.make(lambda: self._sink.read(key, limit=limit))

    def head(self, key: str) -> StoredObject | None:
        return self.make(lambda: self._sink.head(key))

    def list(self, prefix: str) -> Iterator[ListedObject]:
        def listing() -> list[ListedObject]:
            if not self._listed:
                raise StorageDeniedError(f"listing below {prefix} is not permitted")
            return list(self._sink.list(prefix))

        return iter(self.make(listing))

    def delete(self, key: str) -> None:
        def delete() -> None:
            self._seen.removed.add((self._landing, key))
            self._sink.delete(key)

        self.make(delete)

    def resume(self, new: NewObject, stored: StoredUpload, expected: ExpectedObject) -> ObjectWriter | None:
        writer = self.make(lambda: self._sink.resume(new, stored, expected))
        return None if writer is None else _GatedWriter(self, writer)

    def abort_open_uploads(self, prefix: str, *, exact: bool = False, keep: Callable[[str], bool] | None = None) -> int:
        if not self._listed:
            return 0
        if keep is None:
            return self.make(lambda: self._sink.abort_open_uploads(prefix, exact=exact))
        # What it asks makes calls in their own turns, so it is known before.
        keep("")
        return self.make(lambda: self._sink.abort_open_uploads(prefix, exact=exact, keep=keep))

    def remove_wrong(self, key: str, *, found: int, sent: int) -> Any:
        return self.make(lambda: self._sink.remove_wrong(key, found=found, sent=sent))

    def make(self, carry_out: Callable[[], Answer]) -> Answer:
        """Make a call in its turn, unless the task is killed with it."""
        end = self._schedule.enter(self._task)
        try:
            if end == "stopped":
                self._token.cancel(StoppedByHandError())
            if end == "killed before":
                raise KilledError
            answer = carry_out()
            if end == "killed after":
                raise KilledError
            return answer
        finally:
            self._schedule.leave(self._task, end)

    @property
    def dead(self) -> bool:
        return self._schedule.is_dead(self._task)


class _GatedWriter(ObjectWriter):
    def __init__(self, sink: GatedSink, writer: ObjectWriter) -> None:
        self._sink = sink
        self._writer = writer

    def put_part(self, part: Part) -> None:
        self._sink.make(lambda: self._writer.put_part(part))

    def complete(self, expected: ExpectedObject) -> WrittenObject:
        return self._sink.make(lambda: self._writer.complete(expected))

    def stored(self) -> StoredUpload | None:
        return self._writer.stored()

    def abort(self) -> None:
        if not self._sink.dead:
            self._sink.make(self._writer.abort)


class StoppedByHandError(Exception):
    """Somebody stopped the task."""
