"""ProjectExportOperator: what it starts, what it returns, and what it refuses."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from support.airflow.project_exports import failure_of, start_of
from support.airflow.tasks import NIGHT, StateStore, TaskInstance, context_of, instance_of

from labelbox_export_provider import DataIntervalWindow
from labelbox_export_provider.airflow_compat import AirflowException
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import GraphQLErrorAnswer, HtmlAnswer, LostAnswer


def test_it_starts_one_export_and_returns_its_handle(fake: FakeLabelbox) -> None:
    """The operator starts one export and returns a handle that sensors and transfers accept."""
    handle = start_of(fake, window=DataIntervalWindow()).execute(context_of())
    [export] = fake.exports
    assert ExportHandle.parse(handle).export_id == export.export_id
    assert (handle["source"], handle["adopted"]) == ({"kind": "project", "id": fake.project_id}, False)
    assert handle["window"]["start"] == "2026-11-22T02:00:00Z"
    assert handle["window"]["queried_end"] == "2026-11-23T02:00:01Z"


def test_a_retry_after_a_crash_adopts_the_export(fake: FakeLabelbox) -> None:
    """A retry adopts the export where the try before it crashed before it returned the handle."""
    store = StateStore()
    first = start_of(fake).execute(context_of(store=store))
    second = start_of(fake).execute(context_of(store=store, ti=TaskInstance(try_number=2)))
    assert (second["export_id"], second["adopted"]) == (first["export_id"], True)
    assert len(fake.exports) == 1


def test_a_cleared_success_starts_a_new_export(fake: FakeLabelbox) -> None:
    """A task that had succeeded and is cleared starts a new export."""
    store = StateStore()
    first = start_of(fake).execute(context_of(store=store))
    second = start_of(fake).execute(context_of(store=store, ti=TaskInstance(try_number=2, max_tries=4)))
    assert (second["export_id"] != first["export_id"], second["adopted"]) == (True, False)


def test_a_cleared_success_with_fewer_retries_starts_anew(
    fake: FakeLabelbox,
) -> None:
    """A cleared success starts a new export where lowered `retries` leave `max_tries` unchanged."""
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


def test_without_a_store_a_sibling_may_be_cleared(fake: FakeLabelbox) -> None:
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


def test_after_a_lost_reply_it_looks_for_the_export(fake: FakeLabelbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A lost reply to the start is followed by a look-up, not by a second start; what it finds is its own."""
    fake.faults.add(LostAnswer(operation="exportDataRowsInProject", carried_out=True))
    store = StateStore()
    handle = start_of(fake).execute(context_of(store=store))
    assert [export.export_id for export in fake.exports] == [handle["export_id"]]
    logged = capsys.readouterr().out
    assert "Started" in logged
    assert "Adopted" not in logged
    start_of(fake).execute(context_of(store=store))
    assert "Adopted" in capsys.readouterr().out


def test_mapped_tasks_of_one_run_start_an_export_each(fake: FakeLabelbox) -> None:
    for index in range(3):
        start_of(fake).execute(context_of(ti=TaskInstance(map_index=index)))
    assert len({export.name for export in fake.exports}) == 3


def test_the_name_has_dag_and_task_or_task_name_and_the_date(fake: FakeLabelbox) -> None:
    """The export's name in Labelbox has a digest, then DAG and task id, or `task_name`, then the date of the run."""
    start_of(fake).execute(context_of())
    start_of(fake, task_name="Nightly cars").execute(context_of())
    heads = [str(export.name).partition("] ")[2] for export in fake.exports]
    assert heads == ["nightly start 2026-11-22", "Nightly cars 2026-11-22"]


def _with_deployment(fake: FakeLabelbox, name: str) -> str:
    return json.dumps({**json.loads(fake.airflow_connection()), "extra": {"deployment_id": name}})


def test_two_airflows_with_the_same_ids_start_an_export_each(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two Airflows differ by `[api] base_url`, or by the connection's `deployment_id`."""
    for url in ("https://airflow.example", "https://staging.example"):
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", url)
        assert not start_of(fake).execute(context_of())["adopted"]
    monkeypatch.setenv("AIRFLOW_CONN_LABELBOX_DEFAULT", _with_deployment(fake, "staging"))
    assert not start_of(fake).execute(context_of())["adopted"]
    assert start_of(fake).execute(context_of())["adopted"]
    assert len(fake.exports) == 3


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        (None, ["has no data interval", "CronDataIntervalTimetable"]),
        ((NIGHT[0], NIGHT[0]), ["zero width", "CronDataIntervalTimetable", "catchup=True"]),
    ],
)
def test_a_run_without_an_interval_is_refused(
    fake: FakeLabelbox, interval: tuple[datetime, datetime] | None, words: list[str]
) -> None:
    """A run without a usable interval is refused, naming the timetable to use."""
    text = failure_of(start_of(fake, window=DataIntervalWindow()), context_of(interval=interval))
    assert [word for word in words if word not in text] == []
    assert fake.exports == []


def test_a_trimmed_window_turns_data_row_details_on(fake: FakeLabelbox) -> None:
    """A window turns `data_row_details` on unless it is not trimmed."""
    for trim in (None, False):
        start_of(fake, window=DataIntervalWindow(trim=trim), task_name=f"trim {trim}").execute(context_of())
    details = [export.params["includeDataRowDetails"] for export in fake.exports]
    assert details == [True, False]


def test_a_missing_connection_is_named_with_how_to_create_it(fake: FakeLabelbox) -> None:
    """The message about a missing connection says how to create it."""
    text = failure_of(start_of(fake, labelbox_conn_id="labelbox_nowhere"), context_of())
    assert "'labelbox_nowhere'" in text
    assert "AIRFLOW_CONN_LABELBOX_NOWHERE" in text


@pytest.mark.parametrize(("key", "word"), [("", "the api key is empty"), ("wrong-key-0001", "key")])
def test_a_wrong_key_fails_without_a_retry(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch, key: str, word: str
) -> None:
    """An empty or wrong key fails without a retry and starts nothing."""
    monkeypatch.setenv("AIRFLOW_CONN_LABELBOX_DEFAULT", fake.airflow_connection(api_key=key or " "))
    text = failure_of(start_of(fake), context_of())
    assert word in text.lower()
    assert "wrong-key-0001" not in text
    assert fake.exports == []


def test_an_unknown_project_fails_without_a_retry(fake: FakeLabelbox) -> None:
    """An unknown project fails without a retry, naming the id."""
    text = failure_of(start_of(fake, project_id="clpnosuchproject"), context_of())
    assert "clpnosuchproject" in text
    assert "retry:     none" in text


def test_an_endpoint_that_answers_html_is_not_labelbox(fake: FakeLabelbox) -> None:
    """The message about an endpoint that answers HTML says that it is not Labelbox."""
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


def test_a_permanent_refusal_uses_up_no_retry(fake: FakeLabelbox) -> None:
    """A refusal that a retry does not fix uses up no retry."""
    fake.faults.add(GraphQLErrorAnswer(operation="exportDataRowsInProject", code="OPERATION_NOT_ALLOWED", message="no"))
    assert "retry:     none" in failure_of(start_of(fake), context_of())


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
