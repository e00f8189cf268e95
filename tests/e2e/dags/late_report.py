"""A task that waits for its export with the pauses of production, and whose executor reports late."""

from __future__ import annotations

import time
from datetime import datetime

from airflow.sdk import DAG, Param

from labelbox_export_provider import ProjectExportOperator

with DAG(
    "late_report",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params={"project_id": Param("", type="string")},
):
    # So long between two polls that it is deferred at once. No retry: a deferral must not need one.
    ProjectExportOperator(
        task_id="start",
        project_id="{{ params.project_id }}",
        wait_for_completion=True,
        poke_interval=25,
        retries=0,
        # A report that is later than the deferral is long would come while this works.
        pre_execute=lambda _: time.sleep(8),
    )
