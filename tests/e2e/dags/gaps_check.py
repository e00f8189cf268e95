"""A check of the nights of two projects, which `test_gaps_are_filled.py` lands with gaps."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Param
from support.e2e.stage import FIRST, NIGHTLY_BUCKET, SECOND

from labelbox_export_provider import LabelboxWindowsCheckOperator

with DAG(
    "gaps_check",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
    params={"since": Param("", type="string"), "until": Param("", type="string")},
):
    LabelboxWindowsCheckOperator(
        task_id="check",
        prefix=f"s3://{NIGHTLY_BUCKET}/gaps",
        sources=[f"project:{FIRST}", f"project:{SECOND}"],
        since="{{ params.since }}",
        until="{{ params.until }}",
        landing_dag_id="gaps_nightly",
    )
