"""One slice of the Labelbox catalog as it is on Monday morning, in S3 at a key of one's own choice.

A slice is a saved filter. Labelbox has no date filter for it, so every run exports all of it, and no window is needed:
a plain cron schedule will do.

Before you unpause it, create the connections `labelbox_default` (type Labelbox, the API key as password) and
`aws_default`, and set in the environment of all Airflow components, or here in the file:

| variable | what it is |
|---|---|
| `LABELBOX_SLICE_ID` | id of the slice |
| `LABELBOX_BUCKET` | the bucket, which must exist |
| `LABELBOX_START_DATE` | a date before the first Monday that you want |

More in the provider's repository: `docs/sources.md`, `docs/in-the-bucket.md`.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from labelbox_export_provider import ExportTaskSensor, LabelboxExportToS3Operator, SliceExportOperator

SLICE_ID = os.environ.get("LABELBOX_SLICE_ID", "clslicedemo00000000000000")
BUCKET = os.environ.get("LABELBOX_BUCKET", "my-data-lake")
START_DATE = os.environ.get("LABELBOX_START_DATE", "2026-11-01")

with DAG(
    dag_id="labelbox_slice_weekly",
    doc_md=__doc__,
    schedule="0 5 * * 1",
    start_date=pendulum.parse(START_DATE, tz="UTC"),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["labelbox"],
) as dag:
    start = SliceExportOperator(
        task_id="start",
        slice_id=SLICE_ID,
        export_params={"metadata_fields": True, "data_row_details": True},
    )
    wait = ExportTaskSensor(task_id="wait", export=start.output)
    LabelboxExportToS3Operator(
        task_id="land",
        export=wait.output,
        s3_bucket=BUCKET,
        s3_key="labelbox-slices/{source_id}/{started_at:%Y-%m-%d}.{generation}.ndjson.gz",
    )
