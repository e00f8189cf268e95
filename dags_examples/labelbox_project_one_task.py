"""Last night's changes of one Labelbox project in S3, every morning, in one task.

The task starts the export, waits for it without a worker, and streams it to the bucket.

Before you unpause it, create the connections `labelbox_default` (type Labelbox, the API key as password) and
`aws_default`, and set in the environment of all Airflow components, or here in the file:

| variable | what it is |
|---|---|
| `LABELBOX_PROJECT_ID` | id of the project: the last part of its address in Labelbox |
| `LABELBOX_BUCKET` | the bucket, which must exist |
| `LABELBOX_START_DATE` | start of the first night, such as `2026-11-01` |

Set `start_date` to the first night that you want: `catchup=True` loads every night from then on, and makes up for
nights on which Airflow was down.

More in the provider's repository: `docs/windows.md`, `docs/in-the-bucket.md`, `docs/never-twice.md`.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Asset
from airflow.timetables.interval import CronDataIntervalTimetable

from labelbox_export_provider import DataIntervalWindow, LabelboxExportToS3Operator, ProjectSource

PROJECT_ID = os.environ.get("LABELBOX_PROJECT_ID", "clprojectdemo000000000000")
BUCKET = os.environ.get("LABELBOX_BUCKET", "my-data-lake")
START_DATE = os.environ.get("LABELBOX_START_DATE", "2026-11-01")

with DAG(
    dag_id="labelbox_project_one_task",
    doc_md=__doc__,
    # A bare cron string would give every run an interval of zero width: see docs/windows.md.
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=pendulum.parse(START_DATE, tz="UTC"),
    catchup=True,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["labelbox"],
) as dag:
    LabelboxExportToS3Operator(
        task_id="land",
        source=ProjectSource(
            project_id=PROJECT_ID,
            export_params={"project_details": True, "label_details": True, "metadata_fields": True},
        ),
        window=DataIntervalWindow(),
        s3_bucket=BUCKET,
        s3_prefix="labelbox",
        outlets=[Asset("labelbox_project")],
    )
