"""An hour or a night of starts before a StartQueue, second by second: Labelbox, Airflow and the queue, without I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from labelbox_export_provider.client.types import ExportTaskState
from labelbox_export_provider.domain.records.start_record import marked_name
from labelbox_export_provider.triggers.start_queue import Refusal, RestingStart, StartQueue

EPOCH = datetime(2026, 11, 23, tzinfo=timezone.utc)


@dataclass
class Source:
    """A task that starts one export, for the first time at `arrives`."""

    number: int
    arrives: float = 0.0
    project: str = ""
    priority: int = 1
    window: float = 0.0
    seconds: float = 90.0
    attempts: list[float] = field(default_factory=list)
    refusals: int = 0
    started: float | None = None
    arrived: float | None = None

    def __post_init__(self) -> None:
        self.project = self.project or f"project {self.number}"

    @property
    def name(self) -> str:
        """The name of its export."""
        return marked_name(f"{self.number:014x}", "dag land")

    @property
    def ended(self) -> float:
        """When its export is over."""
        return float("inf") if self.started is None else self.started + self.seconds


@dataclass
class SimulatedGate:
    """Sources that all try once, and then rest until the queue releases them.

    Labelbox lists an export `lag` seconds after its start; Airflow takes `delay` seconds from a release to the start,
    and from a refusal until the start rests. `others` is how many exports of other users run at a moment.
    """

    sources: Sequence[Source]
    limit: int = 6
    per_project: int = 10
    max_running: int = 18
    lag: float = 5.0
    delay: float = 6.0
    tick: int = 5
    seconds: int = 7200
    others: Callable[[float], int] = lambda _: 0
    queue: StartQueue[Source] = field(init=False)
    order: list[Source] = field(default_factory=list)
    """As they were released."""
    numbers: dict[int, int] = field(default_factory=dict)
    """How many exports the queue expected to be allowed, by moment."""
    loads: list[tuple[int, int]] = field(default_factory=list)
    """After each release: exports that run or were released, and the number."""

    def __post_init__(self) -> None:
        self.queue = StartQueue(self.max_running)
        tries = {each.number: each.arrives for each in self.sources}
        reports: dict[int, float] = {}
        by_number = {each.number: each for each in self.sources}
        for now in range(self.seconds):
            for number in [each for each, moment in tries.items() if moment <= now]:
                del tries[number]
                if not self._start(by_number[number], now):
                    reports[number] = now
            for number in [each for each, moment in reports.items() if moment + 3 <= now]:
                self._rest(by_number[number], reports.pop(number), now)
            if now % self.tick == 0 and len(self.queue):
                self.queue.looked(self._listed(now), now)
                self.numbers[now] = self.queue.number(now)
                released = [start.answer for start in self.queue.release(now)]
                if released:
                    self.loads.append((self.queue._load, self.queue.number(now)))
                self.order += released
                tries |= {each.number: now + self.delay for each in released}
            if not tries and not reports and not len(self.queue):
                break
        self.over = max(now, *(each.ended for each in self.sources if each.started is not None), 0)

    def _start(self, source: Source, now: float) -> bool:
        running = [each for each in self.sources if each.started is not None and each.ended > now]
        source.attempts.append(now)
        in_project = sum(each.project == source.project for each in running)
        if in_project >= self.per_project or len(running) + self.others(now) >= self.limit:
            source.refusals += 1
            return False
        source.started = now
        return True

    def _rest(self, source: Source, refused_at: float, now: float) -> None:
        source.arrived = refused_at if source.arrived is None else source.arrived
        start = RestingStart(
            source=source.project,
            priority_weight=source.priority,
            window_start=source.window,
            arrived=source.arrived,
            earliest=refused_at + 30,
            answer=source,
            name=source.name,
        )
        running = [
            each for each in self.sources if each.started is not None and each.started <= refused_at < each.ended
        ]
        in_project = sum(each.project == source.project for each in running) >= self.per_project
        self.queue.refused(start, Refusal(_moment(refused_at), in_project), now)
        self.queue.add(start)

    def _listed(self, now: float) -> list[ExportTaskState]:
        started = [each for each in self.sources if each.started is not None and each.started + self.lag <= now]
        newest = sorted(started, key=lambda each: -(each.started or 0))
        newest = newest[:100] + [each for each in newest[100:] if f"e{each.number}" in self.queue.running]
        return [
            ExportTaskState(
                export_id=f"e{each.number}",
                name=each.name,
                status="COMPLETE" if each.ended <= now else "IN_PROGRESS",
                type="export-data-rows",
                completion_percentage=None,
                created_at=_moment(each.started or 0),
                updated_at=_moment(min(now, each.ended)),
            )
            for each in newest
        ]

    @property
    def attempts(self) -> Counter[int]:
        """How many sources tried how often."""
        return Counter(len(each.attempts) for each in self.sources)

    @property
    def least(self) -> float:
        """The least time that any order could take, with exports of equal length and the limit of all of them."""
        return -(-len(self.sources) // self.limit) * self.sources[0].seconds


def _moment(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
