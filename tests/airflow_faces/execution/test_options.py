"""Options that a DAG gives to all of its tasks: taken where they apply, ignored where they do not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Param, TaskGroup
from support.airflow.tasks import context_of, some_dag

from labelbox_export_provider import (
    CatalogExportOperator,
    DataIntervalWindow,
    DataRowsExportOperator,
    ExportTaskSensor,
    LabelboxExportToFileOperator,
    LabelboxExportToGCSOperator,
    LabelboxExportToS3Operator,
    ModelRunExportOperator,
    ProjectExportOperator,
    SliceExportOperator,
)
from labelbox_export_provider.airflow_compat import TaskDeferred
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.testing import FakeLabelbox, generate_workspace

USUAL: dict[str, Any] = {
    "labelbox_conn_id": "prod",
    "timeout": timedelta(hours=3),
    "poke_interval": 30,
    "limit_timeout": timedelta(hours=2),
    "window": DataIntervalWindow(),
    "task_name": "nightly",
    "retries": 3,
}


def test_a_dag_of_three_tasks_takes_them_where_they_apply() -> None:
    """What belongs to the start does not make the transfer unimportable."""
    with some_dag(default_args=USUAL):
        start = ProjectExportOperator(task_id="start", project_id="clp1")
        wait = ExportTaskSensor(task_id="wait", export=start.output)
        land = LabelboxExportToFileOperator(task_id="land", export=wait.output, root="/data")
    assert (start.labelbox_conn_id, start.task_name) == ("prod", "nightly")
    assert start.window == {"kind": "data_interval"}
    assert wait.timeout == timedelta(hours=3).total_seconds()
    assert land.window is None
    assert land.retries == 3


@pytest.mark.parametrize("name", ["timeout", "poke_interval", "limit_timeout", "window", "task_name"])
def test_what_the_call_writes_is_refused_where_it_does_not_apply(name: str) -> None:
    """A default for others does not excuse an option that was written here with another value."""
    written: dict[str, Any] = {
        "timeout": 60,
        "poke_interval": 7,
        "limit_timeout": 60,
        "window": DataIntervalWindow(trim=False),
    }
    with some_dag(default_args=USUAL), pytest.raises(ConfigurationError, match=f"{name}="):
        LabelboxExportToFileOperator(task_id="land", export="{{ x }}", root="/d", **{name: written.get(name, "mine")})


def test_a_task_group_gives_defaults_as_well() -> None:
    """Airflow merges those of group and DAG; both reach the constructor."""
    group: dict[str, Any] = {"task_name": "x"}
    with some_dag(default_args={"labelbox_conn_id": "prod"}), TaskGroup("exports", default_args=group):  # type: ignore[arg-type, unused-ignore]
        start = ProjectExportOperator(task_id="start", project_id="clp1")
        land = LabelboxExportToFileOperator(task_id="land", export=start.output, root="/data")
    assert (start.labelbox_conn_id, start.task_name) == ("prod", "x")
    assert land.task_name is None


def test_a_mapped_task_ignores_them_when_it_is_built_at_run_time(fake: FakeLabelbox, tmp_path: Path) -> None:
    """A mapped transfer is constructed on the worker, where the defaults have to count for the same."""
    handle = ProjectExportOperator(task_id="start", project_id=fake.project_id).execute(context_of())
    with some_dag(default_args=USUAL):
        mapped = LabelboxExportToFileOperator.partial(task_id="land", root=str(tmp_path)).expand(export=[handle])
    unmapped: Any = mapped.unmap({"export": handle})
    assert (unmapped.export, unmapped.window, unmapped.task_name) == (handle, None, None)
    with some_dag(default_args=USUAL):
        sources = LabelboxExportToFileOperator.partial(task_id="all", root=str(tmp_path)).expand(source=[{}])
    unmapped = sources.unmap({"source": {"kind": "project", "project_id": fake.project_id}})
    assert (unmapped.labelbox_conn_id, unmapped.window) == ("prod", {"kind": "data_interval"})


def test_sources_without_dates_ignore_a_window_and_filters() -> None:
    """Slices, model runs and single data rows take neither."""
    with some_dag(default_args={"window": DataIntervalWindow(), "filters": {"global_keys": ["k"]}}):
        tasks: list[Any] = [
            SliceExportOperator(task_id="slice", slice_id="cls1"),
            ModelRunExportOperator(task_id="model_run", model_run_id="clm1"),
            DataRowsExportOperator(task_id="data_rows", data_row_ids=["a"]),
        ]
        catalog = CatalogExportOperator(task_id="catalog")
        land = LabelboxExportToFileOperator(task_id="land", source={"kind": "slice", "slice_id": "c"}, root="/d")
    assert [(task.window, task.filters) for task in tasks] == [(None, None)] * 3
    assert (catalog.window, catalog.filters) == ({"kind": "data_interval"}, {"global_keys": ["k"]})
    assert land.window is None


def test_a_rendered_source_without_dates_ignores_a_window(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A template gives the source only when the task runs, and its kind decides whether the default applies."""
    with FakeLabelbox(workspace=generate_workspace(20)) as fake:
        for name, value in fake.airflow_environment().items():
            monkeypatch.setenv(name, value)
        with some_dag(default_args={"window": DataIntervalWindow()}):
            land = LabelboxExportToFileOperator(task_id="land", source="{{ params.it | tojson }}", root=str(tmp_path))
        a_slice = {"kind": "slice", "slice_id": fake.workspace.slices[0].id}
        land.render_template_fields(context_of(params={"it": a_slice}))
        with pytest.raises(TaskDeferred):
            land.execute(context_of("land"))
        assert len(fake.exports) == 1


def test_of_exclusive_options_the_written_one_counts() -> None:
    """A default for one of two does not contradict the other one that a call writes."""
    defaults = {
        "source": ProjectSource(project_id="clp1"),
        "s3_bucket": "lake",
        "s3_prefix": "labels",
        "bucket_name": "lake",
        "object_prefix": "labels",
        "root": "/data",
        "replace": True,
        "rerun": "replace",
        "sink_args": {"StorageClass": "STANDARD_IA"},
        "data_row_ids": ["a"],
    }
    with some_dag(default_args=defaults):
        s3 = LabelboxExportToS3Operator(task_id="s3", s3_key="s3://other/night.gz", export="{{ x }}")
        layout = LabelboxExportToS3Operator(task_id="layout")
        gcs = LabelboxExportToGCSOperator(task_id="gcs", object_name="gs://other/night.gz", sink_args={})
        file = LabelboxExportToFileOperator(task_id="file", path="/data/night.gz")
        rows = DataRowsExportOperator(task_id="rows", global_keys=["k"])
    assert (s3.source, s3.s3_prefix, s3.landing.rerun, s3.landing.replace) == (None, None, "add", True)
    assert s3._bucket_and_key() == ("other", "night.gz")
    assert (layout.s3_prefix, layout.landing.rerun, layout.landing.replace) == ("labels", "replace", False)
    assert gcs._bucket_and_name() == ("other", "night.gz")
    assert (file.root, file.sink_args) == (None, {})
    assert (rows.data_row_ids, rows.global_keys) == (None, ["k"])
    with some_dag(default_args=defaults), pytest.raises(ConfigurationError, match="both are given"):
        LabelboxExportToS3Operator(task_id="s3", s3_prefix="a", s3_key="b")


def test_a_sensor_ignores_what_would_not_work_there() -> None:
    """Options for other sensors of the DAG make none of ours unimportable, and never soften a failure."""
    with some_dag(default_args={"silent_fail": True, "cancel_on_kill": True, "task_name": "x"}):
        sensor = ExportTaskSensor(task_id="wait", export="{{ x }}", deferrable=False)
        with pytest.raises(ConfigurationError, match="soft_fail"):
            ExportTaskSensor(task_id="never", export="{{ x }}", never_fail=True)
    assert (sensor.silent_fail, sensor.cancel_on_kill) == (False, False)


def test_a_param_without_a_value_does_not_stop_the_parse() -> None:
    """A form's required param has no value before somebody fills it in, and is not asked for one."""
    with some_dag(params={"model_run_id": Param("", type="string", minLength=1)}):
        ModelRunExportOperator(task_id="export", model_run_id="{{ params.model_run_id }}")


@pytest.mark.parametrize("of_dag", [False, Param(False, type="boolean")])
def test_a_tasks_params_are_refused_though_its_dag_has_them(of_dag: Any) -> None:
    """`params={"attachments": True}` is a mistake for `export_params`, whatever the DAG's own params are."""
    with some_dag(params={"attachments": of_dag}), pytest.raises(ConfigurationError, match="export_params="):
        ProjectExportOperator(task_id="start", project_id="clp1", params={"attachments": True})
    with some_dag(params={"attachments": of_dag}):
        ProjectExportOperator(task_id="start", project_id="clp1", params={"note": "mine"})
        mapped = ProjectExportOperator.partial(task_id="mapped").expand(project_id=["clp1"])
    assert mapped.unmap({"project_id": "clp1"}).params["attachments"] is False
