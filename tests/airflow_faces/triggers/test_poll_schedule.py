"""PollSchedule: which polls share a request, in which order, and how many requests that makes."""

from __future__ import annotations

import heapq
import itertools
import math
import random
import statistics
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from labelbox_export_provider.client.batch_polling import MAX_BATCH
from labelbox_export_provider.triggers.poll_schedule import TICK, Poll, PollSchedule, Request, Way

USER = "u1"


@dataclass
class Hour:
    """Waits that poll again and again under a clock of their own; `answer` plays Labelbox, by default at its best."""

    waits: int
    budget: float = 60
    pause: float = 5.0
    seconds: float = 600.0
    latency: float = 0.05
    answer: Callable[[PollSchedule[None], Request[None], float], bool] = lambda *_: True
    sent: list[tuple[float, Request[None]]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    polled: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        schedule: PollSchedule[None] = PollSchedule(self.budget)
        begins = [(each * self.pause / self.waits, f"e{each}") for each in range(self.waits)]
        heapq.heapify(begins)
        now, asleep_until, chance = 0.0, math.inf, random.Random(16)
        while now < self.seconds:
            while begins and begins[0][0] <= now:
                due, export_id = heapq.heappop(begins)
                poll = Poll(export_id, USER, due, self.pause, None)
                schedule.add(poll)
                asleep_until = min(asleep_until, schedule.next_moment(poll))
            if now < asleep_until:
                now = min(asleep_until, begins[0][0] if begins else math.inf)
                continue
            step = schedule.next_request(now)
            if not isinstance(step, Request):
                asleep_until = now + max(step, 1e-6)
                continue
            self.sent.append((now, step))
            sent_at, now = now, now + self.latency
            if self.answer(schedule, step, now):
                schedule.succeeded(step, [each.export_id for each in step.polls])
                for each in step.polls:
                    self.polled[each.export_id] += 1
                    self.delays.append(sent_at - each.due)
                    schedule.remove(each)
                    pause = self.pause * chance.uniform(0.9, 1.1)  # as a trigger does
                    schedule.add(Poll(each.export_id, USER, now + pause, self.pause, None))

    @property
    def moments(self) -> dict[str, list[float]]:
        """When each export was asked for."""
        found: dict[str, list[float]] = defaultdict(list)
        for moment, request in self.sent:
            for poll in request.polls:
                found[poll.export_id].append(moment)
        return found

    @property
    def per_minute(self) -> int:
        """Requests of the minute that has most of them, whenever it begins."""
        moments = [moment for moment, _ in self.sent]
        return max(bisect_left(moments, moment + 60) - place for place, moment in enumerate(moments))


@pytest.mark.parametrize(("waits", "per_minute"), [(1, 12), (100, 12), (1_000, 60), (10_000, 60)])
def test_requests_do_not_grow_with_the_waits(waits: int, per_minute: int) -> None:
    """Waiting is almost free.

    G9: a hundred waits cost 12 requests in any minute, a thousand and more what the budget allows.
    """
    hour = Hour(waits)
    assert hour.per_minute <= per_minute
    assert len(hour.polled) == waits
    assert max(len(request.polls) for _, request in hour.sent) <= MAX_BATCH


@pytest.mark.parametrize(("waits", "seconds"), [(100, 4.0), (400, 4.0), (1_000, 6.0)])
def test_the_end_of_an_export_is_seen_soon(waits: int, seconds: float) -> None:
    """Where 100 wait, 3 s pass on average from the end of an export, whenever it comes, to the answer that shows it."""
    hour = Hour(waits, seconds=1200)
    gaps = [after - before for moments in hour.moments.values() for before, after in itertools.pairwise(moments)]
    assert sum(gap**2 for gap in gaps) / 2 / sum(gaps) + hour.latency <= seconds
    period = hour.seconds / statistics.mean(hour.polled.values())
    assert waits > 100 or period / 2 + statistics.mean(hour.delays) <= 4.0


@pytest.mark.parametrize("budget", [1, 7, 60, 120, 600])
@pytest.mark.parametrize("waits", [90, 480, 600, 2_000])
def test_no_minute_has_more_requests_than_allowed(waits: int, budget: int) -> None:
    """From the first request on, also where the network delays some of them by parts of a second."""
    hour = Hour(waits, budget=budget, seconds=300)
    delayed = random.Random(waits * budget)
    arrived = sorted(moment + delayed.uniform(0, 0.3) for moment, _ in hour.sent)
    assert max(bisect_left(arrived, each + 60) - place for place, each in enumerate(arrived)) <= budget
    assert hour.per_minute <= budget


def test_the_longest_due_is_polled_first() -> None:
    """Of a thousand waits none is polled twice before another was polled once."""
    hour = Hour(1_000, seconds=120)
    assert max(hour.polled.values()) - min(hour.polled.values()) <= 1


def test_the_budget_bounds_requests_where_batches_are_refused() -> None:
    """A server that shows one export by one request gets no more of them; each export is polled less often."""

    def refuse(schedule: PollSchedule[None], request: Request[None], _: float) -> bool:
        if request.way is not Way.ALONE:
            schedule.refused(request)
        return request.way is Way.ALONE

    hour = Hour(200, answer=refuse)
    assert hour.per_minute <= 60
    assert len(hour.polled) == 200
    assert sum(request.way is not Way.ALONE for _, request in hour.sent) <= 8, "halved seven times, and the list once"


def test_the_newest_tasks_come_before_halves() -> None:
    """Where a hundred at once are refused, one page of the newest tasks is read first, then smaller batches."""

    def refuse_many(schedule: PollSchedule[None], request: Request[None], _: float) -> bool:
        if request.way is Way.TOGETHER and len(request.polls) > 50:
            schedule.refused(request)
            return False
        if request.way is Way.NEWEST:
            schedule.succeeded(request, [])
            return False
        return True

    hour = Hour(120, seconds=30, answer=refuse_many)
    ways = [(request.way, len(request.polls)) for _, request in hour.sent if len(request.polls) > 1]
    first = next(place for place, (way, _) in enumerate(ways) if way is Way.NEWEST)
    assert ways[first - 1] == (Way.TOGETHER, 100)
    assert [way for way, _ in ways[first + 1 : first + 3]] == [Way.TOGETHER, Way.TOGETHER]
    assert max(number for way, number in ways[first:] if way is Way.TOGETHER) == 50


def test_an_outage_is_probed_by_one_request_at_a_time() -> None:
    """While Labelbox is away it is asked for one export, every 2 to 15 s; afterwards all waits are polled again."""

    def away_for_two_minutes(schedule: PollSchedule[None], request: Request[None], now: float) -> bool:
        if 60 <= now < 180:
            schedule.failed(request, now, None)
            return False
        return True

    hour = Hour(1_000, seconds=300, answer=away_for_two_minutes)
    probes = [request for moment, request in hour.sent if 61 < moment < 180]
    assert 8 <= len(probes) <= 20
    assert {len(each.polls) for each in probes} == {1}
    assert len({each.polls[0].export_id for each in probes}) == len(probes), (
        "one export is not asked for again and again"
    )
    resumed = {poll.export_id for moment, request in hour.sent if 180 <= moment < 210 for poll in request.polls}
    assert len(resumed) == 1_000


def test_a_pause_that_labelbox_asks_for_is_kept() -> None:
    """Nothing is sent within the seconds of a Retry-After, however many waits are due."""

    def limited_once(schedule: PollSchedule[None], request: Request[None], now: float) -> bool:
        if not schedule.failures and 30 <= now < 40:
            schedule.failed(request, now, 60.0)
            return False
        return True

    hour = Hour(300, seconds=150, answer=limited_once)
    refused = next(moment for moment, _ in hour.sent if moment + hour.latency >= 30)
    later = next(moment for moment, _ in hour.sent if moment > refused)
    assert 60 <= later - refused <= 60 * 1.5 + TICK


def test_a_batch_that_fails_again_and_again_is_halved() -> None:
    """Where only large batches fail, the probes between them succeed, and the batches become smaller."""

    def fail_large(schedule: PollSchedule[None], request: Request[None], now: float) -> bool:
        if len(request.polls) > 30 and request.way is Way.TOGETHER:
            schedule.failed(request, now, None)
            return False
        if request.way is Way.NEWEST:
            schedule.succeeded(request, [])
        return request.way is not Way.NEWEST

    hour = Hour(100, seconds=600, answer=fail_large)
    assert set(hour.polled) == {f"e{each}" for each in range(100)}
    late = [len(request.polls) for moment, request in hour.sent if moment > 300 and request.way is Way.TOGETHER]
    assert max(late) in (24, 25)


def test_short_pauses_are_kept() -> None:
    """A wait that asks for polls every second gets them."""
    hour = Hour(3, pause=1.0, seconds=60)
    assert min(hour.polled.values()) >= 50


def test_a_short_pause_sets_the_pace_only_while_its_wait_lasts() -> None:
    """When a wait that asked for polls every second has ended, requests come every five seconds again."""
    schedule: PollSchedule[None] = PollSchedule(60)
    short, long = (Poll(name, USER, due=0.0, pause=pause, answer=None) for name, pause in (("a", 1.0), ("b", 60.0)))
    schedule.add(short)
    assert isinstance(schedule.next_request(0.0), Request)
    schedule.remove(short)
    schedule.add(long)
    assert schedule.next_request(0.0) == TICK
