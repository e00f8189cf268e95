"""Guarantee G1 with two tries at once, and with lost answers."""

from __future__ import annotations

import pytest
from support.client.starts import (
    GRACE,
    LOOK,
    START,
    StartingTask,
    before,
    ids,
    starts_sent,
)

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.graphql import START_PROJECT_EXPORT
from labelbox_export_provider.client.start_or_adopt import LOOK_EVERY, MAX_STARTS
from labelbox_export_provider.errors import (
    StartUncertainError,
)
from labelbox_export_provider.testing import FakeLabelbox, ManualClock
from labelbox_export_provider.testing.faults import (
    ErrorStatus,
    Fault,
    GraphQLErrorAnswer,
    HiddenExport,
    HtmlAnswer,
    LostAnswer,
    SlowAnswer,
)


@pytest.mark.parametrize("has_store", [True, False])
def test_oldest_of_two_tries_wins(
    fake: FakeLabelbox, task: StartingTask, reported: pytest.LogCaptureFixture, clock: ManualClock, has_store: bool
) -> None:
    """Of two tries at once the oldest export wins and the younger is canceled."""
    task.has_store = has_store
    other: list[str] = []

    def other_try() -> None:
        other.append(task.run().export_id)
        clock.advance(1)

    slower = task.run(before(START, other_try))
    oldest, younger = fake.exports
    assert slower.adopted
    assert [slower.export_id] == other == [oldest.export_id]
    assert slower.record.export_id == oldest.export_id
    assert (oldest.status, younger.status) == ("IN_PROGRESS", "CANCELED")
    assert f"Another try started export {oldest.export_id} first" in reported.text
    assert task.run().export_id == oldest.export_id
    assert len(fake.exports) == 2


def test_oldest_wins_over_an_invisible_one(fake: FakeLabelbox, task: StartingTask, clock: ManualClock) -> None:
    """The oldest wins also where the younger is not visible by name yet."""
    task.has_store = False
    fake.faults.add(HiddenExport(after=1, seconds=60))

    def other_try() -> None:
        task.run()
        clock.advance(1)

    slower = task.run(before(START, other_try))
    oldest, younger = fake.exports
    assert slower.export_id == oldest.export_id
    assert younger.status == "CANCELED"


def test_an_own_export_that_nothing_shows_yet_is_kept(fake: FakeLabelbox, task: StartingTask) -> None:
    task.has_store = False
    fake.faults.add(HiddenExport(after=1, seconds=60, by_id=True))
    slower = task.run(before(START, task.run))
    assert slower.export_id == fake.exports[1].export_id
    assert {export.status for export in fake.exports} == {"IN_PROGRESS"}


def test_oldest_leaves_the_newer_alone(fake: FakeLabelbox, task: StartingTask, clock: ManualClock) -> None:
    """The oldest itself goes on and leaves the younger to its own try."""
    request = task.request()

    def other_start() -> None:
        clock.advance(1)
        task.client_run(flows.start_once(START_PROJECT_EXPORT, {**request.mutation_input, "taskName": request.name}))

    started = task.run(before(LOOK, other_start, time=2))
    assert not started.adopted
    assert started.export_id == fake.exports[0].export_id
    assert {export.status for export in fake.exports} == {"IN_PROGRESS"}


@pytest.mark.parametrize("fault", [None, GraphQLErrorAnswer(operation="CancelTask", code="AUTHORIZATION_ERROR")])
def test_uncancelable_newer_export_is_logged(
    fake: FakeLabelbox,
    task: StartingTask,
    clock: ManualClock,
    reported: pytest.LogCaptureFixture,
    fault: Fault | None,
) -> None:
    """A younger export that cannot be canceled continues unread and the log says so."""
    task.has_store = False
    fake.change(exports_cancelable=fault is not None)
    fake.faults.add(*([fault] if fault else []))

    def other_try() -> None:
        task.run()
        clock.advance(1)

    slower = task.run(before(START, other_try))
    oldest, younger = fake.exports
    assert slower.export_id == oldest.export_id
    assert younger.status == "IN_PROGRESS"
    assert f"Export {younger.export_id}" in reported.text
    assert "continues unread" in reported.text


def test_lost_answer_after_a_start_is_found(
    fake: FakeLabelbox, task: StartingTask, reported: pytest.LogCaptureFixture
) -> None:
    """An answer lost after the start was carried out is followed by finding the export."""
    fake.faults.add(LostAnswer(operation=START, carried_out=True))
    started = task.run()
    assert ids(fake) == [started.export_id]
    assert starts_sent(fake) == 1
    assert started.record.export_id == started.export_id
    assert "The answer to the start was lost" in reported.text
    assert "the start was carried out" in reported.text
    assert not started.adopted  # no earlier try had started it


def test_a_lost_start_that_becomes_visible_late_is_waited_for(fake: FakeLabelbox, task: StartingTask) -> None:
    fake.faults.add(LostAnswer(operation=START, carried_out=True), HiddenExport(seconds=GRACE - LOOK_EVERY))
    started = task.run()
    assert ids(fake) == [started.export_id]
    assert starts_sent(fake) == 1


def test_late_answer_counts_as_lost(fake: FakeLabelbox, task: StartingTask) -> None:
    """An answer that comes after the time limit counts as lost."""
    task.timeout = 0.3
    fake.faults.add(SlowAnswer(operation=START, seconds=0.7))
    started = task.run()
    assert ids(fake) == [started.export_id]
    assert starts_sent(fake) == 1


@pytest.mark.parametrize(
    "fault",
    [
        LostAnswer(operation=START, carried_out=False),
        ErrorStatus(operation=START, status=502),
        ErrorStatus(operation=START, status=504),
        HtmlAnswer(operation=START, status=503),
        GraphQLErrorAnswer(operation=START, code="INTERNAL_SERVER_ERROR", exception_status=500),
    ],
)
def test_lost_answer_without_a_start_starts_again(fake: FakeLabelbox, task: StartingTask, fault: Fault) -> None:
    """An answer lost without a start is followed by one start once that is sure."""
    fake.faults.add(fault)
    started = task.run()
    assert ids(fake) == [started.export_id]
    assert starts_sent(fake) == 2
    assert sum(task.slept) == pytest.approx(GRACE)


def test_unanswered_starts_end_uncertain(fake: FakeLabelbox, task: StartingTask) -> None:
    """Starts that stay unanswered and invisible end in an uncertain error and the next try looks first."""
    fake.faults.add(LostAnswer(operation=START, carried_out=False, times=None))
    with pytest.raises(StartUncertainError, match=r"did not answer 2 starts in a row.* It is looked for again"):
        task.run()
    assert starts_sent(fake) == MAX_STARTS
    assert fake.exports == []
    fake.faults.clear()
    fake.requests.clear()
    assert not task.run().adopted
    assert len(fake.exports) == 1
    assert fake.requests.api[0].operation_name == LOOK


def test_name_hidden_too_long_starts_twice(fake: FakeLabelbox, task: StartingTask) -> None:
    """What cannot be excluded is a name that stays hidden beyond the wait.

    The module says so; the handle names the second export, and the first is never read.
    """
    fake.faults.add(LostAnswer(operation=START, carried_out=True), HiddenExport(seconds=GRACE + 60, by_id=True))
    started = task.run()
    assert ids(fake)[1:] == [started.export_id]
    assert len(fake.exports) == 2
