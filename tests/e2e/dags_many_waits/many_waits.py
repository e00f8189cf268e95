"""Sensors mapped over the exports that a run names: many waits of one triggerer."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Param, task

from labelbox_export_provider import ExportTaskSensor
from labelbox_export_provider.execution import waiting

# So that tests wait for seconds; `late_report.py` of the other tests has the pauses of a real task.
waiting.MIN_DEFERRAL, waiting.MAX_HELD = timedelta(seconds=7), timedelta(0)

with DAG(
    "many_waits",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params={"exports": Param([], type="array")},
    max_active_runs=100,
    default_args={"retries": 0},
):

    @task
    def exports(**context: object) -> list[dict[str, object]]:
        """Return the handles to map over."""
        return list(context["params"]["exports"])  # type: ignore[index]  # the context is a mapping of anything

    ExportTaskSensor.partial(task_id="wait", poke_interval=1, timeout=timedelta(hours=1)).expand(export=exports())
