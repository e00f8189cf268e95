"""The check whose findings the page of windows shows, up to the end of the demo's last night."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, Param

from labelbox_export_provider import LabelboxWindowsCheckOperator

with DAG(
    "windows_check",
    schedule=None,
    start_date=datetime(2020, 1, 1, tzinfo=timezone.utc),
    params={"until": Param("", type="string")},
):
    LabelboxWindowsCheckOperator(
        task_id="check",
        prefix=f"s3://{os.environ['LABELBOX_BUCKET']}/labelbox",
        until="{{ params.until }}",
        landing_dag_id="labelbox_project_nightly",
        rows=True,
    )
