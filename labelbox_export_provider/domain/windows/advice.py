"""Refusals of runs without a window, with advice: the timetable, the form or the trigger that provides one.

The advice depends on the timetable of the run's DAG: a DAG is not advised to use the timetable that it has already.
"""

from __future__ import annotations

from datetime import datetime

from labelbox_export_provider.domain.windows.resolved import RunInterval, Timetable
from labelbox_export_provider.errors import ManualRunError, WindowError

# Airflow creates no second run for a logical date, and resumes a schedule after the last run that it finds.
NEW_DAG_ID = (
    "a new dag_id, and start_date= one interval before the first refused run; then unpause the new DAG. Under the old "
    "dag_id the windows of earlier runs are never exported, although every run succeeds: Airflow resumes after the "
    "last run, and a backfill skips dates that have one (docs/windows.md, 'Changing the timetable of a DAG that has "
    "runs')."
)


def no_interval(run: RunInterval) -> WindowError:
    """Return the refusal of a run without a data interval."""
    who = run.describe()
    if run.partition_date is not None:
        return WindowError(
            f"{who} has no data interval: it is the run of partition {run.partition_key!r}. Nothing was exported. "
            "Use window=PartitionWindow(width=timedelta(days=1)), with the width of one partition."
        )
    if run.is_manual and run.timetable.has_intervals:
        return ManualRunError(
            f"{who} has no data interval: it was triggered without a logical date. Nothing was exported. Trigger the "
            f"DAG again with a logical date: {run.timetable.name} gives such a run the last interval before it."
            + _use_form(run)
        )
    return WindowError(
        f"{who} has no data interval: it was triggered without a logical date, by an asset, or belongs to a "
        f"partitioned timetable. Nothing was exported. {_use_intervals(run)}{_use_form(run)}"
    )


def zero_width(run: RunInterval, moment: datetime) -> WindowError:
    """Return the refusal of a run whose data interval starts and ends at one moment."""
    who = f"{run.describe()} has a data interval of zero width ({moment.isoformat()})"
    if not run.timetable.has_intervals:
        return WindowError(
            f"{who}: in Airflow 3 a cron string or a timedelta schedule gives the moment of the run, not a day. "
            f"Nothing was exported. {_use_intervals(run)}{_use_form(run)}"
        )
    if run.is_manual:
        return ManualRunError(
            f"{who}: a run by hand gets one on the day on which clocks go forward, and if it is triggered with two "
            f"equal ends. Nothing was exported. The schedule is right ({run.timetable.name}): to export a night again, "
            f"clear its scheduled run.{_use_form(run)}"
        )
    return WindowError(
        f"{who}: it was made under an earlier timetable and keeps that interval, also when it is cleared or "
        f"reprocessed by a backfill. Nothing was exported. Beside its schedule ({run.timetable.name}) the DAG needs "
        f"catchup=True, {NEW_DAG_ID}"
    )


def no_partition(run: RunInterval) -> WindowError:
    """Return the refusal of a run without a partition date."""
    key = "" if run.partition_key is None else f" (its key {run.partition_key!r} stands for no date)"
    refused = (
        f"{run.describe()} has no partition date{key}, so PartitionWindow has nothing to start from. Nothing was "
        "exported."
    )
    if run.is_manual and run.timetable.name == "CronPartitionTimetable":
        return ManualRunError(f"{refused} Trigger the DAG again with a partition key, such as '2026-11-22T00:00:00'.")
    return WindowError(
        f"{refused} For timetables with data intervals: window=DataIntervalWindow(). For partitions: "
        "schedule=CronPartitionTimetable('0 0 * * *', timezone='UTC', run_offset=-1) (from airflow.sdk of Airflow 3.3) "
        f"with catchup=True{_and_new_dag_id(run.timetable)}"
    )


def _use_intervals(run: RunInterval) -> str:
    timetable = run.timetable
    cron, timezone = "0 2 * * *", "UTC"
    if timetable.cron is not None and timetable.timezone is not None:
        cron, timezone = timetable.cron, timetable.timezone
    return (
        f"Use schedule=CronDataIntervalTimetable({cron!r}, timezone={timezone!r}) (from airflow.timetables.interval) "
        f"with catchup=True{_and_new_dag_id(timetable)} For a one-off: window=FixedWindow(start, end)."
    )


def _and_new_dag_id(timetable: Timetable) -> str:
    return "." if timetable.name == "NullTimetable" else f", {NEW_DAG_ID}"  # manual runs do not move a schedule


def _use_form(run: RunInterval) -> str:
    if run.has_form:
        return ""
    return (
        " To give a run by hand any window: window=ParamsWindow() with DAG(params=window_params()), whose form has a "
        "field for each end."
    )
