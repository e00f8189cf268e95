"""Last night's changes of one Labelbox project in S3, every morning.

Copy this file, put your ids into it, and create two connections: `labelbox_default` (type Labelbox, the API key as
password) and `aws_default`. The first run after unpausing loads the first night; `catchup=True` loads every night since
`start_date` and makes up for nights on which Airflow was down.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Asset
from airflow.timetables.interval import CronDataIntervalTimetable

from labelbox_export_provider import (
    DataIntervalWindow,
    ExportTaskSensor,
    LabelboxExportToS3Operator,
    ProjectExportOperator,
)

PROJECT_ID = os.environ.get("LABELBOX_PROJECT_ID", "clprojectdemo000000000000")
BUCKET = os.environ.get("LABELBOX_BUCKET", "my-data-lake")
START_DATE = os.environ.get("LABELBOX_START_DATE", "2026-11-01")

with DAG(
    dag_id="labelbox_project_nightly",
    # A bare cron string would give every run an interval of zero width: see docs/windows.md.
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=pendulum.parse(START_DATE, tz="UTC"),
    catchup=True,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["labelbox"],
) as dag:
    start = ProjectExportOperator(
        task_id="start",
        project_id=PROJECT_ID,
        export_params={"project_details": True, "label_details": True, "metadata_fields": True},
        window=DataIntervalWindow(),
    )
    wait = ExportTaskSensor(task_id="wait", export=start.output, timeout=timedelta(hours=6))
    LabelboxExportToS3Operator(
        task_id="land",
        export=wait.output,
        s3_bucket=BUCKET,
        s3_prefix="labelbox",
        outlets=[Asset(name="labelbox_project", uri=f"s3://{BUCKET}/labelbox/data/")],
    )
