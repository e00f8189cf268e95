"""ProjectExportOperator: what it starts, what it returns, and what it refuses."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.sdk import Context, Param
from airflow.sdk.types import TaskInstanceKey
from support.airflow.tasks import NIGHT, StateStore, TaskInstance, context_of, instance_of, some_dag
from support.airflow.triggers import resume

from labelbox_export_provider import (
    DataIntervalWindow,
    DatasetExportOperator,
    ExportTaskSensor,
    FixedWindow,
    LabelboxExportToFileOperator,
    ProjectExportOperator,
)
from labelbox_export_provider.airflow_compat import AirflowException, AirflowFailException, TaskDeferred
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.links.source_page import LabelboxSourceLink
from labelbox_export_provider.params import ProjectExportParams, ProjectFilters
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.accounts import FakeUser
from labelbox_export_provider.testing.faults import FailedExport, GraphQLErrorAnswer, HtmlAnswer, LostAnswer, SlowExport


def start_of(fake: FakeLabelbox, **options: Any) -> ProjectExportOperator:
    return ProjectExportOperator(task_id="start", project_id=options.pop("project_id", fake.project_id), **options)


def rendered(task: Any, context: Context) -> Any:
    task.render_template_fields(context)
    return task


def failure_of(task: Any, context: Context) -> str:
    with pytest.raises(AirflowFailException) as failure:
        task.execute(context)
    return str(failure.value)


def test_it_starts_one_export_and_returns_a_handle_that_sensors_and_transfers_accept(fake: FakeLabelbox) -> None:
    handle = start_of(fake, window=DataIntervalWindow()).execute(context_of())
    [export] = fake.exports
    assert ExportHandle.parse(handle).export_id == export.export_id
    assert (handle["source"], handle["adopted"]) == ({"kind": "project", "id": fake.project_id}, False)
    assert handle["window"]["start"] == "2026-11-22T02:00:00Z"
    assert handle["window"]["queried_end"] == "2026-11-23T02:00:01Z"


def test_a_retry_after_a_crash_before_the_handle_was_returned_adopts_the_export(fake: FakeLabelbox) -> None:
    store = StateStore()
    first = start_of(fake).execute(context_of(store=store))
    second = start_of(fake).execute(context_of(store=store, ti=TaskInstance(try_number=2)))
    assert (second["export_id"], second["adopted"]) == (first["export_id"], True)
    assert len(fake.exports) == 1


def test_a_task_that_had_succeeded_and_is_cleared_starts_a_new_export(fake: FakeLabelbox) -> None:
    store = StateStore()
    first = start_of(fake).execute(context_of(store=store))
    second = start_of(fake).execute(context_of(store=store, ti=TaskInstance(try_number=2, max_tries=4)))
    assert (second["export_id"] != first["export_id"], second["adopted"]) == (True, False)


def test_a_success_cleared_after_retries_was_lowered_starts_a_new_export_though_max_tries_is_as_it_was(
    fake: FakeLabelbox,
) -> None:
    store = StateStore()
    first = start_of(fake).execute(context_of(store=store, dag_run=SimpleNamespace(clear_number=0)))
    # Airflow gives a cleared task its tries so far and its retries: 1 + 2 after 0 + 3.
    again = context_of(store=store, ti=TaskInstance(try_number=2), dag_run=SimpleNamespace(clear_number=1))
    second = start_of(fake).execute(again)
    assert (second["export_id"] != first["export_id"], second["adopted"]) == (True, False)


def test_without_a_state_store_the_name_alone_finds_the_export(fake: FakeLabelbox) -> None:
    first = start_of(fake).execute(context_of())
    assert start_of(fake).execute(context_of())["export_id"] == first["export_id"]
    assert len(fake.exports) == 1


def test_without_a_store_a_retry_adopts_after_a_sibling_was_cleared(fake: FakeLabelbox) -> None:
    """Clearing any task of a run raises the run's clear_number, and must not make a retry of this one start again."""
    first = start_of(fake).execute(context_of(dag_run=SimpleNamespace(clear_number=0)))
    retry = context_of(ti=TaskInstance(try_number=2), dag_run=SimpleNamespace(clear_number=1))
    second = start_of(fake).execute(retry)
    assert (second["export_id"], second["adopted"]) == (first["export_id"], True)


def test_without_a_store_a_cleared_task_starts_a_new_export(fake: FakeLabelbox) -> None:
    """`max_tries` rises for the cleared task alone."""
    first = start_of(fake).execute(context_of())
    second = start_of(fake).execute(context_of(ti=TaskInstance(try_number=2, max_tries=4)))
    assert (second["export_id"] != first["export_id"], second["adopted"]) == (True, False)


def test_a_lost_answer_to_the_start_is_followed_by_a_look_not_by_a_second_start(fake: FakeLabelbox) -> None:
    fake.faults.add(LostAnswer(operation="exportDataRowsInProject", carried_out=True))
    handle = start_of(fake).execute(context_of(store=StateStore()))
    assert [export.export_id for export in fake.exports] == [handle["export_id"]]


def test_mapped_tasks_of_one_run_start_an_export_each(fake: FakeLabelbox) -> None:
    for index in range(3):
        start_of(fake).execute(context_of(ti=TaskInstance(map_index=index)))
    assert len({export.name for export in fake.exports}) == 3


def test_the_name_in_labelbox_begins_with_dag_and_task_or_with_task_name(fake: FakeLabelbox) -> None:
    start_of(fake).execute(context_of())
    start_of(fake, task_name="Nightly cars").execute(context_of())
    assert [str(export.name).partition(" [")[0] for export in fake.exports] == ["nightly start", "Nightly cars"]


def test_the_link_to_the_project_is_pushed_as_soon_as_the_export_runs(fake: FakeLabelbox) -> None:
    context = context_of()
    start_of(fake).execute(context)
    link = instance_of(context).xcoms["labelbox_source_link"]
    assert link == f"https://app.labelbox.com/projects/{fake.project_id}"


def test_the_link_is_known_without_asking_for_an_xcom(fake: FakeLabelbox, tmp_path: Path) -> None:
    """Airflow logs an error about an XCom that is not there, so the link comes from the options or the handle."""
    page = f"https://app.labelbox.com/projects/{fake.project_id}"
    start = start_of(fake)
    handle = start.execute(context_of())
    with some_dag():
        land = {"root": str(tmp_path)}
        whole = LabelboxExportToFileOperator(task_id="w", source=ProjectSource(project_id=fake.project_id), **land)
        later = LabelboxExportToFileOperator(task_id="l", export=handle, **land)
        other = DatasetExportOperator(task_id="d", dataset_id="cldataset0000000000000000")
    key = TaskInstanceKey("nightly", "start", "scheduled__2026-11-23")
    links = [LabelboxSourceLink().get_link(task, ti_key=key) for task in (start, whole, later, other)]
    assert links == [page, page, page, ""]
    later.export = {"v": 1}
    assert LabelboxSourceLink().get_link(later, ti_key=key) == ""


def test_every_field_may_be_templated_inside_params_and_filters_too(fake: FakeLabelbox) -> None:
    with some_dag(params={"project": fake.project_id, "details": True, "since": "2026-11-21"}):
        start = ProjectExportOperator(
            task_id="start",
            project_id="{{ params.project }}",
            export_params={"label_details": "{{ params.details }}"},
            filters={"label_created_at": ["{{ params.since }}", None], "workflow_status": "{{ 'Done' }}"},
            window=FixedWindow("{{ data_interval_start }}", "{{ data_interval_end }}"),
            labelbox_conn_id="labelbox_{{ 'default' }}",
            task_name="of {{ params.since }}",
        )
    params = {"project": fake.project_id, "details": True, "since": "2026-11-21"}
    handle = rendered(start, context_of(params=params)).execute(context_of())
    assert handle["window"]["start"] == "2026-11-22T02:00:00Z"
    query = handle["query"]["filters"]["searchQuery"]["query"]
    assert [entry["type"] for entry in query] == ["labeled_at", "task_queue_status", "data_row_last_activity_at"]
    assert handle["query"]["params"]["includeLabelDetails"] is True


@pytest.mark.parametrize("empty", ["", "None", "  "])
@pytest.mark.parametrize("option", ["project_id", "filters", "export_params", "window", "labelbox_conn_id"])
def test_a_template_that_renders_empty_or_to_none_is_refused_before_the_first_call(
    fake: FakeLabelbox, option: str, empty: str
) -> None:
    values: dict[str, Any] = {
        "project_id": "{{ params.it }}",
        "filters": {"workflow_status": "{{ params.it }}"},
        "export_params": {"attachments": "{{ params.it }}"},
        "window": FixedWindow("{{ params.it }}", "2026-11-22T00:00:00Z"),
        "labelbox_conn_id": "{{ params.it }}",
    }
    start = start_of(fake, **{option: values[option]})
    text = failure_of(rendered(start, context_of(params={"it": empty})), context_of())
    assert "rendered to" in text
    assert option in text
    assert fake.requests.api == []


@pytest.mark.parametrize(
    "options",
    [
        {"filters": {"workflow_status": "{{ params.it }}"}},
        {"filters": {"last_activity_at": ["{{ params.it }}", None]}},
        {"filters": "{{ params.it }}"},
        {"export_params": {"attachments": "{{ params.it }}"}},
        {"project_id": "{{ params.it }}"},
    ],
)
def test_with_native_rendering_a_real_none_is_refused_as_well(fake: FakeLabelbox, options: dict[str, Any]) -> None:
    with some_dag(render_template_as_native_obj=True, params={"it": None}):
        start = start_of(fake, **options)
    text = failure_of(rendered(start, context_of(params={"it": None})), context_of())
    assert "rendered to None" in text
    assert fake.requests.api == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"export_params": {"atachments": True}}, ["'atachments'", "'attachments'", "project exports"]),
        ({"export_params": {"predictions": True}}, ["'predictions'", "project exports", "Valid names"]),
        ({"export_params": {"attachments": "perhaps"}}, ["'attachments'", "'perhaps'"]),
        ({"export_params": ["attachments"]}, ["mapping"]),
        ({"filters": {"status": "Done"}}, ["'status'", "workflow_status"]),
        ({"filters": {"workflow_status": "Finished"}}, ["'Finished'", "ToLabel"]),
        ({"filters": {"data_row_ids": ["a"], "global_keys": ["b"]}}, ["data_row_ids", "global_keys", "exclude"]),
        ({"filters": {"data_row_ids": []}}, ["data_row_ids", "empty"]),
        ({"filters": {"global_keys": [f"k{n}" for n in range(2001)]}}, ["2001", "2,000", "expand()"]),
        ({"filters": {"last_activity_at": ["10/01/2024", None]}}, ["'10/01/2024'", "YYYY-MM-DD"]),
        ({"filters": {"last_activity_at": ["2024-02-01", "2024-01-01"]}}, ["end is before the start"]),
        ({"filters": {"last_activity_at": ["2024-01-01", None]}, "window": DataIntervalWindow()}, ["Both window="]),
        ({"window": "nightly"}, ["DataIntervalWindow()", "'nightly'"]),
        ({"window": {"kind": "data_interval", "lookbak": 1}}, ["'lookbak'"]),
        ({"project_id": "my project"}, ["'project_id'", "'my project'"]),
        ({"project_id": ""}, ["'project_id'", "''"]),
        ({"adopt_within": timedelta(0)}, ["adopt_within"]),
    ],
)
def test_a_wrong_literal_fails_while_the_dag_is_parsed(options: dict[str, Any], words: list[str]) -> None:
    """A bad setting fails at parse time or before the first call."""
    with pytest.raises(ConfigurationError) as refusal:
        ProjectExportOperator(**{"task_id": "start", "project_id": "clp1", **options})
    assert [word for word in words if word not in str(refusal.value)] == []


@pytest.mark.parametrize("given", [{"attachments": True}, {"attachments": Param(True)}])
def test_params_given_by_mistake_are_refused_with_the_right_name(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="export_params="):
        ProjectExportOperator(task_id="start", project_id="clp1", params=given)


def test_a_model_given_as_params_is_refused_while_the_dag_is_parsed() -> None:
    with pytest.raises((ConfigurationError, TypeError, ValueError, AirflowException)):
        ProjectExportOperator(task_id="start", project_id="clp1", params=ProjectExportParams(attachments=True))


def test_a_dag_may_have_params_of_the_same_names_as_export_params(fake: FakeLabelbox) -> None:
    with some_dag(params={"attachments": True, "project_details": Param(False, type="boolean")}):
        start = start_of(fake, export_params={"attachments": "{{ params.attachments }}"})
        sensor = ExportTaskSensor(task_id="wait", export=start.output)
    assert sensor.params["attachments"] is True
    handle = rendered(start, context_of(params={"attachments": True})).execute(context_of())
    assert handle["query"]["params"]["includeAttachments"] is True


def test_models_and_aware_dates_are_taken_as_well_as_plain_values(fake: FakeLabelbox) -> None:
    start = start_of(
        fake,
        export_params=ProjectExportParams(project_details=True),
        filters=ProjectFilters(last_activity_at=(pendulum.datetime(2026, 11, 21, tz="Europe/Berlin"), None)),
    )
    handle = start.execute(context_of())
    [entry] = handle["query"]["filters"]["searchQuery"]["query"]
    assert entry["value"]["value"] == "2026-11-20T23:00:00+0000"


def test_dates_without_offset_are_read_in_the_key_owners_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeLabelbox(user=FakeUser(timezone="America/New_York")) as fake:
        monkeypatch.setenv("AIRFLOW_CONN_LABELBOX_DEFAULT", fake.airflow_connection())
        handle = start_of(fake, filters={"last_activity_at": ["2026-07-01", "2026-07-02 12:00:00"]}).execute(
            context_of()
        )
    [entry] = handle["query"]["filters"]["searchQuery"]["query"]
    assert entry["value"] == {
        "operator": "BETWEEN",
        "timezone": "UTC",
        "value": {"min": "2026-07-01T04:00:00+0000", "max": "2026-07-02T16:00:00+0000"},
    }


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        (None, ["has no data interval", "CronDataIntervalTimetable"]),
        ((NIGHT[0], NIGHT[0]), ["zero width", "CronDataIntervalTimetable", "catchup=True"]),
    ],
)
def test_a_run_without_a_usable_interval_is_refused_with_the_timetable_to_use(
    fake: FakeLabelbox, interval: tuple[datetime, datetime] | None, words: list[str]
) -> None:
    text = failure_of(start_of(fake, window=DataIntervalWindow()), context_of(interval=interval))
    assert [word for word in words if word not in text] == []
    assert fake.exports == []


def test_a_window_turns_data_row_details_on_unless_it_is_not_trimmed(fake: FakeLabelbox) -> None:
    for trim in (None, False):
        start_of(fake, window=DataIntervalWindow(trim=trim), task_name=f"trim {trim}").execute(context_of())
    details = [export.params["includeDataRowDetails"] for export in fake.exports]
    assert details == [True, False]


def test_a_connection_that_does_not_exist_is_named_together_with_how_to_make_it(fake: FakeLabelbox) -> None:
    text = failure_of(start_of(fake, labelbox_conn_id="labelbox_nowhere"), context_of())
    assert "'labelbox_nowhere'" in text
    assert "AIRFLOW_CONN_LABELBOX_NOWHERE" in text


@pytest.mark.parametrize(("key", "word"), [("", "the api key is empty"), ("wrong-key-0001", "key")])
def test_an_empty_or_wrong_key_fails_without_a_retry_and_starts_nothing(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch, key: str, word: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LABELBOX_DEFAULT", fake.airflow_connection(api_key=key or " "))
    text = failure_of(start_of(fake), context_of())
    assert word in text.lower()
    assert "wrong-key-0001" not in text
    assert fake.exports == []


def test_an_unknown_project_fails_without_a_retry_and_names_the_id(fake: FakeLabelbox) -> None:
    text = failure_of(start_of(fake, project_id="clpnosuchproject"), context_of())
    assert "clpnosuchproject" in text
    assert "retry:     none" in text


def test_an_endpoint_that_answers_html_is_said_to_be_no_labelbox(fake: FakeLabelbox) -> None:
    fake.faults.add(HtmlAnswer(times=None))
    with pytest.raises(AirflowException) as failure:
        start_of(fake).execute(context_of())
    assert "a host that is not the GraphQL endpoint" in str(failure.value)
    assert fake.exports == []


def test_the_key_of_another_user_is_refused_naming_both_users(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = StateStore()
    start_of(fake).execute(context_of(store=store))
    colleague = fake.add_user()
    monkeypatch.setenv("AIRFLOW_CONN_LABELBOX_DEFAULT", fake.airflow_connection(api_key=colleague.api_key))
    text = failure_of(start_of(fake), context_of(store=store, ti=TaskInstance(try_number=2)))
    assert fake.user.user_id in text
    assert colleague.user_id in text
    assert len(fake.exports) == 1


def test_a_failing_start_names_source_link_window_and_try(fake: FakeLabelbox) -> None:
    fake.faults.add(GraphQLErrorAnswer(operation="exportDataRowsInProject", code="OPERATION_NOT_ALLOWED", message="no"))
    message = failure_of(start_of(fake, window=DataIntervalWindow()), context_of())
    assert f"source:    project {fake.project_id}" in message
    assert f"/projects/{fake.project_id}" in message
    assert "window:    [2026-11-22T02:00:00Z, 2026-11-23T02:00:00Z) UTC of last_activity_at" in message
    assert "try:       1 of 4" in message


def test_a_refusal_that_a_retry_does_not_heal_uses_up_none(fake: FakeLabelbox) -> None:
    fake.faults.add(GraphQLErrorAnswer(operation="exportDataRowsInProject", code="OPERATION_NOT_ALLOWED", message="no"))
    assert "retry:     none" in failure_of(start_of(fake), context_of())


def test_wait_for_completion_defers_and_returns_the_handle_with_totals(fake: FakeLabelbox) -> None:
    fake.change(polls_per_export=2)
    start = start_of(fake, wait_for_completion=True, poke_interval=0.01)
    context = context_of(store=StateStore())
    with pytest.raises(TaskDeferred) as deferred:
        start.execute(context)
    handle = resume(start, deferred.value, context)
    assert handle["totals"]["result"]["rows"] == len(fake.rows_for())
    assert ExportHandle.parse(handle).export_id == fake.exports[0].export_id


def test_with_wait_for_completion_a_failed_export_is_healed_by_the_tasks_own_retry(fake: FakeLabelbox) -> None:
    fake.faults.add(FailedExport())
    store, start = StateStore(), start_of(fake, wait_for_completion=True, poke_interval=0.01)
    context = context_of(store=store)
    with pytest.raises(TaskDeferred) as deferred:
        start.execute(context)
    with pytest.raises(AirflowException) as failure:
        resume(start, deferred.value, context)
    assert not isinstance(failure.value, AirflowFailException)
    assert "retry:     starts a new export" in str(failure.value)
    second = context_of(store=store, ti=TaskInstance(try_number=2))
    with pytest.raises(TaskDeferred) as deferred:
        start.execute(second)
    assert resume(start, deferred.value, second)["export_id"] == fake.exports[1].export_id


def test_cleared_while_it_waits_or_after_its_wait_failed_a_waiting_operator_adopts(fake: FakeLabelbox) -> None:
    fake.faults.add(SlowExport())
    store, start = StateStore(), start_of(fake, wait_for_completion=True)
    with pytest.raises(TaskDeferred):
        start.execute(context_of(store=store))
    with pytest.raises(TaskDeferred):
        start.execute(context_of(store=store, ti=TaskInstance(try_number=2, max_tries=4)))
    assert len(fake.exports) == 1


def test_cleared_after_success_a_waiting_operator_starts_a_new_export(fake: FakeLabelbox) -> None:
    store, start = StateStore(), start_of(fake, wait_for_completion=True, poke_interval=0.01)
    for number, max_tries in ((1, 3), (2, 4)):
        context = context_of(store=store, ti=TaskInstance(try_number=number, max_tries=max_tries))
        with pytest.raises(TaskDeferred) as deferred:
            start.execute(context)
        resume(start, deferred.value, context)
    assert len(fake.exports) == 2


@pytest.mark.parametrize("option", ["timeout", "poke_interval", "adopt_within", "limit_timeout"])
@pytest.mark.parametrize("value", ["an hour", 0, -1, True, timedelta(0)])
def test_a_length_of_time_is_a_timedelta_or_seconds_above_0(option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{option}="):
        ProjectExportOperator(task_id="start", project_id="clp1", **{option: value})


def test_cancel_on_kill_needs_a_wait() -> None:
    """An operator that does not wait refuses `cancel_on_kill=True`, unless it came with the DAG's default_args."""
    with pytest.raises(ConfigurationError, match="wait_for_completion=True only"):
        ProjectExportOperator(task_id="start", project_id="clp1", cancel_on_kill=True)
    with some_dag(default_args={"cancel_on_kill": True}):
        assert ProjectExportOperator(task_id="start", project_id="clp1").wait_limits.cancel_on_kill


def test_the_handle_holds_no_key_and_no_address_of_files(fake: FakeLabelbox) -> None:
    context = context_of(store=(store := StateStore()))
    handle = start_of(fake).execute(context)
    for place in (str(handle), str(store.values), str(instance_of(context).xcoms)):
        assert fake.api_key not in place
        assert fake.file_base_url not in place


def test_2000_ids_become_a_count_and_a_digest_in_the_handle(fake: FakeLabelbox) -> None:
    handle = start_of(fake, filters={"global_keys": [f"key-{n}" for n in range(2000)]}).execute(context_of())
    [entry] = handle["query"]["filters"]["searchQuery"]["query"]
    assert entry["ids"]["count"] == 2000
    assert len(str(handle)) < 4096


def test_a_now_that_is_aware_dates_the_intent_in_utc(fake: FakeLabelbox) -> None:
    handle = start_of(fake).execute(context_of(store=StateStore()))
    age = datetime.now(timezone.utc) - ExportHandle.parse(handle).started_at
    assert timedelta(0) <= age < timedelta(minutes=1)
