"""One export lands by many tasks, and by one task beside it, in three stores."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowSkipException
from support.e2e.three_stores_dag import land_by_many_and_by_one

from labelbox_export_provider import (
    ExportTaskSensor,
    LabelboxExportToS3Operator,
    ProjectExportOperator,
    parallel_landing,
)

OPTIONS: dict[str, Any] = {"max_object_bytes": 1024**2, "compression": "gzip"}

with DAG(
    "parallel",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params={"project_id": Param("", type="string"), "root": Param("", type="string")},
):
    start = ProjectExportOperator(task_id="start", project_id="{{ params.project_id }}")
    wait = ExportTaskSensor(task_id="wait", export=start.output, poke_interval=1)
    land_by_many_and_by_one(wait.output, shards={"max_shards": 2, "shard_bytes": 3 * 1024**2}, **OPTIONS)
    whole = {**OPTIONS, "max_object_bytes": None}
    parallel_landing(
        LabelboxExportToS3Operator,
        group_id="small",
        export=wait.output,
        s3_bucket="lake",
        s3_prefix="parallel/small",
        **whole,
    )

    @task
    def nothing() -> None:
        """Skip what follows, as a source that is denied does."""
        raise AirflowSkipException

    parallel_landing(
        LabelboxExportToS3Operator,
        group_id="skipped",
        export=nothing(),
        s3_bucket="lake",
        s3_prefix="parallel/skipped",
        **OPTIONS,
    )
