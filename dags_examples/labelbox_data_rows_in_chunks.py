"""Any number of single Labelbox data rows in S3: 2,000 to an export, one mapped task to a chunk.

Labelbox takes 2,000 ids in one export. `chunks` splits the list of the trigger form, `expand` starts an export per
chunk. Each mapped task waits for its own export, deferred, so that `max_active_tis_per_dag` keeps within the limit of
running exports.

Before you unpause it, create the connections `labelbox_default` (type Labelbox, the API key as password) and
`aws_default`, and set in the environment of all Airflow components, or here in the file:

| variable | what it is |
|---|---|
| `LABELBOX_BUCKET` | the bucket, which must exist |
| `LABELBOX_IDS_PER_EXPORT` | ids in one export, at most 2000 |

More in the provider's repository: `docs/sources.md`, `docs/in-the-bucket.md`.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, Param, task

from labelbox_export_provider import DataRowsExportOperator, LabelboxExportToS3Operator

BUCKET = os.environ.get("LABELBOX_BUCKET", "my-data-lake")
IDS_PER_EXPORT = int(os.environ.get("LABELBOX_IDS_PER_EXPORT", "2000"))

with DAG(
    dag_id="labelbox_data_rows_in_chunks",
    doc_md=__doc__,
    schedule=None,
    params={"global_keys": Param(["street-1.jpg", "street-2.jpg"], type="array", title="Global keys")},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["labelbox"],
) as dag:

    @task
    def chunks(params: dict[str, list[str]]) -> list[list[str]]:
        """Split the keys of the trigger form."""
        keys = params["global_keys"]
        return [keys[start : start + IDS_PER_EXPORT] for start in range(0, len(keys), IDS_PER_EXPORT)]

    export = DataRowsExportOperator.partial(
        task_id="export",
        export_params={"data_row_details": True},
        wait_for_completion=True,
        max_active_tis_per_dag=5,
    ).expand(global_keys=chunks())
    LabelboxExportToS3Operator.partial(task_id="land", s3_bucket=BUCKET, s3_prefix="labelbox").expand(
        export=export.output
    )
