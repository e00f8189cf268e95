"""Guarantee G1: never starts an export twice by accident; the first start, and retries after a crash."""

from __future__ import annotations

from typing import Any

import pytest
from support.client.starts import (
    GRACE,
    KILLED_BEFORE_THE_CALL,
    KILLED_DURING_THE_CALL,
    LOOK,
    RUNS_FOR,
    START,
    StartingTask,
    after,
    ids,
    kill,
)

from labelbox_export_provider.client.start_or_adopt import LOOK_EVERY
from labelbox_export_provider.testing import FakeLabelbox, ManualClock
from labelbox_export_provider.testing.faults import (
    FailedExport,
    HiddenExport,
    RateLimited,
)


def test_first_try_starts_one_export(fake: FakeLabelbox, task: StartingTask) -> None:
    """The first try starts one export under the name of the task."""
    started = task.run()
    assert not started.adopted
    assert ids(fake) == [started.export_id]
    assert fake.exports[0].name == task.request().name
    assert task.slept == []


def test_intent_is_stored_before_the_call(task: StartingTask, clock: ManualClock) -> None:
    """The intent is stored before the call and the id after it."""
    started = task.run()
    assert [(record.export_id, record.state) for record in task.saved] == [(None, "open"), (started.export_id, "open")]
    for record in task.saved:
        assert (record.intent_at, record.clear_count, record.user_id) == (clock(), "0", task.user.user_id)
        assert (record.name, record.fingerprint) == (task.request().name, task.request().fingerprint)
    assert started.record == task.saved[-1]


def test_nothing_is_started_when_the_intent_cannot_be_stored(
    fake: FakeLabelbox, task: StartingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("the state store is away")

    monkeypatch.setattr(task, "_save", refuse)
    with pytest.raises(RuntimeError, match="the state store is away"):
        task.run()
    assert fake.exports == []


def test_try_killed_before_the_call_started_nothing(fake: FakeLabelbox, task: StartingTask) -> None:
    """A try killed before the call has started nothing and the retry starts one."""
    task.crash(KILLED_BEFORE_THE_CALL)
    assert fake.exports == []
    assert not task.run().adopted
    assert len(fake.exports) == 1
    assert sum(task.slept) == pytest.approx(GRACE)  # only then is it sure that none will become visible


def test_try_killed_during_the_call_is_found_by_name(fake: FakeLabelbox, task: StartingTask) -> None:
    """Never starts an export twice by accident.

    A try killed during the call is followed by one that finds the export by its name.
    """
    task.crash(KILLED_DURING_THE_CALL)
    intent = task.record
    assert intent is not None
    assert intent.export_id is None
    started = task.run()
    assert started.adopted
    assert ids(fake) == [started.export_id]
    assert task.record is not None
    assert task.record.export_id == started.export_id
    assert task.slept == []


def test_try_killed_after_the_call_is_found_by_id(fake: FakeLabelbox, task: StartingTask, clock: ManualClock) -> None:
    """A try killed after the call is followed by one that finds the export by its id."""
    first = task.run()  # and never handed over
    clock.advance(300)
    fake.requests.clear()
    again = task.run()
    assert again.adopted
    assert ids(fake) == [first.export_id] == [again.export_id]
    assert fake.requests.asking(LOOK) == []
    assert again.record.intent_at == first.record.intent_at  # the handle's started_at


@pytest.mark.parametrize("hidden", [HiddenExport(seconds=45), HiddenExport(looks=3, by_id=True)])
def test_an_export_that_becomes_visible_late_is_waited_for(
    fake: FakeLabelbox, task: StartingTask, hidden: HiddenExport
) -> None:
    fake.faults.add(hidden)
    task.crash(KILLED_DURING_THE_CALL)
    started = task.run()
    assert started.adopted
    assert ids(fake) == [started.export_id]
    assert set(task.slept) == {LOOK_EVERY}


def test_wait_for_a_name_counts_from_the_intent(fake: FakeLabelbox, task: StartingTask, clock: ManualClock) -> None:
    """The wait for a name counts from the intent and not from the retry."""
    task.crash(KILLED_BEFORE_THE_CALL)
    clock.advance(300)  # Airflow's usual retry delay
    task.run()
    assert task.slept == []
    assert len(fake.exports) == 1


def test_try_killed_while_resending_leaves_a_full_wait(fake: FakeLabelbox, task: StartingTask) -> None:
    """A try killed minutes into sending again leaves the full wait to the next."""
    fake.faults.add(RateLimited(operation=START, retry_after=200), HiddenExport(seconds=20))
    task.crash(after(START, kill, time=2))
    assert len(fake.exports) == 1
    assert task.run().adopted
    assert len(fake.exports) == 1


def test_hidden_second_start_is_waited_for(fake: FakeLabelbox, task: StartingTask, clock: ManualClock) -> None:
    """A hidden second start is waited for though a dead first one is visible."""
    fake.faults.add(FailedExport(), HiddenExport(seconds=45, after=1))
    task.run()
    clock.advance(RUNS_FOR)
    task.crash(KILLED_DURING_THE_CALL)
    assert [export.status for export in fake.exports] == ["FAILED", "IN_PROGRESS"]
    started = task.run()
    assert started.adopted
    assert ids(fake)[1:] == [started.export_id]


@pytest.mark.parametrize(
    "form",
    [
        {"created_tasks_by_name": False},
        {"created_tasks_newest_first": False},
        {"status_in_task": False},
        {"created_tasks_by_name": False, "created_tasks_newest_first": False, "status_in_task": False},
        {"tasks_of_other_users": True},
        {"completion_percentage_of": 1, "uint64_as_text": False},
    ],
)
def test_export_is_found_in_every_service_variant(fake: FakeLabelbox, task: StartingTask, form: dict[str, Any]) -> None:
    """The export is found in every form that the unverified service may have."""
    fake.change(**form)
    task.crash(KILLED_DURING_THE_CALL)
    by_name = task.run()
    by_id = task.run()
    assert by_name.adopted
    assert by_id.adopted
    assert ids(fake) == [by_name.export_id] == [by_id.export_id]
