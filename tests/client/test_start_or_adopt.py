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


def test_the_first_try_starts_one_export_under_the_name_of_the_task(fake: FakeLabelbox, task: StartingTask) -> None:
    started = task.run()
    assert not started.adopted
    assert ids(fake) == [started.export_id]
    assert fake.exports[0].name == task.request().name
    assert task.slept == []


def test_the_intent_is_stored_before_the_call_and_the_id_after_it(task: StartingTask, clock: ManualClock) -> None:
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


def test_a_try_killed_before_the_call_has_started_nothing_and_the_retry_starts_one(
    fake: FakeLabelbox, task: StartingTask
) -> None:
    task.crash(KILLED_BEFORE_THE_CALL)
    assert fake.exports == []
    assert not task.run().adopted
    assert len(fake.exports) == 1
    assert sum(task.slept) == pytest.approx(GRACE)  # only then is it sure that none will become visible


def test_a_try_killed_during_the_call_is_followed_by_one_that_finds_the_export_by_its_name(
    fake: FakeLabelbox, task: StartingTask
) -> None:
    """Never starts an export twice by accident."""
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


def test_a_try_killed_after_the_call_is_followed_by_one_that_finds_the_export_by_its_id(
    fake: FakeLabelbox, task: StartingTask, clock: ManualClock
) -> None:
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


def test_the_wait_for_a_name_counts_from_the_intent_and_not_from_the_retry(
    fake: FakeLabelbox, task: StartingTask, clock: ManualClock
) -> None:
    task.crash(KILLED_BEFORE_THE_CALL)
    clock.advance(300)  # Airflow's usual retry delay
    task.run()
    assert task.slept == []
    assert len(fake.exports) == 1


def test_a_try_killed_minutes_into_sending_again_leaves_the_full_wait_to_the_next(
    fake: FakeLabelbox, task: StartingTask
) -> None:
    fake.faults.add(RateLimited(operation=START, retry_after=200), HiddenExport(seconds=20))
    task.crash(after(START, kill, time=2))
    assert len(fake.exports) == 1
    assert task.run().adopted
    assert len(fake.exports) == 1


def test_a_hidden_second_start_is_waited_for_though_a_dead_first_one_is_visible(
    fake: FakeLabelbox, task: StartingTask, clock: ManualClock
) -> None:
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
def test_the_export_is_found_in_every_form_that_the_unverified_service_may_have(
    fake: FakeLabelbox, task: StartingTask, form: dict[str, Any]
) -> None:
    fake.change(**form)
    task.crash(KILLED_DURING_THE_CALL)
    by_name = task.run()
    by_id = task.run()
    assert by_name.adopted
    assert by_id.adopted
    assert ids(fake) == [by_name.export_id] == [by_id.export_id]


# --- consumed handles and clearing


def test_a_crash_between_hand_over_and_success_is_followed_by_adoption(fake: FakeLabelbox, task: StartingTask) -> None:
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


def test_a_success_that_its_user_clears_starts_anew_because_that_is_what_was_asked_for(
    fake: FakeLabelbox, task: StartingTask, said: pytest.LogCaptureFixture
) -> None:
    first = task.succeed()
    task.clear()
    second = task.succeed()
    assert not second.adopted
    assert ids(fake) == [first.export_id, second.export_id]
    assert len({export.name for export in fake.exports}) == 2
    assert "was consumed before this task was cleared: starting a new one" in said.text
    assert task.succeed().export_id == second.export_id


def test_a_failure_that_its_user_clears_goes_on_with_the_export_which_then_counts_as_the_new_run(
    fake: FakeLabelbox, task: StartingTask
) -> None:
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
def test_a_key_of_another_user_who_sees_nothing_fails_naming_both_and_starts_nothing(
    fake: FakeLabelbox, task: StartingTask, colleague: FakeUser, way: Any
) -> None:
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
def test_the_same_holds_where_labelbox_does_not_even_show_the_other_user(
    fake: FakeLabelbox, task: StartingTask, colleague: FakeUser, code: str, way: Any
) -> None:
    if way is None:
        task.run()
    else:
        task.crash(way)
    fake.faults.add(GraphQLErrorAnswer(operation="createdTasks", code=code, times=None))
    with pytest.raises(AnotherUsersExportError, match=task.user.user_id):
        task.as_user(colleague).run()
    assert len(fake.exports) == 1


def test_an_export_of_another_user_that_is_visible_is_gone_on_with_in_that_users_name(
    fake: FakeLabelbox, task: StartingTask, colleague: FakeUser
) -> None:
    fake.change(tasks_of_other_users=True)
    first = task.run()
    again = task.as_user(colleague).run()
    assert again.adopted
    assert again.record.user_id == task.user.user_id  # whose tasks a sensor has to look through
    assert ids(fake) == [first.export_id]


def test_a_cleared_success_starts_anew_with_whatever_key_there_is_now(
    fake: FakeLabelbox, task: StartingTask, colleague: FakeUser
) -> None:
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


def test_without_a_store_a_retry_finds_the_export_by_its_name_alone(
    fake: FakeLabelbox, storeless: StartingTask
) -> None:
    storeless.crash(KILLED_DURING_THE_CALL)
    started = storeless.run()
    assert started.adopted
    assert storeless.run().export_id == started.export_id
    assert ids(fake) == [started.export_id]


def test_without_a_store_a_cleared_task_is_told_from_a_retry_by_its_clear_count(
    fake: FakeLabelbox, storeless: StartingTask
) -> None:
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
def test_of_two_tries_at_once_the_oldest_export_wins_and_the_younger_is_canceled(
    fake: FakeLabelbox, task: StartingTask, said: pytest.LogCaptureFixture, clock: ManualClock, has_store: bool
) -> None:
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


def test_the_oldest_wins_also_where_the_younger_is_not_visible_by_name_yet(
    fake: FakeLabelbox, task: StartingTask, clock: ManualClock
) -> None:
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


def test_the_oldest_itself_goes_on_and_leaves_the_younger_to_its_own_try(
    fake: FakeLabelbox, task: StartingTask, clock: ManualClock
) -> None:
    request = task.request()

    def other_start() -> None:
        clock.advance(1)
        task.client_run(flows.start_once(START_PROJECT_EXPORT, {**request.mutation_input, "taskName": request.name}))

    started = task.run(before(LOOK, other_start, time=2))
    assert not started.adopted
    assert started.export_id == fake.exports[0].export_id
    assert {export.status for export in fake.exports} == {"IN_PROGRESS"}


@pytest.mark.parametrize("fault", [None, GraphQLErrorAnswer(operation="CancelTask", code="AUTHORIZATION_ERROR")])
def test_a_younger_export_that_cannot_be_canceled_goes_on_unread_and_the_log_says_so(
    fake: FakeLabelbox,
    task: StartingTask,
    clock: ManualClock,
    said: pytest.LogCaptureFixture,
    fault: Fault | None,
) -> None:
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


def test_an_answer_lost_after_the_start_was_carried_out_is_followed_by_finding_the_export(
    fake: FakeLabelbox, task: StartingTask, said: pytest.LogCaptureFixture
) -> None:
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


def test_an_answer_that_comes_after_the_time_limit_counts_as_lost(fake: FakeLabelbox, task: StartingTask) -> None:
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
def test_an_answer_lost_without_a_start_is_followed_by_one_start_once_that_is_sure(
    fake: FakeLabelbox, task: StartingTask, fault: Fault
) -> None:
    fake.faults.add(fault)
    started = task.run()
    assert ids(fake) == [started.export_id]
    assert starts_sent(fake) == 2
    assert sum(task.slept) == pytest.approx(GRACE)


def test_starts_that_stay_unanswered_and_invisible_end_in_an_uncertain_error_and_the_next_try_looks_first(
    fake: FakeLabelbox, task: StartingTask
) -> None:
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


def test_what_cannot_be_excluded_is_a_name_that_stays_hidden_beyond_the_wait(
    fake: FakeLabelbox, task: StartingTask
) -> None:
    """The module says so; the handle names the second export, and the first is never read."""
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
def test_a_start_refused_for_too_many_requests_is_sent_again_and_none_is_started_twice(
    fake: FakeLabelbox, task: StartingTask, fault: RateLimited
) -> None:
    fake.faults.add(fault)
    started = task.run()
    assert not started.adopted
    assert ids(fake) == [started.export_id]
    assert starts_sent(fake) == 4
    assert len(task.slept) == 3
    if fault.retry_after is not None:
        assert min(task.slept) >= fault.retry_after


@pytest.mark.parametrize("form", ["graphql", "http", "not_allowed"])
def test_a_start_refused_for_too_many_running_exports_waits_for_one_of_them_to_end(
    fake: FakeLabelbox, task: StartingTask, form: str
) -> None:
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
def test_past_a_bound_the_refusal_is_raised_and_says_that_nothing_was_started(
    fake: FakeLabelbox,
    task: StartingTask,
    change: dict[str, Any],
    fault: Fault | None,
    error: type[LabelboxExportError],
) -> None:
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
def test_after_a_refusal_the_next_try_does_not_wait_for_an_export_that_was_never_started(
    fake: FakeLabelbox, task: StartingTask, fault: Fault, error: type[LabelboxExportError]
) -> None:
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


def test_a_worker_killed_while_it_waits_after_a_refusal_left_nothing_to_wait_for_either(
    fake: FakeLabelbox, task: StartingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_a_refusal_after_a_lost_answer_still_lets_the_next_try_find_what_shows_late(
    fake: FakeLabelbox, task: StartingTask
) -> None:
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
def test_who_can_wait_elsewhere_is_told_at_once_that_too_many_exports_run(
    fake: FakeLabelbox, task: StartingTask, form: str
) -> None:
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
