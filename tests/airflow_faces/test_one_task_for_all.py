"""A transfer with source=: one task starts or adopts an export, rests while time has to pass, and lands it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import Context
from support.airflow.tasks import NIGHT, StateStore, TaskInstance, context_of, some_dag
from support.airflow.triggers import resume
from support.airflow.versions import DagSerialization
from support.stores.servers import files

from labelbox_export_provider import (
    DataIntervalWindow,
    FixedWindow,
    LabelboxExportToFileOperator,
    LabelboxExportToS3Operator,
    ProjectExportOperator,
)
from labelbox_export_provider.airflow_compat import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)
from labelbox_export_provider.domain.request.sources import CatalogSource, ProjectSource, SliceSource
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import (
    CanceledExport,
    ErrorRows,
    FailedExport,
    GraphQLErrorAnswer,
    RateLimited,
    SlowExport,
    TruncatedFile,
)
from labelbox_export_provider.triggers.export_task import ExportTaskTrigger

START = "exportDataRowsInProject"
JOB = "labelbox_export_provider.execution.export_job"


class Run:
    """One task instance of one DAG run: what stays between its tries, and a clock that moves when it is deferred."""

    def __init__(self, make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.make = make
        self.store = StateStore()
        self.ti = TaskInstance(task_id="land", max_tries=3)
        self.now = datetime(2026, 11, 24, tzinfo=timezone.utc)
        self.rests: list[datetime] = []
        monkeypatch.setattr(f"{JOB}.utc_now", lambda: self.now)

    def context(self) -> Context:
        return context_of("land", store=self.store, ti=self.ti)

    def execute(self) -> Any:
        """One phase on a worker: a result, or `TaskDeferred`."""
        task = self.make()
        task.render_template_fields(self.context())
        return task.execute(self.context())

    def to_the_end(self) -> Any:
        """One try with all its phases; time passes while it rests."""
        try:
            return self.execute()
        except TaskDeferred as first:
            deferred = first
        while True:
            try:
                return self.resumed(deferred)
            except TaskDeferred as again:
                deferred = again

    def resumed(self, deferred: TaskDeferred) -> Any:
        """The next phase, on another worker: a result, or `TaskDeferred` again."""
        context = self.context()
        task = self.make()
        task.render_template_fields(context)
        if isinstance(deferred.trigger, DateTimeTrigger):
            self.now = max(self.now, deferred.trigger.moment)
            self.rests.append(deferred.trigger.moment)
            kwargs = json.loads(json.dumps(deferred.kwargs or {}))
            return task.resume_execution(deferred.method_name, {**kwargs, "event": None}, context)
        return resume(task, deferred, context)

    def retried(self) -> Run:
        """Airflow tries again: the XComs of the last try are gone, the state store is not."""
        self.ti = replace(self.ti, try_number=self.ti.try_number + 1, xcoms={})
        return self

    def cleared(self) -> Run:
        """Its user clears the task."""
        self.ti = replace(self.ti, try_number=self.ti.try_number + 1, max_tries=self.ti.max_tries + 1, xcoms={})
        return self


@pytest.fixture
def run(fake: FakeLabelbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    def make(**options: Any) -> Run:
        values = {
            "source": ProjectSource(project_id=fake.project_id),
            "window": DataIntervalWindow(),
            "poke_interval": 0.01,
            "root": str(tmp_path),
            "compression": None,
            **options,
        }
        return Run(lambda: LabelboxExportToFileOperator(task_id="land", **values), monkeypatch)

    return make


def landed(folder: Path) -> list[bytes]:
    return sorted(
        line
        for name, content in files(folder).items()
        if name.startswith("data/")
        for line in content.splitlines(keepends=True)
    )


def expected_rows(fake: FakeLabelbox) -> list[bytes]:
    return sorted(line.rstrip(b"\n") + b"\n" for line in fake.rows_for(start=NIGHT[0], end=NIGHT[1]))


# --- the whole job


def test_one_task_starts_waits_without_a_worker_and_lands_the_night(
    fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path
) -> None:
    one = run()
    with pytest.raises(TaskDeferred) as deferred:
        one.execute()
    assert isinstance(deferred.value.trigger, ExportTaskTrigger)
    assert landed(tmp_path) == []
    summary = one.to_the_end()
    assert landed(tmp_path) == expected_rows(fake)
    assert summary["rows"] == len(expected_rows(fake)) > 0
    assert summary["export_id"] == fake.exports[0].export_id
    assert len(fake.exports) == 1


def test_the_link_to_the_source_is_there_while_the_task_waits(fake: FakeLabelbox, run: Callable[..., Run]) -> None:
    one = run()
    with pytest.raises(TaskDeferred):
        one.execute()
    assert one.ti.xcoms["labelbox_source_link"].endswith(fake.project_id)


@pytest.mark.parametrize("ending", [FailedExport(), CanceledExport()])
def test_an_export_that_ends_badly_uses_a_retry_which_starts_a_new_one(
    fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path, ending: Any
) -> None:
    fake.faults.add(ending)
    one = run()
    with pytest.raises(AirflowException, match="retry:     starts a new export") as failure:
        one.to_the_end()
    assert not isinstance(failure.value, AirflowFailException)
    one.retried().to_the_end()
    assert len(fake.exports) == 2
    assert landed(tmp_path) == expected_rows(fake)


def test_a_try_that_dies_while_waiting_or_landing_is_followed_by_the_same_export(
    fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path
) -> None:
    fake.faults.add(TruncatedFile(times=None))
    one = run()
    with pytest.raises(TaskDeferred):
        one.execute()
    with pytest.raises(AirflowException, match="reads the same export again"):
        one.retried().to_the_end()
    fake.faults.clear()
    one.retried().to_the_end()
    assert len(fake.exports) == 1
    assert landed(tmp_path) == expected_rows(fake)


def test_an_adopted_export_that_has_ended_already_is_landed_without_another_wait(
    fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path
) -> None:
    one = run()
    with pytest.raises(TaskDeferred):
        one.execute()
    one.retried().execute()
    assert landed(tmp_path) == expected_rows(fake)


def test_cleared_after_failure_it_goes_on_with_the_export_and_cleared_after_success_it_starts_anew(
    fake: FakeLabelbox, run: Callable[..., Run]
) -> None:
    one = run()
    with pytest.raises(TaskDeferred):
        one.execute()
    one.cleared().to_the_end()
    assert len(fake.exports) == 1
    one.cleared().to_the_end()
    assert len(fake.exports) == 2


def test_clearing_after_a_failure_that_only_a_new_export_heals_starts_one(
    fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path
) -> None:
    fake.faults.add(ErrorRows())
    one = run()
    with pytest.raises(AirflowFailException, match="max_error_rows"):
        one.to_the_end()
    one.cleared().to_the_end()
    assert len(fake.exports) == 2
    assert landed(tmp_path) == expected_rows(fake)


def test_an_export_without_rows_skips_the_task_and_counts_as_handed_over(
    fake: FakeLabelbox, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelbox_export_provider.client.polling.EMPTY_AGAIN_AFTER", 0.1)
    one = run(on_empty="skip_task", window=FixedWindow("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"))
    with pytest.raises(AirflowSkipException):
        one.to_the_end()
    with pytest.raises(AirflowSkipException):
        one.cleared().to_the_end()
    assert len(fake.exports) == 2


@pytest.mark.parametrize("cancels", [False, True])
def test_cancel_on_kill_reaches_the_trigger(
    fake: FakeLabelbox, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, cancels: bool
) -> None:
    """A transfer with `source=` and an operator that waits hand `cancel_on_kill` to the trigger, as the sensor does."""
    fake.faults.add(SlowExport(times=2))
    waits = lambda: ProjectExportOperator(  # noqa: E731  one of two ways to make the task of a run
        task_id="start", project_id=fake.project_id, wait_for_completion=True, cancel_on_kill=cancels
    )
    for one in (run(cancel_on_kill=cancels), Run(waits, monkeypatch)):
        with pytest.raises(TaskDeferred) as deferred:
            one.execute()
        assert deferred.value.trigger.serialize()[1]["cancel_on_kill"] is cancels


# --- rests: a window that has not settled, and too many running exports


def test_a_start_before_the_window_has_settled_rests_until_then_and_says_so(
    fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = run(window=DataIntervalWindow(settle=timedelta(minutes=30)))
    one.now = NIGHT[1] + timedelta(seconds=10)
    with pytest.raises(TaskDeferred) as deferred:
        one.execute()
    assert isinstance(deferred.value.trigger, DateTimeTrigger)
    assert deferred.value.trigger.moment >= NIGHT[1] + timedelta(minutes=30)
    assert fake.exports == []
    said = capsys.readouterr().out
    assert "2026-11-23T02:30:00" in said
    assert "settles" in said
    one.to_the_end()
    assert landed(tmp_path) == expected_rows(fake)


def test_an_operator_rests_for_its_window_as_well(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    make = lambda: ProjectExportOperator(  # noqa: E731  one of two ways to make the task of a run
        task_id="start", project_id=fake.project_id, window=DataIntervalWindow(settle=timedelta(hours=1))
    )
    one = Run(make, monkeypatch)
    one.now = NIGHT[1]
    handle = one.to_the_end()
    assert one.rests == [max(NIGHT[1] + timedelta(hours=1), one.rests[0])]
    assert handle["window"]["end"] == "2026-11-23T02:00:00Z"
    assert len(fake.exports) == 1


def test_a_window_whose_end_is_more_than_a_day_ahead_is_refused_without_a_retry(
    fake: FakeLabelbox, run: Callable[..., Run]
) -> None:
    one = run()
    one.now = NIGHT[1] - timedelta(days=2)
    with pytest.raises(AirflowFailException, match="more than a day"):
        one.to_the_end()
    assert fake.exports == []


@pytest.mark.parametrize("form", ["graphql", "http", "not_allowed"])
def test_while_too_many_exports_run_it_rests_and_tries_again_with_growing_pauses(
    fake: FakeLabelbox,
    run: Callable[..., Run],
    form: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake.change(running_exports_per_project=0, running_limit_form=form)
    one = run(poke_interval=20)
    refused = []
    phase = one.execute
    for _ in range(4):
        with pytest.raises(TaskDeferred) as deferred:
            phase()
        assert isinstance(deferred.value.trigger, DateTimeTrigger)
        refused.append((deferred.value.trigger.moment - pendulum.instance(one.now)).total_seconds())
        phase = functools.partial(one.resumed, deferred.value)
    assert refused[3] > refused[0]
    assert "no retry is used up" in capsys.readouterr().out
    assert "XCom not found" not in caplog.text
    assert fake.exports == []
    fake.change(running_exports_per_project=10)
    with pytest.raises(TaskDeferred) as waiting:
        phase()
    assert isinstance(waiting.value.trigger, ExportTaskTrigger)
    assert len(fake.exports) == 1


def test_starts_that_were_refused_together_do_not_come_back_together(
    fake: FakeLabelbox, run: Callable[..., Run]
) -> None:
    fake.change(running_exports_per_project=0)
    pauses = set()
    for index in range(5):
        one = run(poke_interval=200)
        one.ti.map_index = index
        with pytest.raises(TaskDeferred) as deferred:
            one.execute()
        pauses.add(round((deferred.value.trigger.moment - one.now).total_seconds(), 3))
    assert len(pauses) == 5
    assert all(99 < pause < 301 for pause in pauses)


def test_past_limit_timeout_the_try_fails_with_the_whole_message_and_the_next_one_waits_anew(
    fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path
) -> None:
    fake.change(running_exports_per_project=0)
    one = run(limit_timeout=timedelta(minutes=10))
    began = one.now
    with pytest.raises(AirflowException) as failure:
        one.to_the_end()
    assert not isinstance(failure.value, AirflowFailException)
    assert timedelta(minutes=10) <= one.now - began < timedelta(minutes=11)
    message = str(failure.value)
    for word in ("limit_timeout", "source:", "window:", "link:", "try:", "retry:", "to do:"):
        assert word in message
    fake.change(running_exports_per_project=10)
    one.retried().to_the_end()
    assert landed(tmp_path) == expected_rows(fake)


def test_a_retry_after_a_refusal_does_not_wait_for_an_export_that_was_never_started(
    fake: FakeLabelbox, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    fake.faults.add(GraphQLErrorAnswer(operation=START, code="RESOURCE_CONFLICT", message="no"))
    one = run()
    with pytest.raises(AirflowFailException):
        one.to_the_end()
    with pytest.raises(TaskDeferred):
        one.cleared().execute()
    assert slept == []
    assert len(fake.exports) == 1


def test_too_many_requests_past_the_bound_of_one_look_rest_as_well(
    fake: FakeLabelbox, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    fake.faults.add(RateLimited(operation=START, retry_after=400.0))
    one = run()
    with pytest.raises(TaskDeferred) as deferred:
        one.execute()
    assert deferred.value.trigger.moment - one.now >= timedelta(seconds=400)


# --- options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": None}, ["export=", "source=", "neither"]),
        ({"export": "{{ x }}"}, ["export=", "source=", "both"]),
        ({"source": None, "export": "{{ x }}", "window": DataIntervalWindow()}, ["window=", "source="]),
        ({"source": None, "window": None, "export": "{{ x }}", "task_name": "a"}, ["task_name=", "source="]),
        ({"source": None, "window": None, "export": "{{ x }}", "labelbox_conn_id": "a"}, ["labelbox_conn_id="]),
        ({"source": None, "window": None, "export": "{{ x }}", "adopt_within": 3}, ["adopt_within="]),
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
        ({"limit_timeout": 0}, ["limit_timeout=0"]),
        ({"cancel_on_kill": "yes"}, ["cancel_on_kill='yes'", "True or False"]),
        ({"timeout": "an hour"}, ["timeout='an hour'"]),
        ({"adopt_within": timedelta(0)}, ["adopt_within="]),
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
    assert (fake.exports[0].name or "").startswith("nightly all")


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
def test_a_source_that_a_template_emptied_is_refused_before_the_first_call(
    fake: FakeLabelbox, tmp_path: Path, source: Any, name: str
) -> None:
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


def test_of_two_runs_each_starts_its_own_and_a_changed_mapping_does_not_adopt_a_neighbours_export(
    fake: FakeLabelbox, run: Callable[..., Run]
) -> None:
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
