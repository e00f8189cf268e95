"""ExportTaskSensor and ExportTaskTrigger: waiting in three modes with one meaning."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from support.airflow.tasks import TaskInstance, context_of, instance_of
from support.airflow.triggers import events_of, rebuilt, resume
from support.airflow.versions import AirflowRescheduleException, TaskDeferralError

from labelbox_export_provider import ExportTaskSensor, ProjectExportOperator
from labelbox_export_provider.airflow_compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from labelbox_export_provider.errors import ConfigurationError, HandleError
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import (
    CanceledExport,
    ErrorRows,
    ErrorStatus,
    FailedExport,
    GraphQLErrorAnswer,
    NullHeader,
    SlowExport,
    UnknownStatus,
)
from labelbox_export_provider.triggers.export_task import ExportTaskTrigger
from labelbox_export_provider.triggers.shared_client import clients_open

MODES: dict[str, dict[str, Any]] = {
    "deferrable": {"deferrable": True},
    "poke": {"deferrable": False, "mode": "poke"},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
}
every_mode = pytest.mark.parametrize("mode", list(MODES))


def handle_of(fake: FakeLabelbox, **options: Any) -> dict[str, Any]:
    handle: dict[str, Any] = ProjectExportOperator(task_id="start", project_id=fake.project_id, **options).execute(
        context_of()
    )
    return handle


def run(mode: str, handle: Any, **options: Any) -> Any:
    """Run a sensor to its end, however often it defers or reschedules."""
    values = {"poke_interval": 0.01, "exponential_backoff": False, **MODES[mode], **options}
    sensor = ExportTaskSensor(task_id="wait", export=handle, **values)
    context = context_of("wait")
    began = datetime.now(timezone.utc)
    instance_of(context).get_first_reschedule_date = lambda _: began  # type: ignore[attr-defined]  # as a sensor asks
    while True:
        try:
            return sensor.execute(context)
        except TaskDeferred as deferred:
            return resume(sensor, deferred, context)
        except AirflowRescheduleException:
            continue


@every_mode
def test_it_waits_for_complete_and_returns_the_handle_with_the_totals_of_both_streams(
    fake: FakeLabelbox, mode: str
) -> None:
    fake.change(polls_per_export=3)
    fake.faults.add(ErrorRows(lines=('{"error": "one"}', '{"error": "two"}')))
    handle = handle_of(fake)
    result = run(mode, handle)
    assert result["totals"]["result"]["rows"] == len(fake.rows_for())
    assert result["totals"]["errors"]["rows"] == 2
    assert {**result, "totals": None} == {**handle, "totals": None}


@every_mode
@pytest.mark.parametrize(("fault", "state"), [(FailedExport(), "FAILED"), (CanceledExport(), "canceled")])
@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_dead_export_fails_without_retry_past_soft_fail_and_names_the_task_to_clear(
    fake: FakeLabelbox, mode: str, fault: Any, state: str, soft_fail: bool
) -> None:
    fake.faults.add(fault)
    with pytest.raises(AirflowFailException) as failure:
        run(mode, handle_of(fake), soft_fail=soft_fail)
    text = str(failure.value)
    assert state in text
    assert "with downstream: only a new export helps" in text


@every_mode
@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_key_that_is_revoked_between_start_and_wait_fails_without_retry_past_soft_fail(
    fake: FakeLabelbox, mode: str, soft_fail: bool
) -> None:
    handle = handle_of(fake)
    fake.revoke(fake.api_key)
    with pytest.raises(AirflowFailException) as failure:
        run(mode, handle, soft_fail=soft_fail)
    assert "put a valid API key" in str(failure.value)
    assert fake.api_key not in str(failure.value)


@every_mode
def test_soft_fail_turns_a_time_out_into_a_skip(fake: FakeLabelbox, mode: str) -> None:
    fake.faults.add(SlowExport())
    with pytest.raises(AirflowSkipException, match="soft_fail"):
        run(mode, handle_of(fake), soft_fail=True, timeout=0.05)


@every_mode
def test_a_time_out_says_that_the_export_goes_on_and_how_it_is_gone_on_with(fake: FakeLabelbox, mode: str) -> None:
    fake.faults.add(SlowExport())
    handle = handle_of(fake)
    with pytest.raises(AirflowSensorTimeout) as failure:
        run(mode, handle, timeout=0.05)
    text = str(failure.value)
    assert handle["export_id"] in text
    assert "continues in Labelbox" in text
    assert "clear this task" in text


@every_mode
def test_a_bug_while_waiting_is_raised_past_soft_fail(
    fake: FakeLabelbox, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = handle_of(fake)
    if mode == "deferrable":
        sensor = ExportTaskSensor(task_id="wait", export=handle, soft_fail=True)
        with pytest.raises(TaskDeferralError):
            sensor.resume_execution("__fail__", {"error": "Trigger failure", "traceback": ["bug"]}, context_of("wait"))
        return
    monkeypatch.setattr(ExportTaskSensor, "_poll", lambda self, export: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(mode, handle, soft_fail=True)


@every_mode
@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_refused_look_and_a_broken_connection_are_told_in_the_whole_message_past_soft_fail(
    fake: FakeLabelbox, mode: str, monkeypatch: pytest.MonkeyPatch, *, soft_fail: bool
) -> None:
    fake.faults.add(SlowExport())
    handle = handle_of(fake)
    fake.faults.add(GraphQLErrorAnswer(code="GRAPHQL_VALIDATION_FAILED", status=400, after=1, times=None))
    with pytest.raises(AirflowFailException) as answer:
        run(mode, handle, soft_fail=soft_fail, timeout=10)
    fake.faults.clear()
    connection = json.loads(fake.airflow_connection()) | {"extra": {"timeout": "soon"}}
    monkeypatch.setenv("AIRFLOW_CONN_LABELBOX_DEFAULT", json.dumps(connection))
    with pytest.raises(AirflowFailException) as settings:
        run(mode, handle, soft_fail=soft_fail, timeout=10)
    for failure, advice in ((answer, ""), (settings, "fix the connection")):
        message = str(failure.value)
        assert f"export:    {handle['export_id']}" in message
        assert f"to do:     {advice}" in message


def test_a_connection_that_breaks_while_a_trigger_waits_is_an_event(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = trigger_for(handle_of(fake))
    monkeypatch.delenv("AIRFLOW_CONN_LABELBOX_DEFAULT")
    [event] = events_of(trigger)
    assert event["outcome"] == "CONNECTION"
    assert "labelbox_default" in event["message"]


@every_mode
def test_states_that_nobody_knows_are_waited_through(fake: FakeLabelbox, mode: str) -> None:
    fake.change(polls_per_export=3)
    fake.faults.add(UnknownStatus())
    assert run(mode, handle_of(fake))["totals"]["errors"]["rows"] == 0


@every_mode
def test_an_unknown_export_id_is_not_found(fake: FakeLabelbox, mode: str) -> None:
    with pytest.raises(AirflowFailException, match="clnosuchexport"):
        run(mode, "clnosuchexport")


@every_mode
def test_a_bare_task_id_is_waited_for_with_the_connection_of_the_sensor(
    fake: FakeLabelbox, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_id = handle_of(fake)["export_id"]
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", fake.airflow_connection())
    result = run(mode, export_id, labelbox_conn_id="other")
    assert (result["export_id"], result["totals"]["errors"]["rows"]) == (export_id, 0)


def test_an_outage_of_labelbox_while_waiting_does_not_end_the_wait(fake: FakeLabelbox) -> None:
    handle = handle_of(fake)
    fake.change(polls_per_export=1)
    fake.faults.add(ErrorStatus(operation="createdTasks", status=503, times=1))
    assert run("deferrable", handle)["export_id"] == handle["export_id"]


def test_a_header_that_is_late_is_not_taken_for_an_empty_export(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelbox_export_provider.client.polling.EMPTY_AGAIN_AFTER", 0.01)
    handle = handle_of(fake)
    fake.faults.add(NullHeader(stream="RESULT", times=1))
    assert run("deferrable", handle)["totals"]["result"]["rows"] == len(fake.rows_for())
    fake.faults.add(NullHeader(stream="RESULT", times=2))
    with pytest.raises(AirflowException, match="not treated as empty"):
        run("deferrable", handle)


def test_an_ended_export_is_not_deferred_for(fake: FakeLabelbox) -> None:
    sensor = ExportTaskSensor(task_id="wait", export=handle_of(fake))
    assert sensor.execute(context_of("wait"))["totals"]["result"]["rows"] > 0


def test_it_defers_by_default_whatever_airflow_is_configured_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "False")
    assert ExportTaskSensor(task_id="wait", export="{{ params.export }}").deferrable is True


@pytest.mark.parametrize("export", [None, "", "None", "a b", 7, {"export_id": "clx"}, {"v": 2}])
def test_what_is_no_handle_is_refused_with_what_to_pass(fake: FakeLabelbox, export: Any) -> None:
    with pytest.raises((AirflowFailException, HandleError)) as failure:
        ExportTaskSensor(task_id="wait", export=export).execute(context_of("wait"))
    assert "start.output" in str(failure.value)


def test_a_hand_edited_handle_is_refused_naming_the_member(fake: FakeLabelbox) -> None:
    handle = handle_of(fake)
    handle["window"] = {"start": "yesterday"}
    with pytest.raises(HandleError, match=r"window"):
        ExportTaskSensor(task_id="wait", export=handle)
    sensor = ExportTaskSensor(task_id="wait", export="{{ handle }}")
    sensor.export = handle
    with pytest.raises(AirflowFailException, match=r"window"):
        sensor.execute(context_of("wait"))


@pytest.mark.parametrize("option", ["never_fail", "silent_fail"])
def test_what_would_let_a_failed_export_pass_for_data_is_refused(option: str) -> None:
    with pytest.raises(ConfigurationError, match="soft_fail"):
        ExportTaskSensor(task_id="wait", export="{{ x }}", **cast("dict[str, Any]", {option: True}))


@pytest.mark.parametrize("asked", [False, True])
def test_cancel_on_kill_reaches_the_trigger(fake: FakeLabelbox, asked: bool) -> None:
    """The trigger is what hears that the task was ended by hand."""
    fake.faults.add(SlowExport())
    sensor = ExportTaskSensor(task_id="wait", export=handle_of(fake), cancel_on_kill=asked)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context_of("wait"))
    assert deferred.value.trigger.serialize()[1]["cancel_on_kill"] is asked


def test_cancel_on_kill_needs_deferrable() -> None:
    with pytest.raises(ConfigurationError, match="cancel_on_kill"):
        ExportTaskSensor(task_id="wait", export="{{ x }}", deferrable=False, cancel_on_kill=True)


# --- the trigger


def trigger_for(handle: dict[str, Any], **options: Any) -> ExportTaskTrigger:
    deadline = datetime.now(timezone.utc) + timedelta(seconds=30)
    values = {"deadline": deadline.isoformat(), "poke_interval": 0.01, "exponential_backoff": False, **options}
    return ExportTaskTrigger(
        labelbox_conn_id="labelbox_default",
        export_id=handle["export_id"],
        user_id=handle["user_id"],
        started_at=handle["started_at"],
        **values,
    )


def test_a_trigger_row_holds_settings_only(fake: FakeLabelbox) -> None:
    path, arguments = trigger_for(handle_of(fake)).serialize()
    assert path == "labelbox_export_provider.triggers.export_task.ExportTaskTrigger"
    assert fake.api_key not in json.dumps(arguments)
    assert "http" not in json.dumps(arguments)
    assert rebuilt(trigger_for(handle_of(fake))).serialize()[1].keys() == arguments.keys()


def test_a_trigger_sends_exactly_one_event(fake: FakeLabelbox) -> None:
    fake.change(polls_per_export=2)
    handle = handle_of(fake)
    [event] = events_of(trigger_for(handle))
    assert (event["outcome"], event["export_id"]) == ("COMPLETE", handle["export_id"])


def test_a_trigger_reports_certificates_that_are_gone(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A triggerer whose environment names a missing bundle ends the wait with an event, not with a dead trigger."""
    trigger = trigger_for(handle_of(fake))
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/bundle.pem")
    [event] = events_of(trigger)
    assert event["outcome"] == "CONNECTION"
    assert "'labelbox_default'" in event["message"]
    assert "SSL_CERT_FILE is '/no/such/bundle.pem'" in event["message"]


def test_a_trigger_keeps_quiet_until_airflow_has_noted_the_deferral(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelbox_export_provider.execution.deferral.MIN_DEFERRAL", timedelta(seconds=0.5))
    fake.change(polls_per_export=3)
    sensor = ExportTaskSensor(task_id="wait", export=handle_of(fake), poke_interval=0.01)
    began = datetime.now(timezone.utc)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context_of("wait"))
    assert events_of(deferred.value.trigger)[0]["outcome"] == "COMPLETE"
    assert datetime.now(timezone.utc) - began >= timedelta(seconds=0.5)


def test_a_deadline_is_an_instant_so_a_trigger_started_anew_does_not_wait_longer(fake: FakeLabelbox) -> None:
    fake.faults.add(SlowExport())
    past = (datetime.now(timezone.utc) - timedelta(seconds=1)).isoformat()
    [event] = events_of(trigger_for(handle_of(fake), deadline=past))
    assert event["outcome"] == "TIMEOUT"


def test_a_rotated_key_of_the_same_user_goes_unnoticed(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.change(polls_per_export=4)
    handle = handle_of(fake)
    old, new = fake.api_key, fake.accounts.add_key(fake.user)

    async def rotate_while_waiting() -> list[Any]:
        waiting = asyncio.create_task(collect(trigger_for(handle, poke_interval=0.05)))
        await asyncio.sleep(0.1)
        monkeypatch.setenv("AIRFLOW_CONN_LABELBOX_DEFAULT", fake.airflow_connection(api_key=new))
        fake.revoke(old)
        return await waiting

    async def collect(trigger: ExportTaskTrigger) -> list[Any]:
        return [event.payload async for event in trigger.run()]

    [event] = asyncio.run(rotate_while_waiting())
    assert event["outcome"] == "COMPLETE"


def test_triggers_of_one_loop_and_connection_share_one_client_which_the_last_one_closes(fake: FakeLabelbox) -> None:
    fake.faults.add(SlowExport(times=None))
    handles = [handle_of(fake, task_name=f"number {number}") for number in range(5)]

    async def wait_for_all() -> int:
        deadline = (datetime.now(timezone.utc) + timedelta(seconds=0.6)).isoformat()
        tasks = [asyncio.create_task(one(trigger_for(handle, deadline=deadline))) for handle in handles]
        await asyncio.sleep(0.3)
        most = clients_open()
        await asyncio.gather(*tasks)
        return most

    async def one(trigger: ExportTaskTrigger) -> None:
        async for _ in trigger.run():
            pass

    assert asyncio.run(wait_for_all()) == 1
    assert clients_open() == 0


def test_a_trigger_that_is_cancelled_leaves_no_client_behind(fake: FakeLabelbox) -> None:
    fake.faults.add(SlowExport())
    handle = handle_of(fake)

    async def cancel() -> None:
        async def first_event() -> None:
            await anext(trigger_for(handle, poke_interval=5).run())

        task = asyncio.create_task(first_event())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert clients_open() == 0


@pytest.mark.parametrize(
    ("asked", "state", "status"),
    [
        (True, "failed", "CANCELED"),
        (True, "deferred", "IN_PROGRESS"),
        (True, "queued", "IN_PROGRESS"),
        (False, "failed", "IN_PROGRESS"),
    ],
)
def test_on_kill_cancels_only_where_asked_and_only_when_nobody_waits_any_more(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch, asked: bool, state: str, status: str
) -> None:
    fake.faults.add(SlowExport())
    trigger = trigger_for(handle_of(fake), cancel_on_kill=asked)
    trigger.task_instance = SimpleNamespace(dag_id="nightly", task_id="wait", run_id="r", map_index=-1)  # type: ignore[assignment]
    # The state comes from Airflow's API server, which only the end-to-end tests have.
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(lambda **_: {"r": {"wait": state}}))
    asyncio.run(trigger.on_kill())
    assert [export.status for export in fake.exports] == [status]


def test_the_try_and_the_export_stand_in_the_message(fake: FakeLabelbox) -> None:
    fake.faults.add(FailedExport())
    handle = handle_of(fake)
    context = context_of("wait", ti=TaskInstance(task_id="wait", try_number=2, max_tries=3))
    with pytest.raises(AirflowFailException) as failure:
        ExportTaskSensor(task_id="wait", export=handle).execute(context)
    text = str(failure.value)
    assert f"export:    {handle['export_id']}, started" in text
    assert "try:       2 of 4" in text
