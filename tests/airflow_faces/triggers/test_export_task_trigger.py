"""ExportTaskTrigger: its row, its one event, its shared client, and what it cancels."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from support.airflow.started import handle_of
from support.airflow.tasks import context_of
from support.airflow.triggers import events_of, rebuilt

from labelbox_export_provider import ExportTaskSensor
from labelbox_export_provider.airflow_compat import TaskDeferred
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import GraphQLErrorAnswer, SlowAnswer, SlowExport
from labelbox_export_provider.triggers.export_task import ExportTaskTrigger
from labelbox_export_provider.triggers.shared_client import clients_open


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


def test_a_trigger_reports_missing_certificates(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates that are missing are an event of the trigger.

    A triggerer whose environment names a missing bundle ends the wait with an event, not with a dead trigger.
    """
    trigger = trigger_for(handle_of(fake))
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/bundle.pem")
    [event] = events_of(trigger)
    assert event["outcome"] == "CONNECTION"
    assert "'labelbox_default'" in event["message"]
    assert "SSL_CERT_FILE is '/no/such/bundle.pem'" in event["message"]


def test_a_trigger_sends_nothing_before_not_before(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trigger sends no event until Airflow has recorded the deferral."""
    monkeypatch.setattr("labelbox_export_provider.execution.waiting.MIN_DEFERRAL", timedelta(seconds=0.5))
    fake.change(polls_per_export=3)
    sensor = ExportTaskSensor(task_id="wait", export=handle_of(fake), poke_interval=0.01)
    began = datetime.now(timezone.utc)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context_of("wait"))
    assert events_of(deferred.value.trigger)[0]["outcome"] == "COMPLETE"
    assert datetime.now(timezone.utc) - began >= timedelta(seconds=0.5)


def test_a_restarted_trigger_keeps_its_deadline(fake: FakeLabelbox) -> None:
    """The deadline is an instant, so a trigger that is started again does not wait longer."""
    fake.faults.add(SlowExport())
    past = (datetime.now(timezone.utc) - timedelta(seconds=1)).isoformat()
    [event] = events_of(trigger_for(handle_of(fake), deadline=past))
    assert event["outcome"] == "TIMEOUT"


def test_a_rotated_key_of_the_same_user_is_used(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotated key of the same user is used without an interruption."""
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


def test_triggers_of_one_loop_share_one_client(fake: FakeLabelbox) -> None:
    """Triggers of one event loop and connection share one client, which the last one closes."""
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
def test_on_kill_cancels_only_when_nobody_waits_any_more(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch, asked: bool, state: str, status: str
) -> None:
    """`on_kill` cancels the export only with `cancel_on_kill`, and only when no task waits any more."""
    fake.faults.add(SlowExport())
    trigger = trigger_for(handle_of(fake), cancel_on_kill=asked)
    trigger.task_instance = SimpleNamespace(dag_id="nightly", task_id="wait", run_id="r", map_index=-1)  # type: ignore[assignment]
    # The state comes from Airflow's API server, which only the end-to-end tests have.
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(lambda **_: {"r": {"wait": state}}))
    asyncio.run(trigger.on_kill())
    assert [export.status for export in fake.exports] == [status]


def test_a_connection_that_breaks_meanwhile_is_an_event(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that breaks while a trigger waits is an event."""
    trigger = trigger_for(handle_of(fake))
    monkeypatch.delenv("AIRFLOW_CONN_LABELBOX_DEFAULT")
    [event] = events_of(trigger)
    assert event["outcome"] == "CONNECTION"
    assert "labelbox_default" in event["message"]


def test_first_polls_after_a_restart_are_spread(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triggers that a triggerer builds again at once poll first at different moments of their interval."""
    handle = handle_of(fake)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("labelbox_export_provider.triggers.export_task.asyncio.sleep", sleep)
    random.seed(14)
    long_ago = (datetime.now(timezone.utc) - timedelta(hours=1)).isoformat()
    for _ in range(40):
        events_of(trigger_for(handle, poke_interval=5.0, not_before=long_ago))
    assert len(slept) == 40
    assert 0 <= min(slept) < 1
    assert 4 < max(slept) <= 5


def test_the_row_of_a_newer_worker_is_read(fake: FakeLabelbox) -> None:
    """A triggerer that is upgraded later ignores options that it does not know, and hands them on."""
    trigger = trigger_for(handle_of(fake), v=2, batch_key="eu", tick=5.0)
    row = rebuilt(trigger).serialize()[1]
    assert (row["v"], row["batch_key"], row["tick"]) == (2, "eu", 5.0)
    assert events_of(trigger)[0]["outcome"] == "COMPLETE"
    assert trigger_for(handle_of(fake)).serialize()[1]["v"] == 1


@pytest.mark.parametrize("code", ["AUTHENTICATION_ERROR", "RESOURCE_NOT_FOUND"])
def test_one_refusal_is_not_an_event(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A triggerer believes a refused key or a missing export only when Labelbox has said so several times."""
    monkeypatch.setattr("labelbox_export_provider.client.polling.BELIEVED_AFTER", 0.05)
    monkeypatch.setattr("labelbox_export_provider.client.polling.ASKED_AGAIN_EVERY", 0.01)
    handle = handle_of(fake)
    fake.faults.add(GraphQLErrorAnswer(operation="createdTasks", code=code, times=4))
    assert events_of(trigger_for(handle))[0]["outcome"] == "COMPLETE"


def test_a_poll_that_waits_long_keeps_its_turn(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that is not answered for longer than a line of the log is not given up, so it is answered in the end."""
    monkeypatch.setattr("labelbox_export_provider.triggers.poller.LINE_EVERY", 0.05)
    handle = handle_of(fake)
    fake.faults.add(SlowAnswer(operation="createdTasks", seconds=0.4, times=None))
    deadline = (datetime.now(timezone.utc) + timedelta(seconds=3)).isoformat()
    assert events_of(trigger_for(handle, deadline=deadline))[0]["outcome"] == "COMPLETE"
