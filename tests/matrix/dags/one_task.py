"""One task starts, waits and lands, into a directory."""

from __future__ import annotations

import os
from datetime import timedelta

import pendulum
from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from labelbox_export_provider import DataIntervalWindow, LabelboxExportToFileOperator, ProjectSource
from labelbox_export_provider.execution import waiting

# So that an export of a second is waited for in the triggerer, and for seconds.
waiting.MIN_DEFERRAL, waiting.MAX_HELD = timedelta(seconds=7), timedelta(0)

with DAG(
    "one_task",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2024, 5, 8, 2),
    end_date=pendulum.datetime(2024, 5, 8, 2),
    catchup=True,
):
    LabelboxExportToFileOperator(
        task_id="land",
        source=ProjectSource(project_id=os.environ["LABELBOX_PROJECT_ID"]),
        window=DataIntervalWindow(),
        root=f"{os.environ['LANDING_DIRECTORY']}/one_task",
    )
