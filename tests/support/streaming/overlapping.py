"""Running a history of overlapping landings in a real store."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from support.stores.faulty_sink import KilledError
from support.streaming.exports import LandingClient
from support.streaming.histories import Group, History, Shards
from support.streaming.interleaving import GatedSink, Schedule, Seen, StoppedByHandError

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.landing_plan import LandingPlan
from labelbox_export_provider.errors import LabelboxExportError, StorageError
from labelbox_export_provider.testing.sink_conformance import Store

Outcome = BaseException | None
Step = Callable[..., Any]


@dataclass
class Exports:
    """The exports of all histories: by question and age, with their rows in order."""

    client: LandingClient
    handles: list[list[ExportHandle]]
    rows: list[bytes]


@dataclass
class Aftermath:
    """What a history left, and how each landing ended: the last of its tries, and all failures of its tasks."""

    history: History
    exports: Exports
    store: Store
    seen: Seen
    outcomes: list[Outcome]
    failures: list[list[BaseException]]
    doubled: set[int] = field(default_factory=set)
    """Landings of which a task ran twice at the same moment."""

    def handle(self, landing: int) -> ExportHandle:
        case = self.history.landings[landing]
        return self.exports.handles[case.question][case.export]


def run_history(history: History, exports: Exports, store: Store) -> Aftermath:
    """Run all landings as the history says, then each that was killed, stopped or may be retried once more."""
    count = len(history.landings)
    after = Aftermath(history, exports, store, Seen(), [None] * count, [[] for _ in range(count)])
    schedule = Schedule(history.turns, range(count))
    runs = [LandingRun(after, landing) for landing in range(count)]
    with attributes(kept=history.attributes):
        _run_at_once([partial(each.run, schedule) for each in runs])
        for each in runs:
            # What a shard needs is only known from the error of `publish`, so that a second clearing can be needed.
            for _ in range(2):
                if each.needs_another_try:
                    each.run(Schedule((), [each.landing]), again=True)
    return after


def _run_at_once(steps: Iterable[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=each) for each in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


class LandingRun:
    """One landing over all of its tries: a transfer, or the tasks of `parallel_landing` as a scheduler runs them."""

    def __init__(self, after: Aftermath, landing: int) -> None:
        self.landing = landing
        self._after = after
        self._case = after.history.landings[landing]
        self._options = self._options_of(again=False)
        self._plan: LandingPlan | None = None
        self._staged: set[int] = set()
        self._given_up_and_killed = False

    @property
    def needs_another_try(self) -> bool:
        """Whether Airflow would try a task again, or somebody would clear what an error names."""
        outcome = self._after.outcomes[self.landing]
        return may_be_retried(outcome) or self._given_up_and_killed or self._is_to_be_cleared(outcome)

    def run(self, schedule: Schedule, *, again: bool = False) -> None:
        """Run its tasks in their turns; `again`, only those that have to be repeated."""
        self._given_up_and_killed = False
        try:
            if self._case.shards is None:
                self._options = self._options_of(again=again)
                step = partial(self._client.land, self._handle, now=self._now, **self._options)
                (outcome,) = self._run_tasks(schedule, [step])
            else:
                outcome = self._run_shards(schedule, self._case.shards, again=again)
            self._after.outcomes[self.landing] = outcome if isinstance(outcome, BaseException) else None
        finally:
            schedule.end(self.landing)

    @property
    def _client(self) -> LandingClient:
        return self._after.exports.client

    @property
    def _handle(self) -> ExportHandle:
        return self._after.handle(self.landing)

    @property
    def _now(self) -> datetime:
        return datetime.now(timezone.utc) + timedelta(hours=self._case.hours_later)

    def _options_of(self, *, again: bool) -> dict[str, Any]:
        return self._case.options(explicit=self._after.history.explicit, again=again)

    def _is_to_be_cleared(self, outcome: Outcome) -> bool:
        return self._case.shards is not None and type(outcome) is StorageError

    # --- tasks of one landing in shards

    def _run_shards(self, schedule: Schedule, shards: Shards, *, again: bool) -> Outcome:
        if self._plan is None or (again and shards.plans_again):
            self._options = self._options_of(again=again)
            step = partial(self._client.plan, self._handle, max_shards=shards.max_shards, **self._options)
            planned = self._try_group(schedule, {None: [step]}, retries=shards.retries)[None]
            if isinstance(planned, BaseException):
                return planned
            self._plan, self._staged = planned, set()
        elif again and self._is_to_be_cleared(self._after.outcomes[self.landing]):
            self._staged = set()
        every = set(range(len(self._plan.shards)))
        groups = [tuple(every - self._staged)] if again else shards.stages
        for group in groups:
            if (failed := self._run_group(schedule, group, retries=shards.retries)) is not None:
                return failed
        for group in [(None,)] if again else shards.publishes:
            if (failed := self._run_group(schedule, group, retries=shards.retries)) is not None:
                return failed
        return None

    def _run_group(self, schedule: Schedule, group: Group, *, retries: bool) -> Outcome:
        """Run shards and publishes at the same time; of those that Airflow knows, return how the first failed."""
        plan = self._plan
        assert plan is not None
        given = {"handle": self._handle, **self._options}
        steps: dict[int | None, list[Step]] = {}
        for number in group:
            if number is None:
                steps.setdefault(None, []).append(partial(self._client.publish, plan, now=self._now, **given))
            elif number < len(plan.shards):
                steps.setdefault(number, []).append(partial(self._client.stage, plan, number, **given))
        results = self._try_group(schedule, steps, retries=retries)
        if None in results:  # a shard beside it is one that Airflow does not know any more
            results = {None: results[None]}
        failed = {number: each for number, each in results.items() if isinstance(each, BaseException)}
        self._staged = {number for number in {*self._staged, *results} - failed.keys() if number is not None}
        return next(iter(failed.values()), None)

    def _try_group(
        self, schedule: Schedule, steps: dict[int | None, list[Step]], *, retries: bool
    ) -> dict[int | None, Any]:
        """Run tasks at the same time, and once more those that Airflow would try again; return what each ended with.

        Of a task that runs twice, the later one counts.
        """
        if any(len(each) > 1 for each in steps.values()) or (None in steps and len(steps) > 1):
            self._after.doubled.add(self.landing)
        numbers = [number for number, same in steps.items() for _ in same]
        ended = self._run_tasks(schedule, [step for same in steps.values() for step in same])
        results = dict(zip(numbers, ended, strict=True))
        given_up = [each for each in ended if not any(each is counted for counted in results.values())]
        killed = any(isinstance(each, KilledError) for each in given_up)
        # A publish removes what those before it have left.
        self._given_up_and_killed = killed or (self._given_up_and_killed and None not in steps)
        repeated = [number for number, each in results.items() if may_be_retried(each)] if retries else []
        again = self._run_tasks(schedule, [steps[each][-1] for each in repeated])
        return results | dict(zip(repeated, again, strict=True))

    def _run_tasks(self, schedule: Schedule, steps: Sequence[Step]) -> list[Any]:
        """Run tasks at the same time; return what each has returned or raised."""
        results: list[Any] = [None] * len(steps)
        numbers = schedule.start(self.landing, len(steps))

        def run(place: int) -> None:
            token, after = CancelToken(), self._after
            try:
                sink = GatedSink(
                    after.store.again(),
                    self.landing,
                    numbers[place],
                    schedule,
                    token,
                    after.seen,
                    listed=after.history.listed,
                )
                results[place] = steps[place](sink=sink, token=token)
            except BaseException as error:  # noqa: BLE001  however it ends
                results[place] = error
                after.failures[self.landing].append(error)
            finally:
                schedule.finish(numbers[place])

        _run_at_once([partial(run, place) for place in range(len(steps))])
        return results


def may_be_retried(outcome: object) -> bool:
    """Return whether Airflow would try the task again."""
    if isinstance(outcome, LabelboxExportError):
        return outcome.retryable
    return isinstance(outcome, (KilledError, StoppedByHandError))


@contextmanager
def attributes(*, kept: bool) -> Iterator[None]:
    """Let a directory be on a file system without extended attributes, as most network shares are."""

    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    with pytest.MonkeyPatch.context() as patch:
        if not kept:
            patch.setattr(os, "setxattr", refuse)
        yield
