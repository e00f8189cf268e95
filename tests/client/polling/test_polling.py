"""Polls of an export, the same in workers and in the triggerer."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from support.client.waiter import RUNS_FOR, Waiter

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.polling import (
    ASKED_AGAIN_EVERY,
    BELIEVED_AFTER,
    VISIBILITY_GRACE,
    PollResult,
    poll,
    require_complete,
)
from labelbox_export_provider.client.retry import ONCE, RetryPolicy
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.errors import (
    AnotherUsersExportError,
    AuthenticationError,
    AuthorizationError,
    ExportCanceledError,
    ExportFailedError,
    ExportNotReadyError,
    LabelboxExportError,
    NotFoundError,
)
from labelbox_export_provider.testing.faults import (
    CanceledExport,
    ErrorStatus,
    FailedExport,
    Fault,
    GraphQLErrorAnswer,
    HiddenExport,
    HtmlAnswer,
    LostAnswer,
    RateLimited,
    UnknownStatus,
)


@pytest.mark.parametrize(
    ("fault", "after", "ended", "line"),
    [
        (None, 0.0, None, ": IN_PROGRESS, 0 %, 0:00:00 since its start"),
        (None, RUNS_FOR / 4, None, ": IN_PROGRESS, 25 %, 0:02:30 since its start"),
        (None, RUNS_FOR, "COMPLETE", " is COMPLETE."),
        (FailedExport(), RUNS_FOR, "FAILED", " is FAILED and has no result to read. Labelbox gives no reason."),
        (FailedExport(), 0.0, None, ": IN_PROGRESS"),
        (CanceledExport(), RUNS_FOR, "CANCELED", " was canceled and has no result to read."),
        (UnknownStatus(status="PAUSED"), 0.0, None, ": PAUSED"),
        (UnknownStatus(status="PAUSED"), RUNS_FOR, "COMPLETE", " is COMPLETE."),
    ],
)
def test_a_poll_returns_how_the_export_ended_or_that_it_runs(
    waiter: Waiter, fault: Fault | None, after: float, ended: str | None, line: str
) -> None:
    waiter.fake.faults.add(*([fault] if fault else []))
    waiter.start()
    waiter.clock.advance(after)
    seen = waiter.poll()
    assert seen.ended == ended
    shown = seen.line.removeprefix(f"Export {waiter.export_id}")
    # The failure of a task quotes the line of an export that has ended: no percentage, no time that counts on.
    assert shown.startswith(line) if ended is None else shown == line


def test_canceling_export_runs_until_canceled(waiter: Waiter) -> None:
    """An export that is being canceled goes on until it is canceled."""
    waiter.fake.change(seconds_to_cancel=60)
    waiter.start()
    waiter.runner.run(waiter.settings, flows.cancel_export(waiter.export_id))
    assert waiter.poll().ended is None
    assert "CANCELLING" in waiter.poll().line
    waiter.clock.advance(60)
    assert waiter.poll().ended == "CANCELED"


def test_a_state_that_is_not_known_is_waited_out_with_a_warning(
    waiter: Waiter, caplog: pytest.LogCaptureFixture
) -> None:
    waiter.fake.faults.add(UnknownStatus(status="PAUSED"))
    waiter.start()
    waiter.poll()
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [f"Export {waiter.export_id} is in an unknown state: 'PAUSED'. The wait continues."]


@pytest.mark.parametrize(
    ("scale", "share", "shown"),
    [(100, 0.5, ", 50 %,"), (1, 0.5, ", completionPercentage 0.5,"), (100, 0.01, ", completionPercentage 1,")],
)
def test_no_percentage_is_made_up(waiter: Waiter, scale: int, share: float, shown: str) -> None:
    """A progress of 1 is not reported as 100 %: whether the service counts to 1 or to 100 is not documented."""
    waiter.fake.change(completion_percentage_of=scale)
    waiter.start()
    waiter.clock.advance(RUNS_FOR * share)
    assert shown in waiter.poll().line


def test_elapsed_time_counts_from_the_handle(waiter: Waiter) -> None:
    """The elapsed time counts from the handle and else from the service."""
    waiter.start()
    waiter.clock.advance(90.4)
    assert waiter.poll(started_at=waiter.started_at - timedelta(days=1)).line.endswith("1 day, 0:01:30 since its start")
    unknown = waiter.runner.run(waiter.settings, poll(waiter.export_id, None, None, waiter.clock, ONCE))
    assert unknown.line.endswith(", 0:01:30 since its start")


@pytest.mark.parametrize(("age", "found"), [(0.0, True), (VISIBILITY_GRACE.total_seconds(), True), (60.001, False)])
def test_missing_export_is_waited_for_only_when_new(waiter: Waiter, age: float, found: bool) -> None:
    """An export that is not found is waited for only while it is new."""
    waiter.fake.faults.add(HiddenExport(seconds=3600, by_id=True))
    waiter.start()
    waiter.clock.advance(age)
    if found:
        assert waiter.poll() == PollResult(None, f"Export {waiter.export_id}: not visible yet")
    else:
        with pytest.raises(NotFoundError, match=waiter.export_id):
            waiter.poll()


def test_a_bare_id_that_is_not_found_ends_the_wait(waiter: Waiter) -> None:
    with pytest.raises(NotFoundError, match="clnowhere"):
        waiter.runner.run(waiter.settings, poll("clnowhere", None, None, waiter.clock, ONCE))


@pytest.mark.parametrize(
    "fault",
    [
        RateLimited(retry_after=30, times=None),
        ErrorStatus(status=502, times=None),
        ErrorStatus(status=503, times=None),
        HtmlAnswer(status=504, times=None),
        LostAnswer(times=None),
        GraphQLErrorAnswer(code="INTERNAL_SERVER_ERROR", exception_status=500, times=None),
    ],
)
def test_temporary_failure_counts_as_running(waiter: Waiter, caplog: pytest.LogCaptureFixture, fault: Fault) -> None:
    """A temporary failure of the service counts as still running."""
    waiter.start()
    waiter.clock.advance(RUNS_FOR)
    waiter.fake.faults.add(fault)
    assert waiter.poll() == PollResult(None, f"Export {waiter.export_id}: Labelbox did not answer")
    assert "could not be polled, the wait continues" in caplog.text
    waiter.fake.faults.clear()
    assert waiter.poll().ended == "COMPLETE"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (GraphQLErrorAnswer(code="AUTHENTICATION_ERROR", status=401, times=None), AuthenticationError),
        (GraphQLErrorAnswer(code="AUTHORIZATION_ERROR", times=None), AuthorizationError),
    ],
)
def test_a_refused_key_ends_the_wait_after_two_minutes(
    waiter: Waiter, fault: Fault, error: type[LabelboxExportError], caplog: pytest.LogCaptureFixture
) -> None:
    """A refused key is believed only after several answers over two minutes."""
    waiter.start()
    waiter.fake.faults.add(fault)
    with pytest.raises(error):
        waiter.poll()
    assert waiter.runner.slept == [ASKED_AGAIN_EVERY] * 6
    assert sum(waiter.runner.slept) == BELIEVED_AFTER == 120
    assert caplog.text.count("The wait ends if Labelbox answers so for 120 s") == 1


@pytest.mark.parametrize(
    "fault",
    [
        GraphQLErrorAnswer(code="AUTHENTICATION_ERROR", status=401, times=6),
        GraphQLErrorAnswer(code="AUTHORIZATION_ERROR", times=6),
        GraphQLErrorAnswer(code="RESOURCE_NOT_FOUND", times=6),
        HiddenExport(looks=4, by_id=True),
    ],
    ids=["authentication", "authorization", "not found", "empty answers"],
)
def test_answers_that_pass_do_not_end_the_wait(waiter: Waiter, fault: Fault) -> None:
    """One empty answer, or some refusals of the key, do not end a wait of hours."""
    hidden = isinstance(fault, HiddenExport)
    waiter.fake.faults.add(*([fault] if hidden else []))
    waiter.start()
    waiter.clock.advance(RUNS_FOR)
    waiter.fake.faults.add(*([] if hidden else [fault]))
    assert waiter.poll().ended == "COMPLETE"
    assert 0 < sum(waiter.runner.slept) <= BELIEVED_AFTER


def test_a_short_wait_is_not_made_longer(waiter: Waiter) -> None:
    """A wait whose policy lasts shorter than two minutes believes the answer when that time is over."""
    waiter.start()
    policy = RetryPolicy(attempts=1, total_seconds=30)
    with pytest.raises(NotFoundError):
        waiter.runner.run(waiter.settings, poll("clnowhere", None, None, waiter.clock, policy))
    assert waiter.runner.slept == [ASKED_AGAIN_EVERY]


def test_a_key_of_another_user_ends_the_wait_naming_both(waiter: Waiter) -> None:
    waiter.start()
    colleague = waiter.fake.add_user()
    waiter.settings = ConnectionSettings(api_key=colleague.api_key, endpoint=waiter.fake.endpoint, timeout=5)
    with pytest.raises(AnotherUsersExportError) as raised:
        waiter.poll()
    assert waiter.fake.user.user_id in str(raised.value)
    assert colleague.user_id in str(raised.value)


@pytest.mark.parametrize(
    ("fault", "after", "error"),
    [
        (None, 0.0, ExportNotReadyError),
        (UnknownStatus(), 0.0, ExportNotReadyError),
        (FailedExport(), RUNS_FOR, ExportFailedError),
        (CanceledExport(), RUNS_FOR, ExportCanceledError),
    ],
)
def test_incomplete_export_is_not_read(
    waiter: Waiter, fault: Fault | None, after: float, error: type[LabelboxExportError]
) -> None:
    """An export that is not complete is not read since it would look empty."""
    waiter.fake.faults.add(*([fault] if fault else []))
    waiter.start()
    waiter.clock.advance(after)
    with pytest.raises(error, match=waiter.export_id):
        waiter.runner.run(waiter.settings, require_complete(waiter.export_id))


def test_a_complete_export_may_be_read(waiter: Waiter) -> None:
    waiter.start()
    waiter.clock.advance(RUNS_FOR)
    state = waiter.runner.run(waiter.settings, require_complete(waiter.export_id, waiter.fake.user.user_id))
    assert (state.export_id, state.status) == (waiter.export_id, "COMPLETE")
