"""Every morning: is every window landed that should be? A gap fails the task, with the way to fill it.

The check reads the names of what was landed below the prefix in S3, and nothing else: it calls no Labelbox, so it does
without `labelbox_default`. Its message names each window that is missing or was rejected, and the command or the params
that fill it: those of `labelbox_fill_gaps`, or, with `landing_dag_id`, a backfill of that DAG.

Before you unpause it, create the connection `aws_default`, and set in the environment of all Airflow components, or
here in the file:

| variable | what it is |
|---|---|
| `LABELBOX_BUCKET` | the bucket |
| `LABELBOX_PREFIX` | where the nightly DAGs land in it |
| `LABELBOX_START_DATE` | first morning that may be checked, such as `2026-11-01`; no earlier one is made up for |

More in the provider's repository: `docs/find-gaps.md`.
"""

from __future__ import annotations

import os

import pendulum
from airflow.sdk import DAG

from labelbox_export_provider import LabelboxWindowsCheckOperator

BUCKET = os.environ.get("LABELBOX_BUCKET", "my-data-lake")
PREFIX = os.environ.get("LABELBOX_PREFIX", "labelbox")
START_DATE = os.environ.get("LABELBOX_START_DATE", "2026-11-01")

with DAG(
    dag_id="labelbox_windows_check",
    doc_md=__doc__,
    # A bare cron string is right here: the check is of the moment at which it runs, and has no window of its own.
    schedule="0 9 * * *",
    start_date=pendulum.parse(START_DATE, tz="UTC"),
    catchup=False,
    tags=["labelbox"],
) as dag:
    LabelboxWindowsCheckOperator(task_id="check", prefix=f"s3://{BUCKET}/{PREFIX}")
