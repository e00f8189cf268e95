"""The options of a transfer with `source=`: refused, templated, mapped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.airflow.one_task import Run, expected_rows, landed
from support.airflow.tasks import StateStore, context_of, some_dag
from support.airflow.triggers import resume
from support.airflow.versions import DagSerialization

from labelbox_export_provider import (
    DataIntervalWindow,
    FixedWindow,
    LabelboxExportToFileOperator,
    LabelboxExportToS3Operator,
)
from labelbox_export_provider.airflow_compat import AirflowFailException, TaskDeferred
from labelbox_export_provider.domain.request.sources import CatalogSource, ProjectSource, SliceSource
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.testing import FakeLabelbox


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": None}, ["export=", "source=", "neither"]),
        ({"export": "{{ x }}"}, ["export=", "source=", "both"]),
        ({"source": None, "export": "{{ x }}", "window": DataIntervalWindow()}, ["window=", "source="]),
        ({"source": None, "window": None, "export": "{{ x }}", "task_name": "a"}, ["task_name=", "source="]),
        ({"source": None, "window": None, "export": "{{ x }}", "labelbox_conn_id": "a"}, ["labelbox_conn_id="]),
        ({"source": None, "window": None, "export": "{{ x }}", "limit_timeout": 3}, ["limit_timeout="]),
        ({"source": None, "window": None, "export": "{{ x }}", "cancel_on_kill": True}, ["cancel_on_kill="]),
        ({"source": None, "window": None, "export": "{{ x }}", "timeout": 3}, ["timeout="]),
        ({"source": "clp1"}, ["source=", "ProjectSource", "'clp1'"]),
        ({"source": {"project_id": "clp1"}}, ["kind", "'model_run'"]),
        ({"source": {"kind": "projects", "project_id": "clp1"}}, ["kind", "'project'"]),
        ({"source": {"kind": "project", "projectid": "clp1"}}, ["projectid", "project_id"]),
        ({"source": {"kind": "project", "project_id": ""}}, ["project_id"]),
        ({"source": {"kind": "project", "project_id": "{{ x }}", "filters": {"labelled": 1}}}, ["labelled"]),
        ({"source": {"kind": "project", "project_id": "c", "export_params": {"labels": True}}}, ["labels"]),
        ({"source": SliceSource(slice_id="c")}, ["window="]),
        ({"source": CatalogSource(everything=True)}, ["everything"]),
        ({"source": {"kind": "catalog"}, "window": None}, ["everything=True"]),
        (
            {"source": {"kind": "project", "project_id": "c", "filters": {"last_activity_at": ["2026-01-01", None]}}},
            ["window=", "last_activity_at"],
        ),
        ({"source": None, "window": None, "export": "{{ x }}", "on_denied": "fail"}, ["on_denied=", "source="]),
        ({"on_denied": "skip"}, ["on_denied='skip'", "'fail', 'skip_task'"]),
        ({"limit_timeout": 0}, ["limit_timeout=0"]),
        ({"cancel_on_kill": "yes"}, ["cancel_on_kill='yes'", "True or False"]),
        ({"timeout": "an hour"}, ["timeout='an hour'"]),
        ({"poke_interval": -1}, ["poke_interval=-1"]),
    ],
)
def test_a_wrong_option_fails_while_the_dag_is_parsed(options: dict[str, Any], words: list[str]) -> None:
    given = {"source": {"kind": "project", "project_id": "clp1"}, "window": DataIntervalWindow(), **options}
    with pytest.raises(ConfigurationError) as refusal:
        LabelboxExportToS3Operator(task_id="land", s3_bucket="lake", s3_prefix="labelbox", **given)
    assert [word for word in words if word not in str(refusal.value)] == []


def test_every_field_may_be_templated_in_a_dag_that_has_params(
    fake: FakeLabelbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = {"id": fake.project_id, "root": str(tmp_path), "start": "2026-11-22T02:00:00Z", "on": True, "conn": "x"}
    with some_dag(params=params):
        task = LabelboxExportToFileOperator(
            task_id="land",
            source={
                "kind": "{{ 'project' }}",
                "project_id": "{{ params.id }}",
                "export_params": {"label_details": "{{ params.on }}"},
            },
            window=FixedWindow("{{ params.start }}", "2026-11-23T02:00:00Z"),
            labelbox_conn_id="labelbox_{{ 'default' }}",
            task_name="{{ dag.dag_id }} all",
            root="{{ params.root }}",
            poke_interval=0.01,
            compression=None,
        )
    one = Run(lambda: task, monkeypatch)
    context = context_of("land", store=one.store, ti=one.ti, params=params, dag=task.dag)
    task.render_template_fields(context)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    resume(task, deferred.value, context)
    assert len(landed(tmp_path)) == len(expected_rows(fake)) > 0
    assert fake.exports[0].params["includeLabelDetails"] is True
    assert (fake.exports[0].name or "").endswith("] nightly all 2026-11-22")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("{{ params.none }}", "source"),
        ({"kind": "project", "project_id": "{{ params.none }}"}, "project_id"),
        (
            {"kind": "project", "project_id": "c", "filters": {"workflow_status": "{{ params.none }}"}},
            "workflow_status",
        ),
    ],
)
def test_a_source_that_a_template_emptied_is_refused(
    fake: FakeLabelbox, tmp_path: Path, source: Any, name: str
) -> None:
    """A source that a template emptied is refused before the first call."""
    task = LabelboxExportToFileOperator(task_id="land", source=source, root=str(tmp_path))
    context = context_of("land", store=StateStore()) | {"params": {"none": None}}
    task.render_template_fields(context)
    with pytest.raises(AirflowFailException, match=name):
        task.execute(context)
    assert fake.exports == []


def test_a_source_may_be_text_that_a_template_made_of_a_dict(
    fake: FakeLabelbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = json.dumps({"kind": "project", "project_id": fake.project_id})
    one = Run(
        lambda: LabelboxExportToFileOperator(
            task_id="land", source="{{ params.source }}", root=str(tmp_path), poke_interval=0.01
        ),
        monkeypatch,
    )
    task, context = one.make(), one.context() | {"params": {"source": source}}
    task.render_template_fields(context)
    with pytest.raises(TaskDeferred):
        task.execute(context)
    assert fake.exports[0].source_id == fake.project_id


def test_it_may_be_mapped_over_sources_that_are_models_or_dicts(tmp_path: Path) -> None:
    with some_dag() as dag:
        LabelboxExportToFileOperator.partial(
            task_id="land", root=str(tmp_path), window=DataIntervalWindow(), pool="labelbox"
        ).expand(source=[ProjectSource(project_id="clp1"), {"kind": "dataset", "dataset_id": "cld1"}])
    assert DagSerialization.serialize_dag(dag)["dag_id"] == "nightly"
    unmapped: Any = dag.task_dict["land"].unmap({"source": ProjectSource(project_id="clp1")})
    assert unmapped.source == {"kind": "project", "project_id": "clp1"}


def test_runs_and_mapped_tasks_start_their_own_exports(fake: FakeLabelbox, run: Callable[..., Run]) -> None:
    """Each run starts its own export, and a changed mapping does not adopt a neighbour's."""
    first = run(source=ProjectSource(project_id=fake.project_id, filters={"workflow_status": "Done"}))
    first.ti.map_index = 0
    with pytest.raises(TaskDeferred):
        first.execute()
    # The list that the task is mapped over has changed: the same place in it asks for something else now.
    second = run(source=ProjectSource(project_id=fake.project_id))
    second.store, second.ti = first.store, replace(first.ti, try_number=2, xcoms={})
    with pytest.raises(TaskDeferred):
        second.execute()
    assert len({export.export_id for export in fake.exports}) == 2
