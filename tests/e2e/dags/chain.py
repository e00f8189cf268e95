"""Export, sensor and transfer of one project, every templated field templated, in a DAG that has params."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Param

from labelbox_export_provider import (
    ExportTaskSensor,
    FixedWindow,
    LabelboxExportToS3Operator,
    ProjectExportOperator,
)
from labelbox_export_provider.execution import waiting

# So that tests wait for seconds; `late_report.py` has the pauses of a real task.
waiting.MIN_DEFERRAL, waiting.MAX_HELD = timedelta(seconds=7), timedelta(0)

with DAG(
    "chain",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params={
        "project_id": Param("", type="string"),
        "start": Param("2026-05-04T02:00:00Z", type="string"),
        "end": Param("2026-05-06T02:00:00Z", type="string"),
        "bucket": Param("lake", type="string"),
        "prefix": Param("chain", type="string"),
        "statuses": Param("Done", type="string"),
        "details": Param(default=True, type="boolean"),
    },
    default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
):
    start = ProjectExportOperator(
        task_id="start",
        project_id="{{ params.project_id }}",
        export_params={"label_details": "{{ params.details }}", "metadata_fields": True},
        window=FixedWindow(start="{{ params.start }}", end="{{ params.end }}"),
        labelbox_conn_id="{{ 'labelbox' }}_default",
        task_name="{{ dag.dag_id }} of {{ params.project_id }}",
    )
    wait = ExportTaskSensor(
        task_id="wait",
        export=start.output,
        labelbox_conn_id="{{ 'labelbox' }}_default",
        timeout=timedelta(minutes=5),
        poke_interval=1,
    )
    LabelboxExportToS3Operator(
        task_id="land",
        export=wait.output,
        s3_bucket="{{ params.bucket }}",
        s3_prefix="{{ params.prefix }}",
        aws_conn_id="{{ 'aws' }}_default",
    )
