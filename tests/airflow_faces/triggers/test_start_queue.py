"""StartQueue: which resting starts are released, in which order, and how many at once."""

from __future__ import annotations

import math
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulated_gate import SimulatedGate, Source

from labelbox_export_provider.client.types import ExportTaskState
from labelbox_export_provider.triggers.start_queue import FOURTH, LONG_REST, RestingStart, StartQueue


def resting(number: int, **members: float) -> RestingStart[int]:
    """A start without a name, so that its release counts as a running export for a minute."""
    values = {"priority_weight": 1, "window_start": 0.0, "arrived": 0.0, "earliest": 0.0, **members}
    return RestingStart(source=f"project {number}", answer=number, **values)  # type: ignore[arg-type]


# --- order

places = st.tuples(st.integers(1, 3), st.integers(0, 3), st.integers(0, 5))


@given(st.lists(places, max_size=40), st.integers(1, 20))
def test_the_promised_order(starts: list[tuple[int, int, int]], number: int) -> None:
    """Of all that rest, those of the highest priority are released first, then the newest windows, then arrivals."""
    queue: StartQueue[int] = StartQueue(number)
    for each, (priority, window, arrived) in enumerate(starts):
        queue.add(resting(each, priority_weight=priority, window_start=window, arrived=arrived))
    order: list[int] = []
    for now in range(0, 60 * (len(starts) + 1), 60):
        released = queue.release(now)
        assert len(released) <= number
        order += [start.answer for start in released]
        queue.looked([], now + 60)
    assert len(order) == len(starts)
    ranks = [(-starts[each][0], -starts[each][1], starts[each][2]) for each in order]
    assert ranks == sorted(ranks)


def test_a_start_that_was_just_deferred_does_not_hold_up_others() -> None:
    """Nobody is released before Airflow has noted the deferral, and whoever may be is released meanwhile."""
    queue: StartQueue[int] = StartQueue(2)
    queue.add(resting(0, priority_weight=9, earliest=30.0))
    queue.add(resting(1))
    assert [each.answer for each in queue.release(0.0)] == [1]
    assert [each.answer for each in queue.release(30.0)] == [0]


def test_an_old_window_does_not_rest_for_ever() -> None:
    """Where newer windows arrive without an end, each fourth place is for who has rested for an hour and longest."""
    queue: StartQueue[int] = StartQueue(1)
    queue.add(resting(0, window_start=-1.0))
    numbers, released = count(1), []
    for now in range(0, 3 * int(LONG_REST), 60):
        number = next(numbers)
        queue.add(resting(number, window_start=number, arrived=now))
        queue.looked([], now)
        released += [(now, start.answer) for start in queue.release(now)]
        if (found := [moment for moment, answer in released if answer == 0]) != []:
            break
    assert LONG_REST <= found[0] <= LONG_REST + FOURTH * 60


# --- number

nights = st.builds(
    SimulatedGate,
    st.lists(
        st.builds(
            Source,
            st.integers(0, 10**6),
            arrives=st.integers(0, 300).map(float),
            priority=st.integers(1, 2),
            window=st.integers(0, 2).map(float),
            seconds=st.sampled_from([4.0, 20.0, 90.0]),
        ),
        unique_by=lambda source: source.number,
        min_size=1,
        max_size=40,
    ),
    limit=st.integers(1, 20),
    lag=st.sampled_from([0.0, 5.0, 15.0]),
    delay=st.sampled_from([3.0, 10.0]),
)


@given(nights)
def test_every_start_gets_its_turn(night: SimulatedGate) -> None:
    """Whatever arrives when, every export is started, and no release goes beyond the number."""
    assert all(each.started is not None for each in night.sources)
    assert all(load <= max(number, 1) for load, number in night.loads)


@pytest.mark.parametrize("lag", [0.0, 5.0, 15.0])
def test_sixty_sources_at_a_limit_of_six(lag: float) -> None:
    """All start in little more than the least possible time, refused once at most, in the order in which they came."""
    sources = [Source(each, arrives=each * 0.7) for each in range(60)]
    night = SimulatedGate(sources, lag=lag)
    assert night.over <= 1.15 * night.least
    assert set(night.attempts) == {1, 2}
    assert [each.arrived for each in night.order] == sorted(each.arrived or 0 for each in night.order)


def test_two_places_are_left_to_people() -> None:
    """Where nobody is refused any more, resting starts fill no more places than the connection says."""
    late = [Source(100 + each, arrives=30.0) for each in range(60)]
    night = SimulatedGate([Source(each, seconds=60.0) for each in range(20)] + late, limit=20)
    assert max(load for load, _ in night.loads) == 18
    assert all(each.refusals <= 1 for each in night.sources)


def test_short_exports_do_not_hide_the_limit() -> None:
    """Exports that end before Labelbox is asked are counted by their times, so the limit is not taken for a smaller."""
    sources = [Source(each, seconds=4.0) for each in range(60)]
    night = SimulatedGate(sources, limit=6, lag=0.0)
    assert min(night.numbers.values()) == 6
    assert night.over <= 30 + 60 / 6 * 20


def test_what_others_run_is_learned() -> None:
    """While another team takes places, each costs one refusal, not one per start that rests."""
    night = SimulatedGate(
        [Source(each) for each in range(40)], limit=20, others=lambda now: 12 if 100 < now < 1500 else 0, seconds=9000
    )
    during = [number for moment, number in night.numbers.items() if 400 < moment < 1400]
    assert set(during) <= {7, 8, 9}
    assert sum(each.refusals for each in night.sources) <= 40 + 14


def test_attempts_become_rare_where_others_run_everything() -> None:
    """While other users' exports take all places, one start is tried at a time, at last every five minutes."""
    night = SimulatedGate(
        [Source(each) for each in range(30)], limit=20, others=lambda now: 20 if now < 3000 else 0, seconds=9000
    )
    tried = sorted(moment for each in night.sources for moment in each.attempts[1:] if moment < 3000)
    assert 5 <= len(tried) <= 15
    assert all(each.started is not None for each in night.sources)


@given(st.integers(0, 6), st.integers(2, 18))
def test_the_number_recovers(limit: int, max_running: int) -> None:
    """An hour after the last refusal the number rises by one a minute, up to what the connection says."""
    busy = [Source(each, seconds=20.0) for each in range(8)]
    night = SimulatedGate(busy, limit=max(limit, 1), max_running=max_running, seconds=600)
    learned = min(night.queue.number(night.over), max_running)
    assert night.queue.number(night.over + 600) == learned
    later = [night.queue.number(night.over + 3600 + minute * 60) for minute in range(30)]
    assert later == sorted(later)
    assert max(later[each + 1] - later[each] for each in range(29)) <= 1
    assert later[-1] == max_running


def test_a_limit_that_stays_costs_one_refusal_an_hour() -> None:
    """A number that has recovered beyond the limit is lowered by the first start that is refused again."""
    night = SimulatedGate([Source(each) for each in range(500)], limit=6, seconds=9000)
    again = sorted(moment for each in night.sources for moment in each.attempts[1:] if each.refusals > 1)
    assert sum(each.refusals - 1 for each in night.sources if each.refusals > 1) <= 4, again


def test_something_that_seems_to_run_for_ever_stops_nobody_for_good() -> None:
    """Where tasks stay IN_PROGRESS that Labelbox does not count, a start is tried each quarter of an hour."""
    stuck = [
        ExportTaskState(f"e{each}", None, "IN_PROGRESS", "export-data-rows", None, None, None) for each in range(30)
    ]
    queue: StartQueue[int] = StartQueue(18)
    queue.looked(stuck, 0.0)
    queue.release(0.0)
    for each in range(9):
        queue.add(resting(each))
    released = []
    for now in range(0, 3600, 5):
        queue.looked(stuck, now)
        released += [now for _ in queue.release(now)]
    assert released == [900, 1800, 2700]


# --- projects


def test_a_full_project_puts_only_its_own_starts_back() -> None:
    """Two projects at their own limit: others start beside them, and the number of the connection stays."""
    backfills = [Source(each, project=f"full {each % 2}", seconds=90.0) for each in range(12)]
    others = [Source(100 + each, arrives=1.0) for each in range(40)]
    night = SimulatedGate([*backfills, *others], limit=18, per_project=2)
    assert {number for moment, number in night.numbers.items() if moment > 30} == {18}
    started = {each.project: each.started for each in night.sources}
    assert max(moment or math.inf for project, moment in started.items() if project.startswith("project")) < 300
    assert all(each.started is not None for each in backfills)
    assert night.over <= 3 * 90 * 1.3 + 60


def test_a_backfill_of_one_project_is_refused_once_a_start() -> None:
    """Where all exports that run are known to be of the project, each end releases one start, which is carried out."""
    night = SimulatedGate([Source(each, project="one") for each in range(40)], limit=20, per_project=10)
    assert set(night.attempts) == {1, 2}
    assert night.over <= 4 * 90 * 1.2


def test_other_exports_end_without_a_place_for_the_project() -> None:
    """Exports of which the source is known give no place to another project when they end."""
    full = [Source(each, project="one", seconds=3000.0) for each in range(12)]
    quick = [Source(100 + each, arrives=200.0, seconds=20.0) for each in range(120)]
    SimulatedGate([*full, *quick], limit=15, per_project=10, seconds=2900)
    assert max(len(each.attempts) for each in full) <= 4
