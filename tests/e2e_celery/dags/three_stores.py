"""One project lands by many tasks, and by one task beside it, in three stores."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Param
from support.e2e.three_stores_dag import land_by_many_and_by_one

from labelbox_export_provider import ExportTaskSensor, ProjectExportOperator

with DAG(
    "three_stores",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params={"project": Param("", type="string"), "root": Param("", type="string")},
    default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
):
    start = ProjectExportOperator(task_id="start", project_id="{{ params.project }}")
    wait = ExportTaskSensor(task_id="wait", export=start.output, poke_interval=1)
    land_by_many_and_by_one(
        wait.output, shards={"max_shards": 2, "shard_bytes": 1024**2}, max_object_bytes=256 * 1024, compression="gzip"
    )
