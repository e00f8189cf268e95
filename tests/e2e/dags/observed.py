"""One task that starts, waits and lands, for what people and alerts see of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Param

from labelbox_export_provider import FixedWindow, LabelboxExportToFileOperator
from labelbox_export_provider.execution import waiting

# So that tests wait for seconds; `late_report.py` has the pauses of a real task.
waiting.MIN_DEFERRAL, waiting.MAX_HELD = timedelta(seconds=7), timedelta(0)

with DAG(
    "observed",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
    params={"project_id": Param("", type="string"), "root": Param("", type="string")},
):
    LabelboxExportToFileOperator(
        task_id="land",
        source={"kind": "project", "project_id": "{{ params.project_id }}"},
        window=FixedWindow(start="2026-05-04T02:00:00Z", end="2026-05-06T02:00:00Z"),
        root="{{ params.root }}",
        poke_interval=1,
    )
