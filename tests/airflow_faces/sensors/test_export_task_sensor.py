"""ExportTaskSensor: waiting in three modes with one meaning."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, cast

import pytest
from support.airflow.started import handle_of
from support.airflow.tasks import TaskInstance, context_of, instance_of
from support.airflow.triggers import resume
from support.airflow.versions import AirflowRescheduleException, TaskDeferralError

from labelbox_export_provider import ExportTaskSensor
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

MODES: dict[str, dict[str, Any]] = {
    "deferrable": {"deferrable": True},
    "poke": {"deferrable": False, "mode": "poke"},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
}


every_mode = pytest.mark.parametrize("mode", list(MODES))


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
def test_it_returns_the_handle_with_totals_once_complete(fake: FakeLabelbox, mode: str) -> None:
    """The sensor waits for COMPLETE and returns the handle with the totals of both streams."""
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
def test_a_dead_export_fails_past_soft_fail(
    fake: FakeLabelbox, mode: str, fault: Any, state: str, soft_fail: bool
) -> None:
    """A FAILED or CANCELED export fails without a retry, also with soft_fail, and names the task to clear."""
    fake.faults.add(fault)
    with pytest.raises(AirflowFailException) as failure:
        run(mode, handle_of(fake), soft_fail=soft_fail)
    text = str(failure.value)
    assert state in text
    assert "with downstream: only a new export helps" in text


@every_mode
@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_revoked_key_fails_past_soft_fail(fake: FakeLabelbox, mode: str, soft_fail: bool) -> None:
    """A key that is revoked between start and wait fails without a retry, also with soft_fail."""
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
def test_a_time_out_tells_how_to_resume_the_export(fake: FakeLabelbox, mode: str) -> None:
    """The message of a time-out says that the export continues, and how it is resumed."""
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
    monkeypatch.setattr("labelbox_export_provider.sensors.export_task.poll_once", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(mode, handle, soft_fail=True)


@every_mode
@pytest.mark.parametrize("soft_fail", [False, True])
def test_refusals_have_the_whole_message_past_soft_fail(
    fake: FakeLabelbox, mode: str, monkeypatch: pytest.MonkeyPatch, *, soft_fail: bool
) -> None:
    """A refused poll and a broken connection fail with the whole message, also with soft_fail."""
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


@every_mode
def test_an_unknown_state_does_not_end_the_wait(fake: FakeLabelbox, mode: str) -> None:
    """States that this version does not know do not end the wait."""
    fake.change(polls_per_export=3)
    fake.faults.add(UnknownStatus())
    assert run(mode, handle_of(fake))["totals"]["errors"]["rows"] == 0


@every_mode
def test_an_unknown_export_id_is_not_found(fake: FakeLabelbox, mode: str) -> None:
    with pytest.raises(AirflowFailException, match="clnosuchexport"):
        run(mode, "clnosuchexport")


@every_mode
def test_a_bare_id_uses_the_sensors_connection(fake: FakeLabelbox, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The export of a bare task id is waited for with the connection of the sensor."""
    export_id = handle_of(fake)["export_id"]
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", fake.airflow_connection())
    result = run(mode, export_id, labelbox_conn_id="other")
    assert (result["export_id"], result["totals"]["errors"]["rows"]) == (export_id, 0)


def test_an_outage_of_labelbox_does_not_end_the_wait(fake: FakeLabelbox) -> None:
    """An outage of Labelbox while the sensor waits does not end the wait."""
    handle = handle_of(fake)
    fake.change(polls_per_export=1)
    fake.faults.add(ErrorStatus(operation="createdTasks", status=503, times=1))
    assert run("deferrable", handle)["export_id"] == handle["export_id"]


def test_a_late_header_does_not_mean_an_empty_export(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that comes late is not treated as an empty export."""
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
def test_what_is_not_a_handle_is_refused(fake: FakeLabelbox, export: Any) -> None:
    """What is not a handle is refused, with what to pass."""
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
def test_options_that_hide_a_failed_export_are_refused(option: str) -> None:
    """Options with which a failed export would be treated as data are refused."""
    with pytest.raises(ConfigurationError, match="soft_fail"):
        ExportTaskSensor(task_id="wait", export="{{ x }}", **cast("dict[str, Any]", {option: True}))


@pytest.mark.parametrize("asked", [False, True])
def test_cancel_on_kill_reaches_the_trigger(fake: FakeLabelbox, asked: bool) -> None:
    """The trigger is what is notified when its task is marked as failed or successful."""
    fake.faults.add(SlowExport())
    sensor = ExportTaskSensor(task_id="wait", export=handle_of(fake), cancel_on_kill=asked)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context_of("wait"))
    assert deferred.value.trigger.serialize()[1]["cancel_on_kill"] is asked


def test_cancel_on_kill_needs_deferrable() -> None:
    with pytest.raises(ConfigurationError, match="cancel_on_kill"):
        ExportTaskSensor(task_id="wait", export="{{ x }}", deferrable=False, cancel_on_kill=True)


def test_the_message_names_try_and_export(fake: FakeLabelbox) -> None:
    """The message of a failure names the try and the export."""
    fake.faults.add(FailedExport())
    handle = handle_of(fake)
    context = context_of("wait", ti=TaskInstance(task_id="wait", try_number=2, max_tries=3))
    with pytest.raises(AirflowFailException) as failure:
        ExportTaskSensor(task_id="wait", export=handle).execute(context)
    text = str(failure.value)
    assert f"export:    {handle['export_id']}, started" in text
    assert "try:       2 of 4" in text


@every_mode
@pytest.mark.parametrize("code", ["AUTHENTICATION_ERROR", "AUTHORIZATION_ERROR", "RESOURCE_NOT_FOUND"])
@pytest.mark.parametrize("polled", [0, 2])
def test_one_refusal_does_not_end_the_wait(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch, mode: str, code: str, polled: int
) -> None:
    """A wait ends of a refused key or a missing export only when Labelbox has said so several times."""
    monkeypatch.setattr("labelbox_export_provider.client.polling.BELIEVED_AFTER", 0.05)
    monkeypatch.setattr("labelbox_export_provider.client.polling.ASKED_AGAIN_EVERY", 0.01)
    fake.change(polls_per_export=3)
    handle = handle_of(fake)
    fake.faults.add(GraphQLErrorAnswer(operation="createdTasks", code=code, after=polled, times=2))
    assert run(mode, handle)["totals"]["result"]["rows"] == len(fake.rows_for())


UNKNOWN_EVENTS: list[dict[str, Any] | None] = [None, {}, {"outcome": "PAUSED", "export_id": "x"}, {"v": 2, "end": "ok"}]


@pytest.mark.parametrize("event", UNKNOWN_EVENTS)
def test_an_unknown_event_has_the_task_poll_for_itself(fake: FakeLabelbox, event: dict[str, Any] | None) -> None:
    """An event of a newer triggerer is neither success nor failure: the sensor polls, and defers while it runs."""
    fake.change(polls_per_export=3)
    sensor = ExportTaskSensor(task_id="wait", export=handle_of(fake), poke_interval=0.01)
    context = context_of("wait")
    with pytest.raises(TaskDeferred):
        sensor.execute(context)
    with pytest.raises(TaskDeferred) as again:
        sensor.execute_complete(context, cast("Any", event))
    assert resume(sensor, again.value, context)["totals"]["result"]["rows"] == len(fake.rows_for())
