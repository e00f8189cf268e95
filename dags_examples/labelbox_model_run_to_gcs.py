"""One Labelbox model run with labels and predictions in Google Cloud Storage, every Monday, in one task.

The object has one name, and `replace=True`: this week's export takes the place of last week's in one moment, once it
is whole.

Before you unpause it, create the connections `labelbox_default` (type Labelbox, the API key as password) and
`google_cloud_default`, and set in the environment of all Airflow components, or here in the file:

| variable | what it is |
|---|---|
| `LABELBOX_MODEL_RUN_ID` | id of the model run: the last part of its address in Labelbox |
| `LABELBOX_GCS_BUCKET` | the bucket, which must exist |
| `LABELBOX_START_DATE` | a date before the first Monday that you want |

More in the provider's repository: `docs/sources.md`, `docs/transfers.md`, `docs/permissions.md`.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Asset
from airflow.timetables.trigger import CronTriggerTimetable

from labelbox_export_provider import LabelboxExportToGCSOperator, ModelRunSource

BUCKET = os.environ.get("LABELBOX_GCS_BUCKET", "my-data-lake")

with DAG(
    dag_id="labelbox_model_run_to_gcs",
    doc_md=__doc__,
    # Without a window nothing asks for a data interval, so a plain weekly trigger will do.
    schedule=CronTriggerTimetable("0 5 * * MON", timezone="UTC"),
    start_date=pendulum.parse(os.environ.get("LABELBOX_START_DATE", "2026-01-01"), tz="UTC"),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["labelbox"],
) as dag:
    LabelboxExportToGCSOperator(
        task_id="land",
        source=ModelRunSource(
            model_run_id=os.environ.get("LABELBOX_MODEL_RUN_ID", "clmodelrundemo00000000000"),
            export_params={"predictions": True, "model_run_details": True, "data_row_details": True},
        ),
        bucket_name=BUCKET,
        object_name="labelbox/model-runs/{source_id}.ndjson.gz",
        replace=True,
        outlets=[Asset("labelbox_model_run")],
    )
