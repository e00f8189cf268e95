"""Last night's changes of one Labelbox project in a folder, every morning.

The task starts the export, waits for it without a worker, and streams it into the folder.

Before you unpause it, create the connection `labelbox_default` (type Labelbox, the API key as password), and set in
the environment of all Airflow components, or here in the file:

| variable | what it is |
|---|---|
| `LABELBOX_PROJECT_ID` | id of the project: the last part of its address in Labelbox |
| `LABELBOX_FOLDER` | the folder, absolute; has to exist on every worker |
| `LABELBOX_START_DATE` | start of the first night, such as `2026-11-01` |

Set `start_date` to the first night that you want: `catchup=True` loads every night from then on, and makes up for
nights on which Airflow was down.

More in the provider's repository: `docs/tutorial.md`, `docs/into-a-folder.md`, `docs/windows.md`.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Asset
from airflow.timetables.interval import CronDataIntervalTimetable

from labelbox_export_provider import DataIntervalWindow, LabelboxExportToFileOperator, ProjectSource

PROJECT_ID = os.environ.get("LABELBOX_PROJECT_ID", "clprojectdemo000000000000")
FOLDER = os.environ.get("LABELBOX_FOLDER", "/data/labelbox")
START_DATE = os.environ.get("LABELBOX_START_DATE", "2026-11-01")

with DAG(
    dag_id="labelbox_project_to_folder",
    doc_md=__doc__,
    # A bare cron string would give every run an interval of zero width: see docs/windows.md.
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=pendulum.parse(START_DATE, tz="UTC"),
    catchup=True,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["labelbox"],
) as dag:
    LabelboxExportToFileOperator(
        task_id="land",
        source=ProjectSource(
            project_id=PROJECT_ID,
            export_params={"project_details": True, "label_details": True, "metadata_fields": True},
        ),
        window=DataIntervalWindow(),
        root=FOLDER,
        outlets=[Asset("labelbox_project_folder")],
    )
