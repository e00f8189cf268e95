"""An export that somebody started in Labelbox's app or with its SDK is waited for and landed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.airflow.tasks import context_of, some_dag
from support.airflow.triggers import resume
from support.stores.servers import files

from labelbox_export_provider import (
    ExportTaskSensor,
    FixedWindow,
    LabelboxExportToFileOperator,
    LabelboxHook,
    ProjectExportOperator,
)
from labelbox_export_provider.airflow_compat import AirflowFailException, TaskDeferred
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.errors import ConfigurationError, HandleError
from labelbox_export_provider.export_task.task import ExportTask
from labelbox_export_provider.testing import FakeLabelbox, ManualClock, generate_rows
from labelbox_export_provider.testing.faults import FailedExport


def started_elsewhere(fake: FakeLabelbox) -> dict[str, Any]:
    """What a user of the app knows of an export: its id and its source."""
    with LabelboxHook().get_conn() as client:
        task = ExportTask.start(client, ProjectSource(project_id=fake.project_id), task_name="by hand")
    return {"export_id": task.uid, "source": {"kind": "project", "id": fake.project_id}}


def waited(export: Any, **options: Any) -> Any:
    """What the sensor returns."""
    sensor = ExportTaskSensor(task_id="wait", export=export, **{"poke_interval": 0.01, **options})
    context = context_of("wait")
    sensor.render_template_fields(context)
    try:
        return sensor.execute(context)
    except TaskDeferred as deferred:
        return resume(sensor, deferred, context)


def landed(export: Any, root: Path, **options: Any) -> Any:
    """What the transfer returns."""
    task = LabelboxExportToFileOperator(task_id="land", export="{{ x }}", root=str(root), **options)
    task.export = export
    return task.execute(context_of("land"))


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_sensor_makes_a_handle_of_it(fake: FakeLabelbox, deferrable: bool) -> None:
    """Dated by Labelbox, with the key's organization, and without a question that nobody here asked."""
    external = started_elsewhere(fake)
    result = waited(external, deferrable=deferrable)
    handle = ExportHandle.parse(result)
    assert (handle.export_id, handle.source.id) == (external["export_id"], fake.project_id)
    assert (handle.filters_digest, handle.fingerprint, handle.user_id, handle.window) == (None, None, None, None)
    assert handle.organization_id == fake.organization_id
    assert abs(handle.started_at - fake.exports[0].started_at) < timedelta(seconds=1)
    assert result["totals"]["result"]["rows"] == len(fake.rows_for())


def test_an_older_export_keeps_its_own_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of objects hold the day on which the export was started, not the one on which it is landed."""
    clock = ManualClock()
    with FakeLabelbox(generate_rows(2), clock=clock) as fake:
        for name, value in fake.airflow_environment().items():
            monkeypatch.setenv(name, value)
        external = started_elsewhere(fake)
        began = clock()
        clock.advance(3 * 86400)
        assert ExportHandle.parse(waited(external)).started_at == began


@pytest.mark.parametrize("how", ["sensor", "dict", "text"])
def test_a_transfer_lands_it(fake: FakeLabelbox, tmp_path: Path, how: str) -> None:
    """From the sensor's output, or by the same dict, which may be text."""
    external = started_elsewhere(fake)
    result = waited(external)
    export = {"sensor": result, "dict": external, "text": str(external)}[how]
    summary = landed(export, tmp_path)
    assert summary["rows"] == len(fake.rows_for())
    day = fake.exports[0].started_at.strftime("%Y-%m-%d")
    assert any(f"/id={fake.project_id}/dt={day}/" in name for name in files(tmp_path))


def test_a_dict_may_hold_templates(fake: FakeLabelbox) -> None:
    """The id comes from the trigger form as a rule; the rest is checked while parsing."""
    external = started_elsewhere(fake)
    with some_dag():
        sensor = ExportTaskSensor(
            task_id="wait", export={**external, "export_id": "{{ params.id }}"}, deferrable=False, poke_interval=0.01
        )
        with pytest.raises(ConfigurationError, match=r"source\.kind"):
            ExportTaskSensor(task_id="no", export={"export_id": "{{ x }}", "source": {"kind": "batch", "id": "b"}})
        with pytest.raises(ConfigurationError, match=r"started"):
            ExportTaskSensor(task_id="nor", export={**external, "started": "{{ x }}"})
    sensor.render_template_fields(context_of(params={"id": external["export_id"]}))
    assert sensor.execute(context_of("wait"))["export_id"] == external["export_id"]


@pytest.mark.parametrize("rerun", ["replace", "refuse"])
def test_only_add_is_taken(fake: FakeLabelbox, tmp_path: Path, rerun: Any) -> None:
    """What was asked is unknown, so that it cannot be compared; known while parsing, also behind a sensor."""
    external = started_elsewhere(fake)
    result = waited(external)
    with some_dag():
        wait = ExportTaskSensor(task_id="wait", export=external)
        for name, export in (("land", external), ("behind", wait.output)):
            with pytest.raises(ConfigurationError, match=f"rerun='{rerun}'"):
                LabelboxExportToFileOperator(task_id=name, export=export, root="/d", rerun=rerun)
    with pytest.raises(AirflowFailException, match=f"rerun='{rerun}'"):
        landed(result, tmp_path, rerun=rerun)
    with some_dag(default_args={"rerun": rerun}):
        task = LabelboxExportToFileOperator(task_id="land", export=external, root=str(tmp_path))
    assert task.execute(context_of("land"))["state"] == "ok"


def test_the_connection_is_that_of_the_task_or_of_the_dict(
    fake: FakeLabelbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handle names its connection; a dict may, and else the option or a default of the DAG does."""
    external = started_elsewhere(fake)
    monkeypatch.setenv("AIRFLOW_CONN_PROD", fake.airflow_connection())
    waited(external)
    monkeypatch.delenv("AIRFLOW_CONN_LABELBOX_DEFAULT")
    result = waited(external, labelbox_conn_id="prod")
    assert result["labelbox_conn_id"] == "prod"
    named = {**external, "labelbox_conn_id": "prod"}
    assert waited(named)["labelbox_conn_id"] == "prod"
    assert landed(named, tmp_path, compression=None)["rows"] == len(fake.rows_for())
    task = LabelboxExportToFileOperator(
        task_id="land", export=external, labelbox_conn_id="prod", root=str(tmp_path), compression=None
    )
    assert task.execute(context_of("land"))["rows"] == len(fake.rows_for())
    with some_dag(default_args={"labelbox_conn_id": "prod"}):
        task = LabelboxExportToFileOperator(task_id="land", export="{{ x }}", root=str(tmp_path), compression=None)
    task.export = external
    assert task.execute(context_of("land"))["rows"] == len(fake.rows_for())


def test_a_bare_id_is_enough_to_wait_but_not_to_land(fake: FakeLabelbox, tmp_path: Path) -> None:
    """Names of objects hold the source, so that an id alone is not enough to land."""
    external = started_elsewhere(fake)
    result = waited(external["export_id"])
    assert result["export_id"] == external["export_id"]
    for export in (result, external["export_id"]):
        with pytest.raises(AirflowFailException, match=r'export=\{"export_id": "\.\.\.", "source"'):
            landed(export, tmp_path)
    with pytest.raises(HandleError, match=r'export=\{"export_id": "\.\.\.", "source"'):
        LabelboxExportToFileOperator(task_id="land", export=external["export_id"], root="/d")


def test_a_failure_names_it_and_says_who_starts_a_new_one(fake: FakeLabelbox, tmp_path: Path) -> None:
    """No task can be cleared to start it again."""
    fake.faults.add(FailedExport())
    external = started_elsewhere(fake)
    fails: tuple[Callable[[], object], ...] = (lambda: waited(external), lambda: landed(external, tmp_path))
    for fail in fails:
        with pytest.raises(AirflowFailException) as failure:
            fail()
        text = str(failure.value)
        assert external["export_id"] in text
        assert f"project {fake.project_id}" in text
        assert "start a new export in Labelbox" in text
        assert "clear the task that starts" not in text


def test_an_unknown_id_is_said_so(fake: FakeLabelbox, tmp_path: Path) -> None:
    """Without a retry, naming the id."""
    external = {"export_id": "clxunknown", "source": {"kind": "dataset", "id": "cld1"}}
    with pytest.raises(AirflowFailException, match="clxunknown"):
        landed(external, tmp_path)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ({"kind": "catalog", "id": "mine"}, "'all'"),
        ({"kind": "project", "id": "my project"}, "without spaces"),
        ({"kind": "project"}, "source.id"),
        ("clp1", "source"),
    ],
)
def test_a_source_that_is_none_is_refused_while_parsing(source: Any, word: str) -> None:
    """The message names the member and shows a whole line."""
    with pytest.raises(HandleError, match=word):
        ExportTaskSensor(task_id="wait", export={"export_id": "clx1", "source": source})


def test_a_handle_of_ours_is_no_external_one(fake: FakeLabelbox) -> None:
    """What a start returned keeps all that it knew."""
    handle = ProjectExportOperator(
        task_id="start", project_id=fake.project_id, window=FixedWindow("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z")
    ).execute(context_of())
    assert not ExportHandle.parse(handle).external
    with pytest.raises(HandleError, match="belong together"):
        ExportHandle.parse({**handle, "filters_digest": None})
