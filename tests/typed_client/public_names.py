"""Every public name as a user would write it in a DAG file or a script; checked by mypy, never run."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, get_current_context

from labelbox_export_provider import (
    CatalogExportOperator,
    CatalogSource,
    DataIntervalWindow,
    DataRowsExportOperator,
    DataRowsSource,
    DatasetExportOperator,
    DatasetSource,
    ExportOperator,
    ExportTask,
    ExportTaskSensor,
    FixedWindow,
    LabelboxExportError,
    LabelboxExportToFileOperator,
    LabelboxExportToGCSOperator,
    LabelboxExportToS3Operator,
    LabelboxHook,
    LabelboxWindowsCheckOperator,
    ModelRunExportOperator,
    ModelRunSource,
    ParamsWindow,
    PartitionWindow,
    ProjectExportOperator,
    ProjectSource,
    SliceExportOperator,
    SliceSource,
    StreamType,
    mark_consumed,
    parallel_landing,
    start_or_adopt,
    window_params,
)
from labelbox_export_provider.client import ConnectionSettings, LabelboxClient
from labelbox_export_provider.errors import ConfigurationError, ExportFailedError, RateLimitedError, StorageError
from labelbox_export_provider.params import (
    CatalogExportParams,
    CatalogFilters,
    DataRowsExportParams,
    DatasetExportParams,
    DatasetFilters,
    ModelRunExportParams,
    ProjectExportParams,
    ProjectFilters,
    SliceExportParams,
)
from labelbox_export_provider.triggers.export_task import ExportTaskTrigger


class TeamExportOperator(ExportOperator, source=ProjectSource):
    """An operator of a third party."""

    def __init__(self, *, project_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id


with DAG("typed", schedule="@daily", params=window_params()) as dag:
    start = ProjectExportOperator(
        task_id="start",
        project_id="clp1",
        export_params=ProjectExportParams(label_details=True),
        filters=ProjectFilters(workflow_status="Done"),
        window=DataIntervalWindow(lookback=timedelta(hours=2), settle=timedelta(minutes=10)),
        retries=3,
    )
    wait = ExportTaskSensor(task_id="wait", export=start.output, timeout=timedelta(hours=6).total_seconds())
    land = LabelboxExportToS3Operator(
        task_id="land", export=wait.output, s3_bucket="lake", s3_prefix="labelbox", compression=None
    )
    start >> wait >> land
    parallel_landing(
        LabelboxExportToS3Operator, group_id="large", export=wait.output, s3_bucket="lake", s3_prefix="large"
    )

    TeamExportOperator(task_id="team", project_id="clp1")
    DatasetExportOperator(
        task_id="dataset",
        dataset_id="cld1",
        export_params=DatasetExportParams(metadata_fields=True),
        filters=DatasetFilters(label_created_at=("2026-01-01", None)),
        window={"kind": "data_interval", "field": "last_activity_at"},
    )
    SliceExportOperator(task_id="slice", slice_id="cls1", export_params=SliceExportParams(attachments=True))
    CatalogExportOperator(
        task_id="catalog",
        export_params=CatalogExportParams(data_row_details=True),
        filters=CatalogFilters(global_keys=("a", "b")),
        window=FixedWindow(
            start=datetime(2026, 1, 1, tzinfo=timezone.utc), end=datetime(2026, 2, 1, tzinfo=timezone.utc)
        ),
    )
    ModelRunExportOperator(task_id="run", model_run_id="clr1", export_params=ModelRunExportParams(predictions=True))
    DataRowsExportOperator.partial(task_id="rows", export_params=DataRowsExportParams(attachments=True)).expand(
        global_keys=[["a"], ["b"]]
    )

    LabelboxWindowsCheckOperator(
        task_id="check",
        prefix="s3://lake/labelbox",
        sources=[ProjectSource(project_id="clp1"), {"kind": "dataset", "dataset_id": "cld1"}, "project:clp2"],
        grace=timedelta(hours=2),
        on_gap="report",
        timeout=3600,
    )
    LabelboxExportToGCSOperator(
        task_id="to_gcs",
        source=DatasetSource(dataset_id="cld1", export_params={"metadata_fields": True}),
        window=ParamsWindow(otherwise=DataIntervalWindow()),
        bucket_name="lake",
        object_name="labels/{window_start:%Y-%m-%d}.ndjson.gz",
    )
    for number, source in enumerate(
        (
            ProjectSource(project_id="clp1", filters={"workflow_status": "Done"}),
            SliceSource(slice_id="cls1"),
            CatalogSource(everything=True),
            ModelRunSource(model_run_id="clr1"),
            DataRowsSource(global_keys=["a"]),
        )
    ):
        LabelboxExportToFileOperator(task_id=f"to_file_{number}", source=source, root="/data")
    LabelboxExportToFileOperator(
        task_id="partition",
        source={"kind": "project", "project_id": "clp1"},
        window=PartitionWindow(width=timedelta(days=1)),
        path="/data/labels.ndjson.gz",
    )


def read_in_a_script(api_key: str) -> list[str]:
    """Start an export without Airflow and return the ids of its data rows."""
    with LabelboxClient(ConnectionSettings(api_key=api_key, timeout=30.0)) as client:
        task = ExportTask.start(client, ProjectSource(project_id="clp1"), task_name="typed")
        task.wait_till_done(timeout_seconds=600)
        if task.has_errors():
            task.get_buffered_stream(stream_type=StreamType.ERRORS).start(stream_handler=lambda row: print(row.json))
        return [row.json["data_row"]["id"] for row in task.get_buffered_stream()]


def read_in_a_task(handle: dict[str, Any]) -> int:
    """Count the rows of an export that an operator started; None of the errors needs a private name."""
    try:
        return LabelboxHook("labelbox_default").get_export_task(handle).get_total_lines()
    except RateLimitedError as error:
        return int(error.retry_after or 0)
    except (ConfigurationError, ExportFailedError, StorageError) as error:
        raise RuntimeError(str(error)) from error
    except LabelboxExportError:
        return -1


def projects_of_a_team() -> list[dict[str, str]]:
    """Return sources for a mapped transfer."""
    return [{"kind": "project", "project_id": each.id} for each in LabelboxHook().get_projects("team-a *")]


def start_in_a_task() -> dict[str, Any]:
    """Start an export from task code, and mark it as consumed once it was read."""
    context = get_current_context()
    handle = start_or_adopt(
        context,
        source=ProjectSource(project_id="clp1", filters={"workflow_status": "Done"}),
        window=DataIntervalWindow(),
        labelbox_conn_id="labelbox_eu",
        task_name="typed",
        limit_timeout=timedelta(hours=1),
        keep_open=True,
    )
    read_in_a_task(handle)
    mark_consumed(context, handle)
    return handle


def wait_in_an_own_operator(handle: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return what Airflow stores of a trigger."""
    trigger = ExportTaskTrigger(
        labelbox_conn_id=handle["labelbox_conn_id"], export_id=handle["export_id"], deadline="2026-01-01T00:00:00Z"
    )
    path, arguments = trigger.serialize()
    return path, arguments
