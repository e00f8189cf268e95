"""The window of a run among the rendered templates of its task."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
from airflow.sdk import DAG
from support.airflow.tasks import NIGHT, TaskInstance, context_of, instance_of, some_dag

from labelbox_export_provider import (
    CatalogExportOperator,
    DataIntervalWindow,
    LabelboxExportToFileOperator,
    ProjectExportOperator,
    ProjectSource,
)
from labelbox_export_provider.testing import FakeLabelbox

SHOWN = "[2026-11-22T02:00:00Z, 2026-11-23T02:00:00Z) UTC of last_activity_at"
SOURCE = ProjectSource(project_id="clprojectdemo000000000000")


def shown(task: Any, interval: tuple[datetime, datetime] | None = NIGHT, **members: Any) -> str:
    """Render a task as Airflow does, before its first phase and before every other one."""
    context = context_of(interval=interval, **members)
    instance = cast("Any", instance_of(context))
    instance.task = task
    task.render_template_fields(context)
    return str(instance.task.resolved_window)


def start(**options: Any) -> Any:
    return ProjectExportOperator(task_id="start", project_id=SOURCE.project_id, **options)


def land(**options: Any) -> Any:
    return LabelboxExportToFileOperator(task_id="land", source=SOURCE, root="/lake", **options)


@pytest.mark.parametrize("make", [start, land])
def test_the_window_of_a_run_is_shown(make: Callable[..., Any]) -> None:
    """Also of templated windows, and with native rendering; without a window it says so."""
    assert shown(make(window=DataIntervalWindow())) == SHOWN
    fixed = {"kind": "fixed", "start": "{{ data_interval_start }}", "end": "{{ data_interval_end }}"}
    assert shown(make(window=fixed)) == SHOWN
    assert shown(make()) == "none"
    with some_dag(render_template_as_native_obj=True):
        assert shown(make(window=DataIntervalWindow())) == SHOWN


def test_a_run_without_a_window_shows_why() -> None:
    """Rendering does not fail: the task does, with its report."""
    assert shown(start(window=DataIntervalWindow()), interval=None).startswith("none: Run 'scheduled__2026-11-23'")
    assert shown(start(window="{{ params.window }}"), params={"window": "nonsense"}).startswith("none: ")


def test_a_landing_shows_the_window_of_its_handle(fake: FakeLabelbox, tmp_path: Path) -> None:
    with some_dag():
        handle = ProjectExportOperator(
            task_id="start", project_id=fake.project_id, window=DataIntervalWindow()
        ).execute(context_of())
        task = LabelboxExportToFileOperator(task_id="land", export=handle, root=str(tmp_path))
    assert shown(task, interval=None) == SHOWN
    bare = {"export_id": "cle1", "source": {"kind": "project", "id": SOURCE.project_id}}
    assert shown(LabelboxExportToFileOperator(task_id="land", export=bare, root=str(tmp_path))) == "none"


def test_a_default_window_that_does_not_apply_is_not_shown() -> None:
    with DAG("d", schedule=None, default_args={"window": DataIntervalWindow()}):
        task = LabelboxExportToFileOperator(
            task_id="land", source={"kind": "model_run", "model_run_id": "clmodelrun000000000000000"}, root="/lake"
        )
        assert shown(task) == "none"
        assert shown(CatalogExportOperator(task_id="catalog")) == SHOWN


def test_rendering_without_a_task_instance_shows_nothing() -> None:
    """As in a test of a user's own that renders a task by itself."""
    task = start(window=DataIntervalWindow())
    task.render_template_fields({})
    assert task.resolved_window == ""
    task.render_template_fields(context_of(ti=TaskInstance()))
    assert task.resolved_window == ""
