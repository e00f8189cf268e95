"""Every operator and the sensor mapped over projects, in a DAG that has params."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Param, task

from labelbox_export_provider import (
    ExportTaskSensor,
    FixedWindow,
    LabelboxExportToFileOperator,
    LabelboxExportToS3Operator,
    ProjectExportOperator,
)

with DAG(
    "mapped",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
    params={
        "projects": Param([], type="array"),
        "status": Param("Done", type="string"),
        "start": Param("2026-05-04T00:00:00Z", type="string"),
        "end": Param("2026-05-09T00:00:00Z", type="string"),
        "root": Param("", type="string"),
    },
):

    @task
    def projects(**context: object) -> list[str]:
        """Return the projects to map over."""
        return list(context["params"]["projects"])  # type: ignore[index]  # the context is a mapping of anything

    start = ProjectExportOperator.partial(
        task_id="start",
        filters={"workflow_status": "{{ params.status }}"},
        window=FixedWindow(start="{{ params.start }}", end="{{ params.end }}"),
        task_name="{{ dag.dag_id }}",
    ).expand(project_id=projects())
    wait = ExportTaskSensor.partial(task_id="wait", poke_interval=1).expand(export=start.output)
    LabelboxExportToS3Operator.partial(
        task_id="to_s3", s3_bucket="lake", s3_prefix="{{ dag.dag_id }}/{{ run_id | length }}"
    ).expand(export=wait.output)
    LabelboxExportToFileOperator.partial(task_id="to_file", root="{{ params.root }}").expand(export=wait.output)
