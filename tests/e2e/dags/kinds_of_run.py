"""Start tasks in DAGs whose runs come about in different ways. The windows are long over, so nothing has to settle."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Asset, CronPartitionTimetable
from airflow.timetables.interval import CronDataIntervalTimetable

from labelbox_export_provider import (
    DataIntervalWindow,
    ParamsWindow,
    PartitionWindow,
    ProjectExportOperator,
    window_params,
)

PROJECT = "clprojectfirst00000000000000000000"[:25]
FIRST = pendulum.datetime(2026, 5, 4, 2, tz="UTC")
NIGHTLY = "0 2 * * *"
DAY = timedelta(days=1)

# One run by the schedule each: the DAG ends where it starts.
with DAG(
    "kinds_interval",
    schedule=CronDataIntervalTimetable(NIGHTLY, timezone="UTC"),
    start_date=FIRST,
    end_date=FIRST,
    catchup=True,
):
    ProjectExportOperator(task_id="start", project_id=PROJECT, window=DataIntervalWindow(open_start_at=FIRST))

# The newest window of these may have ended a minute ago, when the tests run soon after two o'clock.
BY_HAND = DataIntervalWindow(settle=timedelta(0))

# Airflow ends a run later than `end_date` without any task, so these two have none; the second one stays paused.
for dag_id in ("kinds_by_hand", "kinds_dags_test"):
    with DAG(dag_id, schedule=CronDataIntervalTimetable(NIGHTLY, timezone="UTC"), start_date=FIRST, catchup=False):
        ProjectExportOperator(task_id="start", project_id=PROJECT, window=BY_HAND)

with DAG("kinds_zero_width", schedule=NIGHTLY, start_date=FIRST, end_date=FIRST, catchup=True):
    ProjectExportOperator(task_id="start", project_id=PROJECT, window=DataIntervalWindow())

with DAG("kinds_form", schedule=None, start_date=FIRST, params=window_params()):
    ProjectExportOperator(task_id="start", project_id=PROJECT, window=ParamsWindow())

with DAG("kinds_asset", schedule=[Asset("kinds_of_run")], start_date=FIRST):
    ProjectExportOperator(task_id="start", project_id=PROJECT, window=DataIntervalWindow())

with DAG(
    "kinds_partition",
    schedule=CronPartitionTimetable(NIGHTLY, timezone="UTC", run_offset=-1),
    start_date=FIRST,
    end_date=FIRST,
    catchup=True,
):
    ProjectExportOperator(task_id="start", project_id=PROJECT, window=PartitionWindow(DAY, lookback=DAY))
