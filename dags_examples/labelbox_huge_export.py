"""One huge Labelbox project, all of it, in S3, by many tasks at a time; started by hand.

Task `start` starts the export, `wait` waits for it without a worker. Then `land.plan` splits it into shards, a mapped
task `land.stage` moves each of them, on as many workers as your executor has, and `land.publish` verifies the whole and
makes it visible. It is worth it above 100 GiB or so; below, and for the changes of a night, one transfer does the same.

Before you trigger it, create the connections `labelbox_default` (type Labelbox, the API key as password) and
`aws_default`, and set in the environment of all Airflow components, or here in the file:

| variable | what it is |
|---|---|
| `LABELBOX_PROJECT_ID` | id of the project: the last part of its address in Labelbox |
| `LABELBOX_BUCKET` | the bucket, which must exist, with a lifecycle rule for incomplete uploads of a week or more |
| `LABELBOX_OBJECT_BYTES` | bytes of the export that go into one object; 512 MiB if left out |
| `LABELBOX_SHARD_BYTES` | bytes that are worth a task; 8 GiB if left out. There are 64 tasks at most |

A task that fails is retried alone, and moves only what it had not stored. Readers see nothing before `land.publish`.

More in the provider's repository: `docs/transfers.md`, `docs/in-the-bucket.md`, `docs/permissions.md`.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, Asset

from labelbox_export_provider import (
    ExportTaskSensor,
    LabelboxExportToS3Operator,
    ProjectExportOperator,
    parallel_landing,
)

PROJECT_ID = os.environ.get("LABELBOX_PROJECT_ID", "clprojectdemo000000000000")
BUCKET = os.environ.get("LABELBOX_BUCKET", "my-data-lake")
OBJECT_BYTES = int(os.environ.get("LABELBOX_OBJECT_BYTES", str(512 * 1024**2)))
SHARD_BYTES = int(os.environ.get("LABELBOX_SHARD_BYTES", str(8 * 1024**3)))

with DAG(
    dag_id="labelbox_huge_export",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["labelbox"],
) as dag:
    start = ProjectExportOperator(
        task_id="start",
        project_id=PROJECT_ID,
        export_params={"project_details": True, "label_details": True, "metadata_fields": True},
    )
    wait = ExportTaskSensor(task_id="wait", export=start.output, timeout=timedelta(hours=24))
    parallel_landing(
        LabelboxExportToS3Operator,
        group_id="land",
        export=wait.output,
        s3_bucket=BUCKET,
        s3_prefix="labelbox",
        max_object_bytes=OBJECT_BYTES,
        shard_bytes=SHARD_BYTES,
        outlets=[Asset("labelbox_huge_project")],
    )
