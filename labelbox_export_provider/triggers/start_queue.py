"""Which resting starts are released, and when: pure, so that tests need no clock and no server."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from labelbox_export_provider.client.types import ExportTaskState, TaskStatus
from labelbox_export_provider.domain.records.start_record import is_name

UNSEEN = 60.0
"""Seconds for which a released start counts as a running export, unless its export is seen before."""
RECENT = 30.0
"""Seconds that Labelbox may take to list what was started, and that a refusal may take to be reported."""
LEARNED = 3600.0
"""Seconds after a refusal for which no more exports than ran then are expected to be allowed."""
STEP = 60.0
"""Seconds after which one more is expected to be allowed, once that hour is over."""
FIRST_PAUSE, MAX_PAUSE = 30.0, 300.0
"""Seconds between two attempts, doubled after each, where none of the exports that run is known to be in the way."""
MAX_IDLE = 900.0
"""Seconds after which one start is released, whatever seems to run."""
LONG_REST = 3600.0
"""Seconds after which a start gets every `FOURTH` place of its priority, however many newer windows arrive."""
FOURTH = 4
SKEW = timedelta(seconds=2)
"""By how much the clock of a worker may differ from Labelbox's."""

_ENDED = {TaskStatus.COMPLETE.value, TaskStatus.FAILED.value, TaskStatus.CANCELED.value}

AnswerT = TypeVar("AnswerT")


@dataclass(eq=False)
class RestingStart(Generic[AnswerT]):
    """One start that was refused at the running-export limit and rests since `arrived`; `answer` releases it.

    `window_start` is in seconds since 1970; all other times are seconds of one monotonic clock. `name` is the name that
    its export will have, where it is known.
    """

    source: str
    priority_weight: int
    window_start: float
    arrived: float
    earliest: float
    answer: AnswerT
    name: str | None = None

    @property
    def rank(self) -> tuple[float, float, float]:
        """The place in the queue: priority, then the newest window, then arrival."""
        return (-self.priority_weight, -self.window_start, self.arrived)


@dataclass(frozen=True)
class _Release:
    """A start that was released and whose export was not seen yet; `known` are older exports of the same name."""

    source: str
    name: str | None
    moment: float
    known: frozenset[str]


@dataclass
class _Attempts:
    """How often, and when last, a start was tried against a limit that was met."""

    times: int = 1
    last: float = -math.inf

    def refused(self, now: float, *, released: bool) -> None:
        """Note a refusal; those of starts that were tried for the first time come in crowds, and count as one."""
        self.times += 1 if released else 0
        self.last = now

    def is_due(self, now: float, *, own_exports_run: bool) -> bool:
        """Return whether to try once more. Where exports of this user run, their ends give places sooner."""
        pause = min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(self.times - 1, 10))
        return now - self.last >= (MAX_IDLE if own_exports_run else pause)


@dataclass(frozen=True)
class Refusal:
    """The moment at which Labelbox refused a start, by the worker's clock, and whether it named the project."""

    moment: datetime
    in_project: bool


@dataclass
class _Noted:
    """A refusal that was reported at `now`."""

    refusal: Refusal
    now: float


@dataclass
class _FullProject:
    """A source whose project has met its own limit: one start is released for each export of it that ends.

    `running` are the exports that may be of this source; Labelbox's list of tasks does not show their project.
    """

    noted: _Noted
    running: set[str] = field(default_factory=set)
    ended: dict[str, datetime | None] = field(default_factory=dict)
    attempts: _Attempts = field(default_factory=_Attempts)
    places: int = 0


class StartQueue(Generic[AnswerT]):
    """The starts that rest, and how many exports are expected to be allowed at once.

    That number is `max_running`, or less for an hour after a refusal: as many exports as this user had running then. A
    start that was released and refused lowers it by one more; exports that run beyond it raise it. The limits hold for
    a whole organization and Labelbox shows a user only tasks of its own, so the number changes with what others run.
    """

    def __init__(self, max_running: int) -> None:
        self._max_running = max_running
        self._learned = max_running
        self._noted: _Noted | None = None
        self._attempts = _Attempts()
        self._resting: dict[RestingStart[AnswerT], None] = {}
        self._released: list[_Release] = []
        self._tasks: tuple[ExportTaskState, ...] = ()
        self._running: frozenset[str] = frozenset()
        self._sources: dict[str, str] = {}
        self._loads: deque[tuple[float, int]] = deque()
        self._full: dict[str, _FullProject] = {}
        self._newest_in_a_row = 0

    def __iter__(self) -> Iterator[RestingStart[AnswerT]]:
        return iter(self._resting)

    def __len__(self) -> int:
        return len(self._resting)

    @property
    def running(self) -> frozenset[str]:
        """Exports of this user that ran when Labelbox was asked last."""
        return self._running

    def number(self, now: float) -> int:
        """Return how many exports are expected to be allowed at once."""
        if self._noted is None or now - self._noted.now < LEARNED:
            return self._learned
        return min(self._max_running, self._learned + 1 + int((now - self._noted.now - LEARNED) // STEP))

    def add(self, start: RestingStart[AnswerT]) -> None:
        """Take a start in; it stays until it is released or removed."""
        self._resting[start] = None

    def remove(self, start: RestingStart[AnswerT]) -> None:
        """Forget a start that does not rest any more; one that is not there is no error."""
        self._resting.pop(start, None)

    def place_of(self, start: RestingStart[AnswerT]) -> int:
        """Return how many starts are released before this one, and itself."""
        return 1 + sum(each.rank < start.rank for each in self._resting)

    def refused(self, start: RestingStart[AnswerT], refusal: Refusal, now: float) -> None:
        """Note that Labelbox refused this start within the last minute."""
        own = [each for each in self._released if each.name is not None and each.name == start.name]
        self._released = [each for each in self._released if each not in own]
        noted = _Noted(refusal, now)
        if refusal.in_project:
            full = self._full.setdefault(start.source, _FullProject(noted))
            full.noted, full.running = noted, self._may_be_of(start.source, self._running)
            since = refusal.moment - SKEW
            full.places = min(full.places, sum(end is None or end >= since for end in full.ended.values()))
            full.attempts.refused(now, released=bool(own))
            return
        recent = max((load for moment, load in self._loads if now - moment <= RECENT), default=0)
        self._learned = max(0, min(recent, self.number(now) - (1 if own else 0)))
        self._noted = noted
        self._attempts.refused(now, released=bool(own))

    def looked(self, tasks: Iterable[ExportTaskState], now: float) -> None:
        """Note which tasks this user has started last, and how they are; those that ran before have to be there."""
        self._tasks = tuple(each for each in tasks if each.type is None or "export" in each.type)
        self._running = frozenset(each.export_id for each in self._tasks if each.status not in _ENDED)
        self._released = [each for each in self._released if not self._is_seen(each) and now - each.moment < UNSEEN]
        listed = {each.export_id: each.updated_at for each in self._tasks}
        self._sources = {each: source for each, source in self._sources.items() if each in listed}
        self._learn(now)
        self._full = {each: full for each, full in self._full.items() if now - full.noted.now < LEARNED}
        for source, full in self._full.items():
            then = self._ran_at(full.noted, now) | {each for each in self._running if each in self._sources}
            running = full.running | (self._may_be_of(source, then) - full.ended.keys())
            ended = dict.fromkeys(running - self._running)
            full.running = running & self._running
            full.places += len(ended)
            full.ended = {each: listed[each] for each in (*full.ended, *ended) if each in listed}

    def release(self, now: float) -> list[RestingStart[AnswerT]]:
        """Return the starts for which there are places, first come the first; they rest no longer."""
        released: list[RestingStart[AnswerT]] = []
        places = self.number(now) - self._load
        if places <= 0 and self._attempts.is_due(now, own_exports_run=self._load > 0):
            places = 1
        while len(released) < places and (start := self._next(now)) is not None:
            self.remove(start)
            known = (each.export_id for each in self._tasks if start.name and is_name(each.name, start.name))
            self._released.append(_Release(start.source, start.name, now, frozenset(known)))
            self._attempts.last = now
            if (full := self._full.get(start.source)) is not None:
                full.places = max(0, full.places - 1)
                full.attempts.last = now
            released.append(start)
        return released

    def _learn(self, now: float) -> None:
        seen = len(self._running)
        if self._noted is not None:
            seen = max(seen, len(self._ran_at(self._noted, now)))
        if seen > self.number(now):
            self._learned = min(self._max_running, seen)
        if self._running:
            self._attempts.times = 1
        if math.isinf(self._attempts.last):
            self._attempts.last = now
        self._loads.append((now, max(seen, self._load)))
        while now - self._loads[0][0] > RECENT:
            self._loads.popleft()

    def _ran_at(self, noted: _Noted, now: float) -> set[str]:
        """Return the exports that ran when a start was refused, while it may take time until all of them are listed."""
        if now - noted.now > RECENT:
            return set()
        earliest, latest = noted.refusal.moment - SKEW, noted.refusal.moment + SKEW
        return {
            each.export_id
            for each in self._tasks
            if (each.export_id in self._running or (each.updated_at is not None and each.updated_at >= earliest))
            and (each.created_at is None or each.created_at <= latest)
        }

    @property
    def _load(self) -> int:
        return len(self._running) + len(self._released)

    def _next(self, now: float) -> RestingStart[AnswerT] | None:
        may = [each for each in self._resting if each.earliest <= now and self._admits(each.source, now)]
        if not may:
            return None
        first = min(may, key=lambda start: start.rank)
        same: Collection[RestingStart[AnswerT]] = [
            each for each in may if each.priority_weight == first.priority_weight
        ]
        oldest = min(same, key=lambda start: start.arrived)
        if self._newest_in_a_row >= FOURTH - 1 and now - oldest.arrived >= LONG_REST:
            first = oldest
        self._newest_in_a_row = 0 if first is oldest else self._newest_in_a_row + 1
        return first

    def _admits(self, source: str, now: float) -> bool:
        full = self._full.get(source)
        return full is None or full.places > 0 or full.attempts.is_due(now, own_exports_run=bool(full.running))

    def _is_seen(self, release: _Release) -> bool:
        if release.name is None:
            return False
        found = {each.export_id for each in self._tasks if is_name(each.name, release.name)} - release.known
        self._sources.update(dict.fromkeys(found, release.source))
        return bool(found)

    def _may_be_of(self, source: str, exports: Collection[str]) -> set[str]:
        return {each for each in exports if self._sources.get(each, source) == source}
