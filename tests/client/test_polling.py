"""What one look at an export means for whoever waits, and when an export is believed to be empty."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.client.conversations import Runner

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.graphql import START_PROJECT_EXPORT
from labelbox_export_provider.client.polling import (
    EMPTY_AGAIN_AFTER,
    VISIBILITY_GRACE,
    CompletedTotals,
    PollResult,
    completed_totals,
    poll,
    require_complete,
)
from labelbox_export_provider.client.retry import ONCE
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import StreamTotals
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.errors import (
    AnotherUsersExportError,
    AuthenticationError,
    AuthorizationError,
    ExportCanceledError,
    ExportFailedError,
    ExportNotReadyError,
    IntegrityError,
    LabelboxExportError,
    NotFoundError,
)
from labelbox_export_provider.testing import Behaviour, FakeLabelbox, ManualClock, generate_rows
from labelbox_export_provider.testing.faults import (
    CanceledExport,
    ErrorRows,
    ErrorStatus,
    FailedExport,
    Fault,
    GraphQLErrorAnswer,
    HiddenExport,
    HtmlAnswer,
    LostAnswer,
    NullFile,
    NullHeader,
    RateLimited,
    UnknownStatus,
)

ROWS = generate_rows(2)
RUNS_FOR = 600.0


class Waiter:
    """Someone who waits for one export; both drivers take turns over the tests."""

    def __init__(self, fake: FakeLabelbox, clock: ManualClock, runner: Runner) -> None:
        self.fake, self.clock, self.runner = fake, clock, runner
        self.settings = ConnectionSettings(api_key=fake.api_key, endpoint=fake.endpoint, timeout=5)
        self.export_id, self.started_at = "", clock()

    def start(self, **filters: Any) -> None:
        source = ProjectSource.parse({"project_id": self.fake.project_id, "filters": filters})
        asked = source.render_input(task_name="waited for", owner_timezone=None, window=None)
        self.export_id = self.runner.run(self.settings, flows.start_once(START_PROJECT_EXPORT, asked)).export_id
        self.started_at = self.clock()

    def poll(self, user_id: str | None = "own", started_at: datetime | None = None) -> PollResult:
        user = self.fake.user.user_id if user_id == "own" else user_id
        since = started_at or self.started_at
        result: PollResult = self.runner.run(self.settings, poll(self.export_id, user, since, self.clock, ONCE))
        return result

    def totals(self) -> CompletedTotals:
        totals: CompletedTotals = self.runner.run(self.settings, completed_totals(self.export_id))
        return totals


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def fake(clock: ManualClock) -> Iterator[FakeLabelbox]:
    with FakeLabelbox(ROWS, clock=clock, behaviour=Behaviour(seconds_per_export=RUNS_FOR)) as running:
        yield running


@pytest.fixture
def waiter(fake: FakeLabelbox, clock: ManualClock, runner: Runner) -> Waiter:
    return Waiter(fake, clock, runner)


# --- one look


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
def test_a_look_tells_how_the_export_ended_or_that_it_goes_on(
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


def test_a_bare_id_that_is_not_found_is_an_error_at_once(waiter: Waiter) -> None:
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
def test_a_refused_key_ends_the_wait(waiter: Waiter, fault: Fault, error: type[LabelboxExportError]) -> None:
    waiter.start()
    waiter.fake.faults.add(fault)
    with pytest.raises(error):
        waiter.poll()


def test_a_key_of_another_user_ends_the_wait_naming_both(waiter: Waiter) -> None:
    waiter.start()
    colleague = waiter.fake.add_user()
    waiter.settings = ConnectionSettings(api_key=colleague.api_key, endpoint=waiter.fake.endpoint, timeout=5)
    with pytest.raises(AnotherUsersExportError) as raised:
        waiter.poll()
    assert waiter.fake.user.user_id in str(raised.value)
    assert colleague.user_id in str(raised.value)


# --- reading before the end


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


# --- totals of a complete export

NOTHING = {"workflow_status": "Done", "batch_ids": ["clnowhere"]}
TWO_ERRORS = ErrorRows(lines=('{"error": "a"}', '{"error": "bc"}'))


@pytest.fixture
def complete(waiter: Waiter) -> Waiter:
    waiter.fake.change(seconds_per_export=0)
    return waiter


def expected(waiter: Waiter) -> StreamTotals:
    export = waiter.fake.exports[-1]
    assert export.rows > 0
    return StreamTotals(size=export.result_bytes, lines=export.rows)


def test_totals_of_both_streams_are_announced(complete: Waiter) -> None:
    """Totals are those that the server announces for both streams."""
    complete.fake.faults.add(TWO_ERRORS)
    complete.start()
    totals = complete.totals()
    errors = StreamTotals(size=len('{"error": "a"}\n{"error": "bc"}\n'), lines=2)
    assert totals == CompletedTotals(expected(complete), errors)
    assert totals.to_json() == {
        "result": {"rows": expected(complete).lines, "bytes": expected(complete).size},
        "errors": {"rows": 2, "bytes": 31},
    }
    assert complete.runner.slept == []


def test_no_errors_are_the_rule_and_cost_no_wait(complete: Waiter) -> None:
    complete.start()
    assert complete.totals() == CompletedTotals(expected(complete), None)
    assert complete.totals().to_json()["errors"] == {"rows": 0, "bytes": 0}
    assert complete.runner.slept == []


@pytest.mark.parametrize("form", ["null", "zero", "null_members"])
def test_empty_export_needs_a_second_read(complete: Waiter, form: str) -> None:
    """An empty export is believed after a second read and a missing first file."""
    complete.fake.change(empty_header=form)
    complete.start(**NOTHING)
    complete.fake.requests.clear()
    assert complete.totals() == CompletedTotals(None, None)
    assert complete.runner.slept == [EMPTY_AGAIN_AFTER]
    asked = [(request.operation_name, request.variables["streamType"]) for request in complete.fake.requests.api]
    assert asked == [
        ("StreamHeader", "RESULT"),
        ("StreamHeader", "RESULT"),
        ("FileFromOffset", "RESULT"),
        ("StreamHeader", "ERRORS"),
        ("FileFromOffset", "ERRORS"),
    ]


@pytest.mark.parametrize("stream", ["RESULT", "ERRORS"])
def test_late_header_does_not_empty_a_stream(complete: Waiter, stream: Any) -> None:
    """A header that is merely late does not turn a full stream into an empty one."""
    complete.fake.faults.add(TWO_ERRORS, NullHeader(stream=stream))
    complete.start()
    totals = complete.totals()
    assert totals.result == expected(complete)
    assert totals.errors == StreamTotals(size=31, lines=2)
    assert complete.runner.slept == [EMPTY_AGAIN_AFTER]


@pytest.mark.parametrize("stream", ["RESULT", "ERRORS"])
def test_stream_with_a_file_is_not_empty(complete: Waiter, stream: Any) -> None:
    """A stream with a file but without a header is not treated as empty."""
    complete.fake.faults.add(TWO_ERRORS, NullHeader(stream=stream, times=None))
    complete.start()
    with pytest.raises(IntegrityError, match=rf"no header for its {stream} stream.*a first file. It is not treated as"):
        complete.totals()


def test_missing_header_and_files_mean_empty(
    complete: Waiter,
) -> None:
    """An export whose header and files are missing for long is all that can look empty."""
    complete.fake.faults.add(NullHeader(stream="RESULT", times=None), NullFile(stream="RESULT", times=None))
    complete.start()
    assert complete.totals().result is None
