"""One project lands by many tasks."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Param

from labelbox_export_provider import (
    ExportTaskSensor,
    LabelboxExportToS3Operator,
    ProjectExportOperator,
    parallel_landing,
)

with DAG(
    "one_project",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params={"project": Param("", type="string"), "bucket": Param("", type="string")},
):
    start = ProjectExportOperator(task_id="start", project_id="{{ params.project }}")
    wait = ExportTaskSensor(task_id="wait", export=start.output, poke_interval=1)
    parallel_landing(
        LabelboxExportToS3Operator,
        export=wait.output,
        s3_bucket="{{ params.bucket }}",
        s3_prefix="shared",
        max_object_bytes=512 * 1024,
        max_shards=2,
        shard_bytes=1024**2,
        retries=2,
        retry_delay=timedelta(seconds=1),
    )
