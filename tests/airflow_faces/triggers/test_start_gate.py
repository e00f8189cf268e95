"""StartGateTrigger: its row, its one event, and the queue that it makes with others before a real server."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from support.airflow.started import handle_of
from support.airflow.tasks import StateStore, TaskInstance, context_of
from support.airflow.triggers import events_of, rebuilt, through_the_database

from labelbox_export_provider import ProjectExportOperator
from labelbox_export_provider.airflow_compat import TaskDeferred
from labelbox_export_provider.client.retry import RetryPolicy
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import ErrorStatus, GraphQLErrorAnswer, RateLimited
from labelbox_export_provider.triggers import gate_watcher, start_gate, start_queue
from labelbox_export_provider.triggers.shared_client import clients_open
from labelbox_export_provider.triggers.start_gate import StartGateTrigger

CONNECTION = "AIRFLOW_CONN_LABELBOX_DEFAULT"
SECOND, THIRD = "clprojectsecond0000000000", "clprojectthird00000000000"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelbox]:
    with FakeLabelbox(projects={SECOND: "second", THIRD: "third"}) as running:
        for name, value in running.airflow_environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_gate, "SPREAD", 0.0)
    monkeypatch.setattr(gate_watcher, "TICK", 0.02)
    monkeypatch.setattr(start_queue, "SKEW", timedelta(0))
    monkeypatch.setattr(gate_watcher, "PROBES", RetryPolicy(first_wait=0.01, max_wait=0.02))


@pytest.fixture
def real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks and triggers have the same clock."""
    monkeypatch.setattr(
        "labelbox_export_provider.execution.waiting.WaitingTask.now", lambda _: datetime.now(timezone.utc)
    )


def ago(seconds: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).isoformat()


def at_most(fake: FakeLabelbox, number: int, patch: pytest.MonkeyPatch, api_key: str | None = None) -> None:
    """Let the connection start no more exports at once, and look as often as it can."""
    connection = json.loads(fake.airflow_connection(api_key=api_key or fake.api_key))
    extras = {**(connection.get("extra") or {}), "max_running_exports": number, "polls_per_minute": 6000}
    patch.setenv(CONNECTION, json.dumps({**connection, "extra": extras}))


def gate(**members: Any) -> StartGateTrigger:
    return StartGateTrigger(**{"labelbox_conn_id": "labelbox_default", "deadline": ago(-30), **members})


async def event_of(trigger: Any) -> dict[str, Any]:
    [event] = [through_the_database(event.payload) async for event in rebuilt(trigger).run()]
    found: dict[str, Any] = event
    return found


# --- the row


def test_a_row_holds_settings_only(fake: FakeLabelbox) -> None:
    trigger = gate(source="project p", name="[00] a b", arrived_at=ago(3), window_start=ago(9), refused_at=ago(1))
    path, arguments = trigger.serialize()
    assert path == "labelbox_export_provider.triggers.start_gate.StartGateTrigger"
    assert fake.api_key not in json.dumps(arguments)
    assert "http" not in json.dumps(arguments)
    assert rebuilt(trigger).serialize()[1] == arguments


def test_rows_of_other_versions_are_read(fake: FakeLabelbox) -> None:
    """What a newer worker adds is kept; what an older one does not know is not missed."""
    del fake
    newer = gate(v=2, fair_share=0.5)
    assert rebuilt(newer).serialize()[1]["fair_share"] == 0.5
    for trigger in (newer, StartGateTrigger(labelbox_conn_id="labelbox_default")):
        assert events_of(trigger) == [{"outcome": "RELEASED"}]


# --- one event


def test_a_start_is_released_when_an_export_ends(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    at_most(fake, 2, monkeypatch)
    fake.change(seconds_per_export=1.0)
    for number in range(2):
        handle_of(fake, task_name=f"number {number}")
    assert events_of(gate(refused_at=ago(0))) == [{"outcome": "RELEASED"}]
    first = fake.exports[0].started_at + timedelta(seconds=1)
    assert first <= datetime.now(timezone.utc) < first + timedelta(seconds=5)
    assert clients_open() == 0


@pytest.mark.parametrize(("seconds_left", "outcome"), [(30, "RELEASED"), (0, "TIMEOUT")])
def test_nothing_is_sent_before_airflow_noted_the_deferral(
    fake: FakeLabelbox, seconds_left: float, outcome: str
) -> None:
    """Whatever ends the rest, the task is not queued again while its executor may still report the phase before."""
    del fake
    began = datetime.now(timezone.utc)
    assert events_of(gate(not_before=ago(-0.5), deadline=ago(-seconds_left))) == [{"outcome": outcome}]
    assert datetime.now(timezone.utc) - began >= timedelta(seconds=0.5)


def test_a_rest_ends_at_its_deadline(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task is resumed, and reports how long its start was refused."""
    at_most(fake, 1, monkeypatch)
    fake.change(seconds_per_export=60.0)
    handle_of(fake)
    assert events_of(gate(deadline=ago(-0.5))) == [{"outcome": "TIMEOUT"}]


@pytest.mark.parametrize(
    "fault",
    [RateLimited(operation="createdTasks", retry_after=0.01, times=5), ErrorStatus(status=503, times=5)],
)
def test_an_outage_ends_no_rest(
    fake: FakeLabelbox, fault: RateLimited | ErrorStatus, caplog: pytest.LogCaptureFixture
) -> None:
    """The watcher looks again until Labelbox answers, and says once that it is away."""
    caplog.set_level("INFO", gate_watcher.__name__)
    fake.faults.add(fault)
    assert events_of(gate()) == [{"outcome": "RELEASED"}]
    lines = [each.message for each in caplog.records if each.name == gate_watcher.__name__]
    assert [line.split(".")[0] for line in lines] == ["Labelbox does not answer", "Labelbox answers again"]


def test_a_list_that_is_refused_releases_by_time(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A key that may start exports but not list them has its starts tried again one after the other."""
    monkeypatch.setattr(start_queue, "FIRST_PAUSE", 0.2)
    fake.faults.add(GraphQLErrorAnswer(operation="createdTasks", code="AUTHORIZATION_ERROR", times=None))
    began = datetime.now(timezone.utc)
    assert events_of(gate(refused_at=ago(0))) == [{"outcome": "RELEASED"}]
    assert datetime.now(timezone.utc) - began >= timedelta(seconds=0.2)
    assert sum("does not list" in each.message for each in caplog.records) == 1


def test_a_refused_key_is_the_tasks_to_report(fake: FakeLabelbox) -> None:
    """Nobody rests with a key that Labelbox refuses: the start fails with its own report."""
    fake.revoke(fake.api_key)
    assert events_of(gate()) == [{"outcome": "RELEASED"}]


def test_a_rotated_key_is_used(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start rests on with the new key of the connection, in its place."""
    monkeypatch.setattr("labelbox_export_provider.client.polling.BELIEVED_AFTER", 0.05)
    monkeypatch.setattr("labelbox_export_provider.client.polling.ASKED_AGAIN_EVERY", 0.02)
    at_most(fake, 1, monkeypatch)
    fake.change(seconds_per_export=1.0)
    handle_of(fake)

    async def rotate() -> dict[str, Any]:
        rests = asyncio.create_task(event_of(gate(refused_at=ago(0))))
        await asyncio.sleep(0.2)
        new = fake.accounts.add_key(fake.user)
        at_most(fake, 1, monkeypatch, api_key=new)
        fake.revoke(fake.api_key)
        return await rests

    assert asyncio.run(rotate()) == {"outcome": "RELEASED"}
    assert datetime.now(timezone.utc) >= fake.exports[0].started_at + timedelta(seconds=1)


def test_a_rest_that_is_cancelled_leaves_nothing_behind(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trigger that Airflow moves to another triggerer gives its place up."""
    at_most(fake, 1, monkeypatch)
    fake.change(seconds_per_export=60.0)
    handle_of(fake)

    async def cancel() -> None:
        rests = asyncio.create_task(event_of(gate(refused_at=ago(0))))
        await asyncio.sleep(0.3)
        rests.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rests

    asyncio.run(cancel())
    assert clients_open() == 0


def test_a_bug_in_the_watcher_ends_the_rests(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    del fake
    monkeypatch.setattr(start_queue.StartQueue, "release", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        events_of(gate())


# --- many


def test_starts_are_released_in_the_promised_order(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """By priority, then the newest window, then arrival; ten look at the tasks as one."""
    monkeypatch.setattr(start_queue, "UNSEEN", 0.05)
    at_most(fake, 1, monkeypatch)
    old, new = ago(90_000), ago(3_600)
    promised = [
        gate(name="urgent", priority_weight=5, window_start=old, arrived_at=ago(1)),
        gate(name="tonight, first", window_start=new, arrived_at=ago(20)),
        gate(name="tonight, second", window_start=new, arrived_at=ago(10)),
        gate(name="no window", arrived_at=ago(7_200)),
        gate(name="backfill", window_start=old, arrived_at=ago(30)),
    ]
    order: list[str | None] = []

    async def rest(trigger: StartGateTrigger) -> None:
        await event_of(trigger)
        order.append(trigger.name)

    async def all_rest() -> None:
        fake.faults.add(ErrorStatus(status=503, times=10))  # until all are there
        await asyncio.gather(*(rest(trigger) for trigger in reversed(promised)))

    asyncio.run(all_rest())
    assert order == [trigger.name for trigger in promised]
    looks = Counter(each.operation_name for each in fake.requests.api)
    assert looks["WhoAmI"] <= 11


class Crowd:
    """Starts of one event loop, each in phases on a worker, with its trigger in between."""

    def __init__(self, fake: FakeLabelbox) -> None:
        self.fake = fake
        self.phases: Counter[int] = Counter()

    async def start(self, number: int, project_id: str) -> None:
        """Start one export; fails as the task would."""
        task = ProjectExportOperator(task_id="start", project_id=project_id, poke_interval=1)
        context = context_of(store=StateStore(), ti=TaskInstance(map_index=number))
        phase: Callable[[], Any] = partial(task.execute, context)
        while True:
            self.phases[number] += 1
            try:
                await asyncio.to_thread(phase)
            except TaskDeferred as deferred:
                event = await event_of(deferred.trigger)
                phase = partial(
                    task.resume_execution, "start_again", {**(deferred.kwargs or {}), "event": event}, context
                )
            else:
                return

    def run(self, projects: list[str]) -> None:
        """Start an export of each project, all at once."""

        async def all_start() -> None:
            await asyncio.gather(*(self.start(number, each) for number, each in enumerate(projects)))

        asyncio.run(all_start())


@pytest.mark.usefixtures("real_time")
def test_a_released_start_is_carried_out(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen at a limit of four: each is refused once at most, and all are started."""
    at_most(fake, 18, monkeypatch)
    fake.change(running_exports_per_organization=4, running_exports_per_project=None, seconds_per_export=1.5)
    crowd = Crowd(fake)
    crowd.run([fake.project_id] * 16)
    assert len(fake.exports) == 16
    assert set(crowd.phases.values()) <= {1, 2}
    assert sum(each == 1 for each in crowd.phases.values()) >= 4


@pytest.mark.usefixtures("real_time")
def test_full_projects_do_not_hold_up_others(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two projects at their own limit: their starts rest, and those of a third need no more than one phase."""
    at_most(fake, 18, monkeypatch)
    fake.change(running_exports_per_organization=None, running_exports_per_project=2, seconds_per_export=1.5)
    crowd = Crowd(fake)
    crowd.run([*[fake.project_id] * 5, *[SECOND] * 5, *[THIRD] * 2])
    assert len(fake.exports) == 12
    assert {crowd.phases[number] for number in (10, 11)} == {1}
    started = Counter(each.source_id for each in fake.exports[:6])
    assert started == {fake.project_id: 2, SECOND: 2, THIRD: 2}
    # Of the first six exports the watcher does not know the project, so each end may be one of either project.
    assert sum(crowd.phases.values()) <= 12 + 2 * (6 + 3)
