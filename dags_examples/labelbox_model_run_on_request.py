"""One Labelbox model run with labels and predictions in S3, started from Airflow's trigger form.

The form asks for the model run's id: it is the last part of the run's address in Labelbox's web app.

Before you unpause it, create the connections `labelbox_default` (type Labelbox, the API key as password) and
`aws_default`, and set in the environment of all Airflow components, or here in the file:

| variable | what it is |
|---|---|
| `LABELBOX_BUCKET` | the bucket, which must exist |
| `LABELBOX_MODEL_RUN_ID` | the id that the form shows at first; may be left out |

More in the provider's repository: `docs/sources.md`, `docs/in-the-bucket.md`.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, Param

from labelbox_export_provider import LabelboxExportToS3Operator, ModelRunExportOperator

BUCKET = os.environ.get("LABELBOX_BUCKET", "my-data-lake")

with DAG(
    dag_id="labelbox_model_run_on_request",
    doc_md=__doc__,
    schedule=None,
    params={
        "model_run_id": Param(
            os.environ.get("LABELBOX_MODEL_RUN_ID", ""), type="string", minLength=1, title="Id of the model run"
        ),
        "predictions": Param(True, type="boolean", title="With predictions"),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["labelbox"],
) as dag:
    # wait_for_completion defers: one task starts the export, waits without a worker; a retry replaces a FAILED one.
    export = ModelRunExportOperator(
        task_id="export",
        model_run_id="{{ params.model_run_id }}",
        export_params={"predictions": "{{ params.predictions }}", "model_run_details": True},
        wait_for_completion=True,
    )
    LabelboxExportToS3Operator(task_id="land", export=export.output, s3_bucket=BUCKET, s3_prefix="labelbox")
