"""Every kind of run, and the table of docs/windows.md with the window that each gives.

`PYTHONPATH=tests python -m support.kinds_of_run` writes the table; a test compares.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import (
    Asset,
    AssetOrTimeSchedule,
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    MultipleCronTriggerTimetable,
)
from support.airflow.runs import (
    DAY,
    PRESSED,
    Run,
    asset_triggered,
    backfilled,
    context_of,
    dags_test,
    fired_at,
    only_run,
    triggered,
)

from labelbox_export_provider import DataIntervalWindow, PartitionWindow
from labelbox_export_provider.errors import WindowError
from labelbox_export_provider.execution.dag_run import run_interval

PAGE = Path(__file__).parents[2] / "docs" / "windows.md"
BEGIN, END = "<!-- made from Airflow's own timetables -->", "<!-- end -->"

NIGHTLY = "0 2 * * *"
INTERVALS = CronDataIntervalTimetable(NIGHTLY, timezone="UTC")
DELTAS = DeltaDataIntervalTimetable(DAY)
TRIGGERS = CronTriggerTimetable(NIGHTLY, timezone="UTC")
TRIGGERS_WITH_INTERVAL = CronTriggerTimetable(NIGHTLY, timezone="UTC", interval=DAY)
PARTITIONS = CronPartitionTimetable(NIGHTLY, timezone="UTC", run_offset=-1)
ASSET = Asset("some_asset")
DATE = PRESSED.isoformat()
GIVEN_ENDS = {"data_interval_start": "2026-11-01T00:00:00Z", "data_interval_end": "2026-11-08T00:00:00Z"}

RUNS: dict[str, Callable[[], Run]] = {
    "`CronDataIntervalTimetable`: scheduled, `catchup` included": lambda: fired_at(INTERVALS),
    "`CronDataIntervalTimetable`: backfill of 22 November": lambda: backfilled(INTERVALS),
    "`CronDataIntervalTimetable`: by hand, with a logical date": lambda: triggered(INTERVALS, logical_date=DATE),
    "`CronDataIntervalTimetable`: `airflow dags test`": lambda: dags_test(INTERVALS),
    "`DeltaDataIntervalTimetable`: scheduled": lambda: fired_at(DELTAS),
    "`DeltaDataIntervalTimetable`: backfill of 22 November": lambda: backfilled(DELTAS),
    "`DeltaDataIntervalTimetable`: by hand, with a logical date": lambda: triggered(DELTAS, logical_date=DATE),
    "`CronTriggerTimetable` with `interval`: scheduled": lambda: fired_at(TRIGGERS_WITH_INTERVAL),
    "`CronTriggerTimetable` with `interval`: backfill of 22 November": lambda: backfilled(TRIGGERS_WITH_INTERVAL),
    "`CronTriggerTimetable` with `interval`: by hand, with a logical date": lambda: triggered(
        TRIGGERS_WITH_INTERVAL, logical_date=DATE
    ),
    "`CronTriggerTimetable` without `interval`: scheduled": lambda: fired_at(TRIGGERS),
    "`MultipleCronTriggerTimetable`: scheduled": lambda: fired_at(
        MultipleCronTriggerTimetable(NIGHTLY, timezone="UTC")
    ),
    '`"0 2 * * *"`, `"@daily"`: scheduled': lambda: fired_at(NIGHTLY),
    '`"0 2 * * *"`, `"@daily"`: backfill of 22 November': lambda: backfilled(NIGHTLY),
    '`"0 2 * * *"`, `"@daily"`: `airflow dags test`': lambda: dags_test(NIGHTLY),
    "`timedelta(days=1)`: scheduled": lambda: fired_at(timedelta(days=1)),
    "`DeltaTriggerTimetable`: scheduled": lambda: fired_at(DeltaTriggerTimetable(DAY)),
    '`"@once"`: scheduled': lambda: only_run("@once"),
    "no schedule: by hand, with a logical date": lambda: triggered(None, logical_date=DATE),
    "`AssetOrTimeSchedule` of `CronDataIntervalTimetable`: by its time": lambda: fired_at(
        AssetOrTimeSchedule(timetable=INTERVALS, assets=[ASSET])
    ),
    "`AssetOrTimeSchedule` of `CronTriggerTimetable`: by its time": lambda: fired_at(
        AssetOrTimeSchedule(timetable=TRIGGERS, assets=[ASSET])
    ),
    "triggered by an asset": asset_triggered,
    "`CronPartitionTimetable` with `run_offset=-1`: scheduled": lambda: fired_at(PARTITIONS),
    "`CronPartitionTimetable`: backfill of 22 November": lambda: backfilled(PARTITIONS),
    "`CronPartitionTimetable`: by hand, with a partition key": lambda: triggered(
        PARTITIONS, partition_key="2026-11-22T02:00:00"
    ),
    "assets with partitions whose key is no date": lambda: asset_triggered("europe"),
    "any schedule: by hand, **without** a logical date": lambda: triggered(INTERVALS, **GIVEN_ENDS),
    "any schedule: by the API, with a logical date and both ends (1 to 8 November)": lambda: triggered(
        None, logical_date=DATE, **GIVEN_ENDS
    ),
}

REFUSALS = {
    "zero width": "refused: zero width",
    "it is the run of partition": "refused: a partition",
    "has no data interval": "refused: no interval",
    "has no partition date": "refused: no partition date",
}


def outcome(run: Run, window: Any) -> str:
    """What a window makes of a run, in the words of the table."""
    try:
        resolved = window.resolve(run_interval(context_of(run, window)))
    except WindowError as error:
        return next(short for part, short in REFUSALS.items() if part in str(error))
    return f"{_short(resolved.start)} to {_short(resolved.end)}"


def _short(moment: datetime) -> str:
    return f"{moment:%-d Nov %H:%M}"


def table() -> str:
    """One row per way to come about."""
    lines = [
        "| how the run came about | `DataIntervalWindow()` | `PartitionWindow(timedelta(days=1))` |",
        "|---|---|---|",
    ]
    for how, make in RUNS.items():
        run = make()
        cells = (outcome(run, DataIntervalWindow()), outcome(run, PartitionWindow(DAY)))
        lines.append(f"| {how} | {' | '.join(cells)} |")
    return "\n".join(lines)


def with_table(page: str) -> str:
    """The page with its table as it is now."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise LookupError("docs/windows.md has no place for the table of runs")
    return f"{head}{begin}\n\n{table()}\n\n{end}{tail}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
