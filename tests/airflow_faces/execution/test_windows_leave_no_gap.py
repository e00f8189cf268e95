"""Windows of successive runs: without a gap, or with the one that the documentation names."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice, pairwise
from typing import Any

import pendulum
import pytest
from airflow.sdk import (
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
)
from airflow.timetables.base import DagRunInfo, TimeRestriction
from support.airflow.runs import DAY, FIRED, FIRST, fired_at, scheduled, serialized
from support.airflow.versions import counts_clock_changes
from support.airflow.windows import at, facts_of, window_of
from support.kinds_of_run import NIGHTLY

from labelbox_export_provider import DataIntervalWindow, PartitionWindow
from labelbox_export_provider.execution.dag_run import run_interval


@pytest.mark.parametrize(
    ("schedule", "since"),
    [
        (CronDataIntervalTimetable("0 2 * * *", timezone="UTC"), "2026-02-26"),
        (CronDataIntervalTimetable("0 2 * * *", timezone="Europe/Berlin"), "2026-03-26"),
        (CronDataIntervalTimetable("0 2 * * *", timezone="Europe/Berlin"), "2026-10-22"),
        (CronDataIntervalTimetable("0 * * * *", timezone="Europe/Berlin"), "2026-10-24T22:00"),
        (CronDataIntervalTimetable("0 0 * * *", timezone="America/Havana"), "2026-10-29"),
        (CronDataIntervalTimetable("0 0 * * *", timezone="Africa/Cairo"), "2026-04-21"),
        (CronDataIntervalTimetable("30 1 1 * *", timezone="Australia/Lord_Howe"), "2026-01-01"),
        (CronDataIntervalTimetable("0 6 * * 1-5", timezone="America/New_York"), "2026-03-04"),
        (DeltaDataIntervalTimetable(timedelta(hours=7)), "2026-02-27"),
        (CronTriggerTimetable("0 2 * * *", timezone="UTC", interval=DAY), "2026-10-22"),
    ],
)
def test_the_windows_of_scheduled_runs_touch_without_a_gap(schedule: Any, since: str) -> None:
    runs = islice(scheduled(schedule, at(since)), 12)
    windows = [DataIntervalWindow().resolve(run_interval(facts_of(run))) for run in runs]
    assert [before.end for before in windows[:-1]] == [after.start for after in windows[1:]]


@pytest.mark.parametrize(
    ("zone", "since", "shared_hours"),
    [
        ("UTC", "2026-02-25", 0),
        ("Europe/Berlin", "2026-03-25", 0),
        ("Europe/Berlin", "2026-10-21", 0),
        ("America/New_York", "2026-10-28", 0),
        ("Australia/Lord_Howe", "2026-04-01", 0),
        # their clocks change at midnight itself
        ("America/Havana", "2026-10-28", 0),
        ("America/Havana", "2026-03-04", 1),
        ("Africa/Cairo", "2026-04-20", 1),
    ],
)
def test_the_partitions_of_local_days_leave_no_gap(zone: str, since: str, shared_hours: int) -> None:
    runs = islice(scheduled(CronPartitionTimetable("0 0 * * *", timezone=zone), at(since)), 12)
    windows = [PartitionWindow(DAY, timezone=zone).resolve(run_interval(facts_of(run))) for run in runs]
    shared = [before.end - after.start for before, after in pairwise(windows)]
    assert min(shared) >= timedelta(0)
    assert sum(shared, timedelta(0)) == timedelta(hours=shared_hours)


@pytest.mark.parametrize(("zone", "skipped"), [("Europe/Berlin", False), ("Africa/Cairo", True)])
def test_a_run_offset_skips_a_partition_at_a_clock_change(zone: str, skipped: bool) -> None:
    """A `run_offset` makes Airflow skip a partition where clocks change at midnight.

    No window can fix a run that is never created; docs/windows.md says to leave `run_offset` out there.
    """
    runs = islice(scheduled(CronPartitionTimetable("0 0 * * *", timezone=zone, run_offset=-1), at("2026-04-20")), 8)
    dates = [run.partition_date for run in runs if run.partition_date is not None]
    assert any(after - before > timedelta(hours=25) for before, after in pairwise(dates)) is (
        skipped and not counts_clock_changes()
    )


def test_a_trigger_timetable_leaves_out_an_hour() -> None:
    """A trigger timetable with an interval leaves out an hour where clocks go back.

    Airflow counts 24 hours back from each run. docs/windows.md tells to use CronDataIntervalTimetable there.
    """
    timetable = CronTriggerTimetable("0 2 * * *", timezone="Europe/Berlin", interval=DAY)
    runs = islice(scheduled(timetable, at("2026-10-20")), 10)
    windows = [DataIntervalWindow().resolve(run_interval(facts_of(run))) for run in runs]
    gaps = [after.start - before.end for before, after in pairwise(windows)]
    assert sorted(gaps)[-2:] == [timedelta(0), timedelta(hours=1)]


def test_a_coarser_timetable_leaves_a_gap_behind_a_finer_one() -> None:
    """docs/windows.md asks for a new `dag_id` with every change of timetable."""
    last = DagRunInfo.interval(FIRST, FIRED)
    weekly = serialized(CronDataIntervalTimetable("0 2 * * 0", timezone="UTC")).timetable
    bounds = TimeRestriction(earliest=FIRST, latest=None, catchup=True)
    following = weekly.next_dagrun_info_v2(last_dagrun_info=last, restriction=bounds)
    assert following is not None
    assert following.data_interval is not None
    assert following.data_interval.start != FIRED


def test_a_partition_of_the_day_that_begins_waits_for_its_end() -> None:
    run = fired_at(CronPartitionTimetable(NIGHTLY, timezone="UTC"))  # no run_offset: the day that begins now
    window = window_of(run, PartitionWindow(DAY))
    assert window.start == pendulum.datetime(2026, 11, 23, 2)
    assert window.ready_at == pendulum.datetime(2026, 11, 24, 2, 15)
