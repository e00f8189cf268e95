"""A start, a sensor and a transfer, into a directory."""

from __future__ import annotations

import os

import pendulum
from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from labelbox_export_provider import (
    DataIntervalWindow,
    ExportTaskSensor,
    LabelboxExportToFileOperator,
    ProjectExportOperator,
)

with DAG(
    "three_tasks",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2024, 5, 8, 2),
    end_date=pendulum.datetime(2024, 5, 8, 2),
    catchup=True,
):
    start = ProjectExportOperator(
        task_id="start", project_id=os.environ["LABELBOX_PROJECT_ID"], window=DataIntervalWindow()
    )
    wait = ExportTaskSensor(task_id="wait", export=start.output, poke_interval=1)
    LabelboxExportToFileOperator(
        task_id="land", export=wait.output, root=f"{os.environ['LANDING_DIRECTORY']}/three_tasks"
    )
