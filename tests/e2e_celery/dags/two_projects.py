"""Two projects land at a time, each in a task of its own."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Param, task

from labelbox_export_provider import LabelboxExportToS3Operator
from labelbox_export_provider.execution import waiting

# So that an export of a second is waited for in the triggerer, and for seconds.
waiting.MIN_DEFERRAL, waiting.MAX_HELD = timedelta(seconds=7), timedelta(0)

with DAG(
    "two_projects",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params={"projects": Param([], type="array"), "bucket": Param("", type="string")},
):

    @task
    def sources(**context: object) -> list[dict[str, object]]:
        """Return the sources to map over."""
        projects = list(context["params"]["projects"])  # type: ignore[index]  # the context is a mapping of anything
        return [{"kind": "project", "project_id": project_id} for project_id in projects]

    LabelboxExportToS3Operator.partial(
        task_id="land",
        s3_bucket="{{ params.bucket }}",
        s3_prefix="lake",
        max_object_bytes=1024**2,
        poke_interval=1,
        retries=2,
        retry_delay=timedelta(seconds=1),
    ).expand(source=sources())
