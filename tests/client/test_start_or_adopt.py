"""Guarantee G1: never starts an export twice by accident. Each test counts what really started on the fake Labelbox."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from support.client.starts import CALL_LIMIT, LOOK, START, StartingTask, WorkerKilled, after, before, kill

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.graphql import START_PROJECT_EXPORT
from labelbox_export_provider.client.start_or_adopt import LOOK_EVERY, MAX_STARTS, VISIBLE_WITHIN
from labelbox_export_provider.errors import (
    AnotherUsersExportError,
    AuthenticationError,
    AuthorizationError,
    LabelboxExportError,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    RunningExportLimitError,
    StartUncertainError,
    UnreachableError,
)
from labelbox_export_provider.testing import Behaviour, FakeLabelbox, FakeUser, ManualClock, generate_rows
from labelbox_export_provider.testing.faults import (
    CanceledExport,
    ErrorStatus,
    ExportFault,
    FailedExport,
    Fault,
    GraphQLErrorAnswer,
    HiddenExport,
    HtmlAnswer,
    LostAnswer,
    RateLimited,
    SlowAnswer,
)

GRACE = CALL_LIMIT + VISIBLE_WITHIN
RUNS_FOR = 600.0
ROWS = generate_rows(2)

KILLED_BEFORE_THE_CALL = before(START, kill)
KILLED_DURING_THE_CALL = after(START, kill)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def fake(clock: ManualClock) -> Iterator[FakeLabelbox]:
    behaviour = Behaviour(seconds_per_export=RUNS_FOR)
    with FakeLabelbox(ROWS, clock=clock, behaviour=behaviour, projects={"clsecond": "Second"}) as running:
        yield running


@pytest.fixture
def task(fake: FakeLabelbox, clock: ManualClock) -> StartingTask:
    return StartingTask(fake, clock, fake.user)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "labelbox_export_provider.client.start_or_adopt")
    return caplog


def ids(fake: FakeLabelbox) -> list[str]:
    """Every export that really started, oldest first."""
    return [export.export_id for export in fake.exports]


def starts_sent(fake: FakeLabelbox) -> int:
    return len(fake.requests.asking(START))


# --- the first start


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


# --- a retry after a crash


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


# --- consumed handles and clearing


def test_crash_after_marking_consumed_adopts(fake: FakeLabelbox, task: StartingTask) -> None:
    """A crash between marking it consumed and success is followed by adoption."""
    first = task.succeed()
    again = task.succeed()
    assert again.adopted
    assert ids(fake) == [first.export_id] == [again.export_id]


def test_an_export_that_has_completed_meanwhile_is_adopted_too(
    fake: FakeLabelbox, task: StartingTask, clock: ManualClock
) -> None:
    task.run()
    clock.advance(RUNS_FOR)
    assert task.run().adopted
    assert [export.status for export in fake.exports] == ["COMPLETE"]


def test_cleared_success_starts_a_new_export(
    fake: FakeLabelbox, task: StartingTask, said: pytest.LogCaptureFixture
) -> None:
    """A success that its user clears starts anew because that is what was asked for."""
    first = task.succeed()
    task.clear()
    second = task.succeed()
    assert not second.adopted
    assert ids(fake) == [first.export_id, second.export_id]
    assert len({export.name for export in fake.exports}) == 2
    assert "was consumed before this task was cleared: starting a new one" in said.text
    assert task.succeed().export_id == second.export_id


def test_cleared_failure_adopts_the_export(fake: FakeLabelbox, task: StartingTask) -> None:
    """A failure that its user clears resumes the export which then counts as the new run."""
    first = task.run()  # then the task failed for a reason of its own
    task.clear()
    second = task.succeed()
    assert second.adopted
    assert second.record.clear_count == "1"
    assert task.succeed().adopted  # consumed since the last clear
    assert ids(fake) == [first.export_id]
    task.clear()
    assert not task.succeed().adopted
    assert len(fake.exports) == 2


def test_a_record_of_another_question_is_not_adopted(
    fake: FakeLabelbox, task: StartingTask, said: pytest.LogCaptureFixture
) -> None:
    task.run()
    task.project_id = "clsecond"
    assert not task.run().adopted
    assert [export.source_id for export in fake.exports] == [fake.project_id, "clsecond"]
    assert "has another request: starting a new one" in said.text


# --- exports that cannot be gone on with


@pytest.mark.parametrize(("fault", "status"), [(FailedExport(), "FAILED"), (CanceledExport(), "CANCELED")])
@pytest.mark.parametrize("has_store", [True, False])
def test_a_dead_export_means_a_new_one_and_the_log_says_why(  # noqa: PLR0917  fixtures and columns of the table
    fake: FakeLabelbox,
    task: StartingTask,
    clock: ManualClock,
    said: pytest.LogCaptureFixture,
    fault: ExportFault,
    status: str,
    has_store: bool,
) -> None:
    task.has_store = has_store
    fake.faults.add(fault)
    first = task.run()
    clock.advance(RUNS_FOR)
    second = task.run()
    assert not second.adopted
    assert ids(fake) == [first.export_id, second.export_id]
    assert said.text.count(f"Export {first.export_id} of an earlier try is {status}: starting a new one") == 1
    assert task.run().export_id == second.export_id  # and the dead one stays out of the way
    assert len(fake.exports) == 2


def test_an_export_that_somebody_is_canceling_is_dead_already(fake: FakeLabelbox, task: StartingTask) -> None:
    fake.change(seconds_to_cancel=60)
    first = task.run()
    task.client_run(flows.cancel_export(first.export_id))
    assert fake.exports[0].status == "CANCELLING"
    assert not task.run().adopted
    assert len(fake.exports) == 2


@pytest.mark.parametrize(("age", "adopted"), [(timedelta(hours=2), True), (timedelta(hours=2, seconds=1), False)])
@pytest.mark.parametrize("has_store", [True, False])
def test_an_export_older_than_adopt_within_is_not_gone_on_with(  # noqa: PLR0917  fixtures and columns of the table
    fake: FakeLabelbox,
    task: StartingTask,
    clock: ManualClock,
    said: pytest.LogCaptureFixture,
    age: timedelta,
    adopted: bool,
    has_store: bool,
) -> None:
    task.has_store, task.adopt_within = has_store, timedelta(hours=2)
    task.run()
    clock.advance(age.total_seconds())
    assert task.run().adopted is adopted
    assert len(fake.exports) == (1 if adopted else 2)
    assert ("older than adopt_within (2:00:00): starting a new one" in said.text) is not adopted


# --- keys of other users


@pytest.fixture
def colleague(fake: FakeLabelbox) -> FakeUser:
    return fake.add_user()


@pytest.mark.parametrize("way", [KILLED_BEFORE_THE_CALL, KILLED_DURING_THE_CALL, None])
def test_key_of_another_user_starts_nothing(
    fake: FakeLabelbox, task: StartingTask, colleague: FakeUser, way: Any
) -> None:
    """A key of another user who sees nothing fails naming both and starts nothing."""
    if way is None:
        task.run()
    else:
        task.crash(way)
    started = ids(fake)
    with pytest.raises(AnotherUsersExportError) as raised:
        task.as_user(colleague).run()
    assert task.user.user_id in str(raised.value)
    assert colleague.user_id in str(raised.value)
    assert "Nothing was started" in str(raised.value)
    assert "clear the task state" in str(raised.value)
    assert ids(fake) == started
    task.run()  # with the first key again
    assert len(fake.exports) == 1


@pytest.mark.parametrize("code", ["RESOURCE_NOT_FOUND", "AUTHORIZATION_ERROR"])
@pytest.mark.parametrize("way", [KILLED_DURING_THE_CALL, None])
def test_hidden_other_user_starts_nothing(
    fake: FakeLabelbox, task: StartingTask, colleague: FakeUser, code: str, way: Any
) -> None:
    """The same holds where Labelbox does not even show the other user."""
    if way is None:
        task.run()
    else:
        task.crash(way)
    fake.faults.add(GraphQLErrorAnswer(operation="createdTasks", code=code, times=None))
    with pytest.raises(AnotherUsersExportError, match=task.user.user_id):
        task.as_user(colleague).run()
    assert len(fake.exports) == 1


def test_visible_export_of_another_user_is_adopted(fake: FakeLabelbox, task: StartingTask, colleague: FakeUser) -> None:
    """An export of another user that is visible is adopted in that user's name."""
    fake.change(tasks_of_other_users=True)
    first = task.run()
    again = task.as_user(colleague).run()
    assert again.adopted
    assert again.record.user_id == task.user.user_id  # whose tasks a sensor has to look through
    assert ids(fake) == [first.export_id]


def test_cleared_success_starts_with_any_key(fake: FakeLabelbox, task: StartingTask, colleague: FakeUser) -> None:
    """A cleared success starts anew with whatever key there is now."""
    task.succeed()
    task.clear()
    assert task.as_user(colleague).run().record.user_id == colleague.user_id
    assert [export.user_id for export in fake.exports] == [task.user.user_id, colleague.user_id]


def test_a_new_key_of_the_same_user_changes_nothing(fake: FakeLabelbox, task: StartingTask) -> None:
    first = task.run()
    key = fake.accounts.add_key(fake.user)
    fake.revoke(fake.user.api_key)
    rotated = FakeUser(user_id=fake.user.user_id, api_key=key)
    assert task.as_user(rotated).run().export_id == first.export_id
    assert len(fake.exports) == 1


# --- without a task state store


@pytest.fixture
def storeless(task: StartingTask) -> StartingTask:
    task.has_store = False
    return task


def test_retry_without_a_store_finds_by_name(fake: FakeLabelbox, storeless: StartingTask) -> None:
    """Without a store a retry finds the export by its name alone."""
    storeless.crash(KILLED_DURING_THE_CALL)
    started = storeless.run()
    assert started.adopted
    assert storeless.run().export_id == started.export_id
    assert ids(fake) == [started.export_id]


def test_clear_count_distinguishes_without_a_store(fake: FakeLabelbox, storeless: StartingTask) -> None:
    """Without a store a cleared task is distinguished from a retry by its clear count."""
    storeless.succeed()
    assert storeless.succeed().adopted
    storeless.clear()
    assert not storeless.succeed().adopted
    assert len(fake.exports) == 2


def test_runs_of_a_task_do_not_find_each_others_exports(fake: FakeLabelbox, storeless: StartingTask) -> None:
    storeless.run()
    storeless.run_id = "next"
    assert not storeless.run().adopted
    assert len(fake.exports) == 2


# --- two tries at once


@pytest.mark.parametrize("has_store", [True, False])
def test_oldest_of_two_tries_wins(
    fake: FakeLabelbox, task: StartingTask, said: pytest.LogCaptureFixture, clock: ManualClock, has_store: bool
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
    assert f"Another try started export {oldest.export_id} first" in said.text
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
    said: pytest.LogCaptureFixture,
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
    assert f"Export {younger.export_id}" in said.text
    assert "continues unread" in said.text


# --- a lost answer


def test_lost_answer_after_a_start_is_found(
    fake: FakeLabelbox, task: StartingTask, said: pytest.LogCaptureFixture
) -> None:
    """An answer lost after the start was carried out is followed by finding the export."""
    fake.faults.add(LostAnswer(operation=START, carried_out=True))
    started = task.run()
    assert ids(fake) == [started.export_id]
    assert starts_sent(fake) == 1
    assert started.record.export_id == started.export_id
    assert "The answer to the start was lost" in said.text
    assert "the start was carried out" in said.text
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


# --- definite refusals


@pytest.mark.parametrize(
    "fault",
    [
        RateLimited(operation=START, retry_after=7, times=3),
        RateLimited(operation=START, retry_after=None, as_html=True, times=3),
    ],
)
def test_start_refused_for_rate_is_resent(fake: FakeLabelbox, task: StartingTask, fault: RateLimited) -> None:
    """A start refused for too many requests is sent again and none is started twice."""
    fake.faults.add(fault)
    started = task.run()
    assert not started.adopted
    assert ids(fake) == [started.export_id]
    assert starts_sent(fake) == 4
    assert len(task.slept) == 3
    if fault.retry_after is not None:
        assert min(task.slept) >= fault.retry_after


@pytest.mark.parametrize("form", ["graphql", "http", "not_allowed"])
def test_start_refused_at_the_limit_waits(fake: FakeLabelbox, task: StartingTask, form: str) -> None:
    """A start refused for too many running exports waits for one of them to end."""
    fake.change(running_exports_per_project=1, running_limit_form=form, seconds_per_export=60)
    task.run()
    other = StartingTask(fake, task.clock, fake.user, run_id="other")
    started = other.run()
    assert ids(fake)[1:] == [started.export_id]
    assert [export.status for export in fake.exports] == ["COMPLETE", "IN_PROGRESS"]


@pytest.mark.parametrize(
    ("change", "fault", "error"),
    [
        ({}, RateLimited(operation=START, retry_after=20, times=None), RateLimitedError),
        ({"running_exports_per_project": 0}, None, RunningExportLimitError),
        ({"running_exports_per_organization": 0, "running_limit_form": "http"}, None, RunningExportLimitError),
        ({"running_exports_per_organization": 0, "running_limit_form": "not_allowed"}, None, RunningExportLimitError),
    ],
)
def test_refusal_past_the_limit_is_raised(
    fake: FakeLabelbox,
    task: StartingTask,
    change: dict[str, Any],
    fault: Fault | None,
    error: type[LabelboxExportError],
) -> None:
    """Past a bound the refusal is raised and says that nothing was started."""
    fake.change(**change)
    fake.faults.add(*([fault] if fault else []))
    with pytest.raises(error, match="No export was started") as raised:
        task.run()
    assert raised.value.retryable
    assert sum(task.slept) <= 300
    assert fake.exports == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (GraphQLErrorAnswer(operation=START, code="RESOURCE_CONFLICT"), RefusedError),
        (RateLimited(operation=START, retry_after=20, times=None), RateLimitedError),
    ],
)
def test_refused_start_is_not_waited_for(
    fake: FakeLabelbox, task: StartingTask, fault: Fault, error: type[LabelboxExportError]
) -> None:
    """After a refusal the next try does not wait for an export that was never started."""
    fake.faults.add(fault)
    with pytest.raises(error):
        task.run()
    assert task.record is not None
    assert (task.record.state, task.record.export_id) == ("refused", None)
    fake.faults.clear()
    task.slept.clear()
    started = task.run()
    assert ids(fake) == [started.export_id]
    assert task.slept == []


def test_worker_killed_after_a_refusal_left_nothing(
    fake: FakeLabelbox, task: StartingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker killed while it waits after a refusal left nothing to wait for either."""
    fake.faults.add(RateLimited(operation=START, retry_after=7, times=1))
    with monkeypatch.context() as patched:
        patched.setattr(task, "_sleep", lambda _: kill())
        with pytest.raises(WorkerKilled):
            task.run()
    assert task.record is not None
    assert task.record.state == "refused"
    task.run()
    assert len(ids(fake)) == 1
    assert task.slept == []


def test_refusal_after_a_lost_answer_still_finds_it(fake: FakeLabelbox, task: StartingTask) -> None:
    """A refusal after a lost answer still lets the next try find what shows late."""
    fake.faults.add(
        HiddenExport(seconds=GRACE + 30),
        LostAnswer(operation=START),
        GraphQLErrorAnswer(operation=START, code="RESOURCE_CONFLICT"),
    )
    with pytest.raises(RefusedError):
        task.run()
    task.clock.advance(60)
    assert task.run().adopted
    assert len(ids(fake)) == 1


@pytest.mark.parametrize("form", ["graphql", "http", "not_allowed"])
def test_caller_that_waits_elsewhere_gets_the_limit(fake: FakeLabelbox, task: StartingTask, form: str) -> None:
    """A caller that can wait elsewhere learns at once that too many exports run."""
    fake.change(running_exports_per_project=0, running_limit_form=form)
    task.wait_at_limit = False
    with pytest.raises(RunningExportLimitError, match="No export was started"):
        task.run()
    assert task.slept == []
    assert starts_sent(fake) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (GraphQLErrorAnswer(operation=START, code="AUTHENTICATION_ERROR", status=401), AuthenticationError),
        (GraphQLErrorAnswer(operation=START, code="AUTHORIZATION_ERROR"), AuthorizationError),
        (GraphQLErrorAnswer(operation=START, code="GRAPHQL_VALIDATION_FAILED", status=400), RefusedError),
        (GraphQLErrorAnswer(operation=START, code="RESOURCE_CONFLICT"), RefusedError),
        (GraphQLErrorAnswer(operation=START, code="OPERATION_NOT_ALLOWED", message="upgrade your plan"), RefusedError),
        (GraphQLErrorAnswer(operation=START, code="RESOURCE_NOT_FOUND"), NotFoundError),
    ],
)
def test_a_refusal_for_good_is_raised_at_once(
    fake: FakeLabelbox, task: StartingTask, fault: Fault, error: type[LabelboxExportError]
) -> None:
    fake.faults.add(fault)
    with pytest.raises(error):
        task.run()
    assert fake.exports == []
    assert starts_sent(fake) == 1
    assert task.slept == []


def test_an_unknown_project_and_a_revoked_key_start_nothing(fake: FakeLabelbox, task: StartingTask) -> None:
    task.project_id = "clnowhere"
    with pytest.raises(NotFoundError, match="clnowhere"):
        task.run()
    fake.revoke(fake.user.api_key)
    with pytest.raises(AuthenticationError):
        task.run()
    assert fake.exports == []


@pytest.mark.parametrize("way", [KILLED_DURING_THE_CALL, None])
def test_while_the_look_up_gets_no_answer_nothing_is_started(fake: FakeLabelbox, task: StartingTask, way: Any) -> None:
    if way is not None:
        task.crash(way)
    started = ids(fake)
    fake.faults.add(ErrorStatus(operation="createdTasks", times=None))
    with pytest.raises(UnreachableError):
        task.run()
    assert ids(fake) == started
    fake.faults.clear()
    assert task.run().adopted is (way is not None)
    assert len(fake.exports) == 1
