"""One task a night, for the backfill of a month."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from labelbox_export_provider import DataIntervalWindow, LabelboxExportToFileOperator

with DAG(
    "a_month",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    # In the future: a backfill runs what lies before, and the scheduler adds no nights of its own.
    start_date=datetime(2100, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    default_args={"retries": 3, "retry_delay": timedelta(seconds=5)},
):
    LabelboxExportToFileOperator(
        task_id="land",
        source={"kind": "project", "project_id": os.environ.get("LABELBOX_PROJECT_ID", "")},
        window=DataIntervalWindow(),
        poke_interval=1,
        root=os.environ.get("LABELBOX_LAKE", "/"),
        compression=None,
    )
