"""An operator that waits by itself, landing in a directory under an explicit key."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, AssetAlias, Param

from labelbox_export_provider import LabelboxExportToFileOperator, ProjectExportOperator
from labelbox_export_provider.execution import waiting

# So that tests wait for seconds; `late_report.py` has the pauses of a real task.
waiting.MIN_DEFERRAL, waiting.MAX_HELD = timedelta(seconds=7), timedelta(0)

with DAG(
    "single",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    # A busy scheduler may hear of a deferral only after the trigger has fired, and then fails the try.
    default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
    params={"project_id": Param("", type="string"), "root": Param("", type="string")},
):
    start = ProjectExportOperator(
        task_id="start", project_id="{{ params.project_id }}", wait_for_completion=True, poke_interval=1
    )
    LabelboxExportToFileOperator(
        task_id="land",
        export=start.output,
        root="{{ params.root }}",
        compression=None,
        outlets=[AssetAlias("landed_single")],
    )
