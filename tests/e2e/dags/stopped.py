"""Landings of several parts, for tests that stop them: one by a mark, one by its time limit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Param

from labelbox_export_provider import LabelboxExportToS3Operator

OPTIONS: dict[str, Any] = {
    "source": {"kind": "project", "project_id": "{{ params.project_id }}"},
    "s3_bucket": "lake",
    "compression": None,
    "part_bytes": 5 * 2**20,
    "poke_interval": 1,
}

with DAG(
    "stopped",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params={"project_id": Param("", type="string")},
):
    LabelboxExportToS3Operator(task_id="marked", s3_prefix="stopped/marked", **OPTIONS)
    LabelboxExportToS3Operator(
        task_id="late",
        s3_prefix="stopped/late",
        execution_timeout=timedelta(seconds=15),
        **OPTIONS,
    )
