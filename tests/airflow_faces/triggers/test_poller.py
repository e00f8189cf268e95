"""Poller: many waits of one loop against a real server, which refuses, fails, and shows one export to nobody."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from support.airflow.started import handle_of

from labelbox_export_provider.client.retry import RetryPolicy
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import ExportTaskState
from labelbox_export_provider.errors import AuthenticationError, NotFoundError
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import ErrorStatus, RateLimited
from labelbox_export_provider.triggers import poll_schedule
from labelbox_export_provider.triggers.poller import Poller
from labelbox_export_provider.triggers.shared_client import clients_open, shared_poller


@pytest.fixture
def settings(fake: FakeLabelbox) -> ConnectionSettings:
    return ConnectionSettings(api_key=fake.api_key, endpoint=fake.endpoint, polls_per_minute=1_000_000)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_schedule, "TICK", 0.01)
    monkeypatch.setattr(poll_schedule, "PROBES", RetryPolicy(first_wait=0.01, max_wait=0.02))


def started(fake: FakeLabelbox, number: int) -> list[dict[str, Any]]:
    fake.change(running_exports_per_project=None, running_exports_per_organization=None)
    return [handle_of(fake, task_name=f"number {each}") for each in range(number)]


async def state_of(poller: Poller, export_id: str, user_id: str, due: float) -> ExportTaskState:
    asked = poller.ask(export_id, user_id, due, 0.01)
    while (state := await asked.answer) is None:
        pass
    return state


async def poll_all(
    poller: Poller, handles: list[dict[str, Any]], user_id: str | None = None
) -> list[str | BaseException]:
    """Poll each export once, all at the same moment; the status of each, or its error."""
    due = asyncio.get_running_loop().time()
    states = await asyncio.gather(
        *(state_of(poller, each["export_id"], user_id or each["user_id"], due) for each in handles),
        return_exceptions=True,
    )
    return [each if isinstance(each, BaseException) else each.status for each in states]


def polled(settings: ConnectionSettings, handles: list[dict[str, Any]]) -> list[str | BaseException]:
    async def run() -> list[str | BaseException]:
        async with shared_poller(settings) as poller:
            return await poll_all(poller, handles)

    found = asyncio.run(run())
    assert clients_open() == 0
    return found


def requests(fake: FakeLabelbox) -> Counter[str]:
    """How often each GraphQL operation was asked for so far."""
    return Counter(each.operation_name or "" for each in fake.requests.api)


@pytest.mark.parametrize(
    ("aliases", "sent"),
    [
        (None, {"CreatedTasksById": 2}),
        (60, {"CreatedTasksById": 2, "CreatedTasks": 1}),
        (0, {"CreatedTasksById": 5, "CreatedTasks": 1, "CreatedTaskById": 30}),
    ],
)
def test_many_polls_share_requests(
    fake: FakeLabelbox, settings: ConnectionSettings, aliases: int | None, sent: dict[str, int]
) -> None:
    """All states are read with a few requests, also where Labelbox takes fewer ids at once, or a single one."""
    handles = started(fake, 130)
    fake.change(aliases_per_query=aliases)
    before = requests(fake)
    assert polled(settings, handles) == ["COMPLETE"] * 130
    assert requests(fake) - before == sent


def test_an_export_that_is_denied_concerns_no_other(fake: FakeLabelbox, settings: ConnectionSettings) -> None:
    """An id that Labelbox does not know is asked for alone, and is an error of its own wait."""
    handles = started(fake, 5)
    unknown = {**handles[0], "export_id": "cl" + "0" * 23}
    found = polled(settings, [*handles, unknown])
    assert found[:5] == ["COMPLETE"] * 5
    assert isinstance(found[5], NotFoundError)


def test_an_outage_ends_no_poll(
    fake: FakeLabelbox, settings: ConnectionSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Polls wait while Labelbox refuses requests or is away; the log says so once, and once that it is over."""
    handles = started(fake, 30)
    caplog.set_level("INFO", "labelbox_export_provider.triggers.poller")
    fake.faults.add(RateLimited(operation="createdTasks", retry_after=0.01, times=3))
    fake.faults.add(ErrorStatus(operation="createdTasks", status=503, times=3))
    before = requests(fake)
    assert polled(settings, handles) == ["COMPLETE"] * 30
    assert sum((requests(fake) - before).values()) <= 10
    lines = [each.message for each in caplog.records if each.name.endswith("triggers.poller")]
    assert len(lines) == 2
    assert lines[0].startswith("Labelbox does not answer. 30 waits continue")
    assert lines[1] == "Labelbox answers again."


def test_a_refused_key_is_raised_in_every_poll(fake: FakeLabelbox, settings: ConnectionSettings) -> None:
    handles = started(fake, 3)
    fake.revoke(fake.api_key)
    assert {type(each) for each in polled(settings, handles)} == {AuthenticationError}


def test_a_bug_in_the_poller_ends_its_polls(
    fake: FakeLabelbox, settings: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poller that dies leaves nobody waiting for ever, and the next poll starts another."""
    handles = started(fake, 2)

    async def run() -> tuple[list[str | BaseException], list[str | BaseException]]:
        async with shared_poller(settings) as poller:
            with monkeypatch.context() as patched:
                patched.setattr(poller._schedule, "next_request", lambda _: 1 / 0)
                broken = await poll_all(poller, handles)
            return broken, await poll_all(poller, handles)

    broken, later = asyncio.run(run())
    assert {type(each) for each in broken} == {ZeroDivisionError}
    assert later == ["COMPLETE"] * 2


def test_a_poll_that_is_given_up_is_forgotten(fake: FakeLabelbox, settings: ConnectionSettings) -> None:
    """A trigger that Airflow moves to another triggerer leaves no poll behind, and others go on."""
    handles = started(fake, 2)

    async def run() -> tuple[int, list[str | BaseException]]:
        async with shared_poller(settings) as poller:
            later = asyncio.get_running_loop().time() + 60
            given_up = poller.ask(handles[0]["export_id"], handles[0]["user_id"], later, 60.0)
            assert list(poller._schedule) == [given_up]
            poller.give_up(given_up)
            return len(list(poller._schedule)), await poll_all(poller, handles[1:])

    assert asyncio.run(run()) == (0, ["COMPLETE"])
