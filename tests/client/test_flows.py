"""Flows alone, without driver, network or clock: what they ask, in which order, and what they make of the answers."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from support.client.conversations import answer, by_hand

from labelbox_export_provider.client import flows, graphql
from labelbox_export_provider.client.retry import ONCE, RetryPolicy
from labelbox_export_provider.client.types import (
    Answer,
    ExportFile,
    ExportTaskState,
    FailureKind,
    KeyOwner,
    Send,
    Started,
    StartLost,
    StreamTotals,
    StreamType,
    TransportFailure,
)
from labelbox_export_provider.errors import (
    AnotherUsersExportError,
    AuthorizationError,
    IntegrityError,
    NotFoundError,
    ProtocolError,
    RateLimitedError,
    RefusedError,
    UnreachableError,
)

POLICY = RetryPolicy(attempts=5, first_wait=1, max_wait=8, total_seconds=100, jitter=lambda: 1.0)
INPUT = {"taskName": "nightly", "filters": {"projectId": "clp1"}, "params": {}}
OWNER = {
    "user": {"id": "u1", "email": "a@b.example", "timezone": "Europe/Berlin"},
    "organization": {"id": "o1", "name": "O"},
}
INVALID = answer(body={"errors": [{"message": "no", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]}, status=400)
FORBIDDEN = answer(body={"errors": [{"message": "no", "extensions": {"code": "AUTHORIZATION_ERROR"}}]})
UNKNOWN = answer(body={"errors": [{"message": "no", "extensions": {"code": "RESOURCE_NOT_FOUND"}}]})


def task(
    export_id: str = "t1", name: str = "nightly", created: str | None = "2026-11-22T02:00:00.000Z"
) -> dict[str, Any]:
    return {"id": export_id, "name": name, "status": "IN_PROGRESS", "type": "export-data-rows", "createdAt": created}


def tasks(*found: dict[str, Any]) -> Answer:
    return answer({"user": {"createdTasks": list(found)}})


def header(value: object) -> Answer:
    return answer({"task": {"exportMetadataHeader": value}})


def file(
    start: object = 0, end: object = 9, first: object = 0, last: object = 2, url: object = "https://h/f?s"
) -> Answer:
    found = {"offsets": {"start": start, "end": end}, "lines": {"start": first, "end": last}, "file": url}
    return answer({"task": {"exportFileFromOffset": found}})


# --- whose key -----------------------------------------------------------------------------------------------------


def test_who_am_i_tells_whose_key_it_is_in_one_question() -> None:
    done = by_hand(flows.who_am_i(POLICY), answer(OWNER))
    assert done.value == KeyOwner("u1", "a@b.example", "Europe/Berlin", "o1", "O")
    assert done.operations == ["WhoAmI"]


def test_who_am_i_needs_only_the_ids() -> None:
    """Who am i does without email time zone and organization name."""
    done = by_hand(flows.who_am_i(POLICY), answer({"user": {"id": 7}, "organization": {"id": "o1", "name": None}}))
    assert done.value == KeyOwner("7", None, None, "o1", None)


@pytest.mark.parametrize(
    "data",
    [
        {"user": None, "organization": {"id": "o1"}},
        {"user": {"id": None}, "organization": {"id": "o1"}},
        {"user": []},
        {},
    ],
)
def test_unknown_shape_is_a_protocol_error(data: Any) -> None:
    """An answer in no known shape is a protocol error that names the member."""
    error = by_hand(flows.who_am_i(POLICY), answer(data)).error
    assert isinstance(error, ProtocolError)
    assert "user" in str(error)


# --- waiting -------------------------------------------------------------------------------------------------------


def test_waits_double_up_to_the_longest_and_end_with_the_tries() -> None:
    policy = RetryPolicy(attempts=6, first_wait=1, max_wait=5, total_seconds=100, jitter=lambda: 1.0)
    done = by_hand(flows.who_am_i(policy), answer(status=503, body=b"down"))
    assert done.sleeps == [1, 2, 4, 5, 5]
    assert isinstance(done.error, UnreachableError)
    assert "Gave up after 6 tries in 17 s" in str(done.error)


@pytest.mark.parametrize(("drawn", "sleeps"), [(0.0, [0.5, 1.0]), (0.5, [0.75, 1.5]), (1.0, [1.0, 2.0])])
def test_jitter_spreads_a_wait_over_its_upper_half(drawn: float, sleeps: list[float]) -> None:
    policy = RetryPolicy(attempts=3, jitter=lambda: drawn)
    assert by_hand(flows.who_am_i(policy), answer(status=503, body=b"down")).sleeps == sleeps


def test_a_retry_after_is_never_shortened_and_spread_a_little() -> None:
    limited = answer(status=429, body=b"", retry_after="20")
    done = by_hand(flows.who_am_i(RetryPolicy(attempts=2, first_wait=1, jitter=lambda: 0.25)), limited)
    assert done.sleeps == [20.25]
    assert isinstance(done.error, RateLimitedError)
    assert done.error.retry_after == 20


def test_retry_after_date_uses_the_answers_date() -> None:
    """A retry after as a date counts from the answer's own date."""
    limited = answer(
        status=429, body=b"", retry_after="Sun, 22 Nov 2026 02:00:30 GMT", date="Sun, 22 Nov 2026 02:00:00 GMT"
    )
    done = by_hand(flows.who_am_i(RetryPolicy(attempts=2, jitter=lambda: 0.0)), limited, answer(OWNER))
    assert done.sleeps == [30]


def test_a_5xx_may_also_say_when_to_come_back() -> None:
    done = by_hand(flows.who_am_i(POLICY), answer(status=503, body=b"", retry_after="7"), answer(OWNER))
    assert done.sleeps == [8.0]


def test_time_limit_counts_answers_and_waits() -> None:
    """The time bound counts answers and waits and no wait is begun that would pass it."""
    policy = RetryPolicy(attempts=50, first_wait=1, max_wait=1, total_seconds=100, jitter=lambda: 1.0)
    timeout = TransportFailure(FailureKind.TIMEOUT, "h gave no answer: timed out", elapsed=30)
    done = by_hand(flows.who_am_i(policy), timeout)
    assert done.sleeps == [1, 1, 1]
    assert "Gave up after 4 tries in 123 s" in str(done.error)


def test_retry_after_beyond_the_limit_is_raised() -> None:
    """A retry after beyond the time bound is handed to the caller at once."""
    done = by_hand(flows.who_am_i(POLICY), answer(status=429, body=b"", retry_after="3600"))
    assert done.sleeps == []
    assert isinstance(done.error, RateLimitedError)
    assert done.error.retry_after == 3600


def test_a_person_in_front_of_a_form_does_not_wait() -> None:
    assert by_hand(flows.who_am_i(ONCE), answer(status=503, body=b"")).effects == [Send(graphql.WHO_AM_I, {})]


# --- starting ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", graphql.START_BY_MUTATION.values(), ids=list(graphql.START_BY_MUTATION))
def test_a_start_sends_the_rendered_input_as_it_is(document: graphql.Document) -> None:
    done = by_hand(flows.start_once(document, INPUT, POLICY), answer({"x": {"taskId": "t1", "isStreamable": True}}))
    assert done.value == Started("t1")
    assert [each.variables for each in done.sends] == [{"input": INPUT}]


def test_an_export_that_cannot_be_streamed_is_refused_by_name() -> None:
    done = by_hand(
        flows.start_once(graphql.START_PROJECT_EXPORT, INPUT, POLICY),
        answer({"x": {"taskId": "t1", "isStreamable": False}}),
    )
    assert isinstance(done.error, RefusedError)
    assert "t1" in str(done.error)


@pytest.mark.parametrize(
    "data", [{"x": None}, {"x": {}}, {"x": {"taskId": None}}, {"x": {"taskId": ""}}, {"x": []}, {}]
)
def test_a_sound_answer_that_names_no_export_counts_as_lost(data: Any) -> None:
    done = by_hand(flows.start_once(graphql.START_PROJECT_EXPORT, INPUT, POLICY), answer(data))
    assert isinstance(done.value, StartLost)
    assert len(done.sends) == 1


def test_id_proves_a_start() -> None:
    """An id is proof of a start whatever else the answer complains about."""
    body = {"data": {"x": {"taskId": "t1", "isStreamable": True}}, "errors": [{"message": "late"}]}
    done = by_hand(flows.start_once(graphql.START_PROJECT_EXPORT, INPUT, POLICY), answer(body=body, status=500))
    assert done.value == Started("t1")


@pytest.mark.parametrize("kind", [FailureKind.TIMEOUT, FailureKind.BROKEN])
def test_lost_answer_is_returned_at_once(kind: FailureKind) -> None:
    """A lost answer is returned at once and nothing is sent again."""
    done = by_hand(
        flows.start_once(graphql.START_PROJECT_EXPORT, INPUT, POLICY), TransportFailure(kind, "h broke", elapsed=1)
    )
    assert isinstance(done.value, StartLost)
    assert "h broke" in done.value.reason
    assert len(done.effects) == 1


def test_a_loss_after_refusals_is_still_a_loss() -> None:
    refused = answer(status=429, body=b"")
    lost = TransportFailure(FailureKind.BROKEN, "h broke", elapsed=1)
    done = by_hand(flows.start_once(graphql.START_PROJECT_EXPORT, INPUT, POLICY), refused, lost)
    assert isinstance(done.value, StartLost)
    assert len(done.sends) == 2


# --- finding by name -----------------------------------------------------------------------------------------------


def test_tasks_by_name_come_oldest_first() -> None:
    """Tasks of a name are asked for by name and given oldest first."""
    newer, older = task("t2", created="2026-11-22T03:00:00.000Z"), task("t1", created="2026-11-22T02:00:00.000+00:00")
    undated = task("t0", created=None)
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), tasks(undated, newer, older))
    assert [each.export_id for each in done.value] == ["t1", "t2", "t0"]
    assert [each.variables for each in done.sends] == [{"userId": "u1", "name": "nightly", "skip": 0, "first": 100}]


def test_names_are_compared_here_too() -> None:
    """Names are compared here too since a filter may match more or be ignored."""
    page = tasks(task("t1"), task("t2", "nightly 2"), task("t3", "Nightly"), {**task("t4"), "name": None})
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), page, tasks())
    assert [each.export_id for each in done.value] == ["t1"]


def test_whole_list_is_read_without_a_name_filter() -> None:
    """Where names are no filter the whole list is read page by page."""
    first = tasks(*(task(f"a{index}", "other") for index in range(100)))
    second = tasks(*(task(f"b{index}", "other") for index in range(30)), task("t1"))
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), INVALID, first, second, tasks())
    assert [each.export_id for each in done.value] == ["t1"]
    assert done.operations == ["CreatedTasksByName", *["CreatedTasks"] * 3]
    assert [each.variables["skip"] for each in done.sends] == [0, 0, 100, 131]


def test_short_pages_hide_nothing() -> None:
    """A server that gives shorter pages than asked for hides nothing."""
    pages = [tasks(task("a1", "other"), task("a2", "other")), tasks(task("t1")), tasks()]
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), INVALID, *pages)
    assert [each.export_id for each in done.value] == ["t1"]


def test_a_server_that_ignores_paging_is_not_asked_for_ever() -> None:
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), INVALID, tasks(task("t1"), task("t2", "other")))
    assert [each.export_id for each in done.value] == ["t1"]
    assert len(done.sends) == 3


def _endless(step: int) -> Any:
    flow = flows.created_tasks_named("u1", "nightly", POLICY)
    effect, sent = flow.send(None), 0
    reply: Any = INVALID
    while True:
        try:
            effect = flow.send(reply)
        except StopIteration as stop:
            return sent, stop.value
        sent += 1
        assert isinstance(effect, Send)
        begin = effect.variables["skip"]
        stamps = [datetime.fromtimestamp(10**9 + step * (begin + index), timezone.utc) for index in range(100)]
        reply = tasks(*(task(f"t{begin + i}", "other", at.isoformat()) for i, at in enumerate(stamps)))


def test_newest_thousand_are_read_of_a_sorted_list() -> None:
    """A list that comes newest first is read for its newest thousand."""
    assert _endless(-60) == (10, ())


def test_unfinished_unsorted_list_is_an_error() -> None:
    """An unfinished list in another order is an error and not an answer."""
    with pytest.raises(ProtocolError, match="cannot be finished"):
        _endless(60)


def test_hidden_user_is_an_error() -> None:
    """A user whom the key cannot see is an error and not an empty list."""
    done = by_hand(flows.created_tasks_named("u2", "nightly", POLICY), answer({"user": None}))
    assert isinstance(done.error, NotFoundError)
    assert "u2" in str(done.error)


# --- looking at one ------------------------------------------------------------------------------------------------


def test_an_export_is_looked_up_among_its_users_tasks() -> None:
    found = {**task(), "completionPercentage": 12.5, "updatedAt": "2026-11-22T02:05:00Z"}
    done = by_hand(flows.task_state("t1", "u1", POLICY), tasks(found))
    assert done.value == ExportTaskState(
        "t1",
        "nightly",
        "IN_PROGRESS",
        "export-data-rows",
        12.5,
        datetime(2026, 11, 22, 2, tzinfo=timezone.utc),
        datetime(2026, 11, 22, 2, 5, tzinfo=timezone.utc),
    )
    assert [each.variables for each in done.sends] == [{"userId": "u1", "taskId": "t1"}]


def test_without_a_user_the_keys_owner_is_asked_for_first() -> None:
    done = by_hand(flows.task_state("t1", policy=POLICY), answer(OWNER), tasks(task()))
    assert done.operations == ["WhoAmI", "CreatedTaskById"]
    assert done.sends[1].variables["userId"] == "u1"


def test_only_id_and_status_are_needed() -> None:
    """Only id and status are needed and an unknown status is kept."""
    odd = {"id": "t1", "status": "PAUSED", "createdAt": "yesterday", "completionPercentage": "half"}
    done = by_hand(flows.task_state("t1", "u1", POLICY), tasks(odd))
    assert done.value == ExportTaskState("t1", None, "PAUSED", None, None, None, None)


def test_export_not_listed_is_asked_for_by_id() -> None:
    """What is not among the user's tasks is asked for by id alone."""
    done = by_hand(flows.task_state("t1", "u1", POLICY), tasks(), answer({"task": task()}))
    assert done.value.export_id == "t1"
    assert done.operations == ["CreatedTaskById", "Task"]


@pytest.mark.parametrize("first", [tasks(), tasks(task("t9")), UNKNOWN, answer({"user": None})])
@pytest.mark.parametrize("second", [answer({"task": None}), UNKNOWN, INVALID])
def test_missing_export_is_not_found(first: Answer, second: Answer) -> None:
    """An export that is nowhere is not found and the message says for whom."""
    error = by_hand(flows.task_state("t1", "u1", POLICY), first, second, answer(OWNER)).error
    assert type(error) is NotFoundError
    assert "t1" in str(error)
    assert "a@b.example" in str(error)


@pytest.mark.parametrize("first", [tasks(), UNKNOWN, FORBIDDEN])
def test_export_of_another_user_names_both(first: Answer) -> None:
    """An export of another user that is hidden is reported with both users."""
    done = by_hand(
        flows.task_state("t1", "u2", POLICY), first, *[answer({"task": None})] * (first is not FORBIDDEN), answer(OWNER)
    )
    assert type(done.error) is AnotherUsersExportError
    assert "u1" in str(done.error)
    assert "u2" in str(done.error)


def test_own_user_gets_the_refusal_itself() -> None:
    """The key's own user who may not look gets the refusal itself."""
    done = by_hand(flows.task_state("t1", "u1", POLICY), FORBIDDEN, answer(OWNER))
    assert type(done.error) is AuthorizationError


# --- streams -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "lines"), [(17, 3), ("17", "3"), ("17", 3)])
def test_totals_are_read_from_numbers_and_from_text(size: object, lines: object) -> None:
    done = by_hand(
        flows.stream_totals("t1", StreamType.ERRORS, POLICY), header({"totalSize": size, "totalLines": lines})
    )
    assert done.value == StreamTotals(17, 3)
    assert done.sends[0].variables == {"where": {"id": "t1"}, "streamType": "ERRORS"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"totalSize": 0, "totalLines": 0},
        {"totalSize": "0", "totalLines": "0"},
        {"totalSize": None, "totalLines": None},
    ],
)
def test_empty_stream_has_three_forms(value: object) -> None:
    """An empty stream may be reported as null as nulls or as zeros."""
    done = by_hand(flows.stream_totals("t1", StreamType.RESULT, POLICY), header(value))
    assert (done.value, done.error) == (None, None)


def test_more_than_64_bits_do_not_fit() -> None:
    largest = 2**64 - 1
    done = by_hand(
        flows.stream_totals("t1", StreamType.RESULT, POLICY), header({"totalSize": str(largest), "totalLines": 1})
    )
    assert done.value == StreamTotals(largest, 1)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"totalSize": 17, "totalLines": None}, IntegrityError),
        ({"totalSize": None, "totalLines": 3}, IntegrityError),
        ({"totalSize": 0, "totalLines": 3}, IntegrityError),
        ({"totalSize": -1, "totalLines": 3}, IntegrityError),
        ({"totalSize": "-1", "totalLines": 3}, IntegrityError),
        ({"totalSize": 2**64, "totalLines": 3}, IntegrityError),
        ({"totalSize": "many", "totalLines": 3}, ProtocolError),
        ({"totalSize": 1.5, "totalLines": 3}, ProtocolError),
        ({"totalSize": True, "totalLines": 3}, ProtocolError),
        ({"totalSize": "\u0663", "totalLines": 3}, ProtocolError),
        ({"totalSize": "", "totalLines": 3}, ProtocolError),
        ({"totalSize": "-", "totalLines": 3}, ProtocolError),
        ([], ProtocolError),
    ],
)
def test_nonsense_totals_are_not_an_empty_stream(value: object, error: type[Exception]) -> None:
    """Totals that make no sense are never treated as an empty stream."""
    assert type(by_hand(flows.stream_totals("t1", StreamType.RESULT, POLICY), header(value)).error) is error


@pytest.mark.parametrize("flow", [flows.stream_totals, flows.has_file], ids=["totals", "has_file"])
def test_an_export_that_is_not_there_is_not_an_empty_one(flow: Any) -> None:
    error = by_hand(flow("t1", StreamType.RESULT, POLICY), answer({"task": None})).error
    assert isinstance(error, NotFoundError)
    assert "t1" in str(error)


def test_file_is_asked_for_by_offset() -> None:
    """A file is asked for by its offset as text and described in full."""
    done = by_hand(flows.file_at("t1", StreamType.RESULT, 5, POLICY), file("0", "9", 0, "2"))
    assert done.value == ExportFile(0, 9, 0, 2, "https://h/f?s")
    assert done.value.size == 10
    assert done.sends[0].variables == {"where": {"id": "t1"}, "streamType": "RESULT", "offset": "5"}


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer({"task": {"exportFileFromOffset": None}}), IntegrityError),
        (file(6, 9), IntegrityError),
        (file(0, 4), IntegrityError),
        (file(9, 0), IntegrityError),
        (file(-1, 9), IntegrityError),
        (file(0, 9, -1, 2), IntegrityError),
        (file(0, 9, 3, 2), IntegrityError),
        (file(None, 9), ProtocolError),
        (file(0, 9, "x", 2), ProtocolError),
        (file(url=None), ProtocolError),
        (file(url=""), ProtocolError),
        (file(url=7), ProtocolError),
        (answer({"task": {"exportFileFromOffset": {"file": "https://h/f?s"}}}), ProtocolError),
        (answer({"task": {"exportFileFromOffset": []}}), ProtocolError),
    ],
)
def test_nonsense_file_is_refused_without_its_url(reply: Answer, error: type[Exception]) -> None:
    """A file that makes no sense is refused without showing its URL."""
    done = by_hand(flows.file_at("t1", StreamType.RESULT, 5, POLICY), reply)
    assert type(done.error) is error
    assert "https://h" not in str(done.error)


def test_the_url_of_a_file_is_not_shown_by_repr() -> None:
    assert "https" not in repr(by_hand(flows.file_at("t1", StreamType.RESULT, 5, POLICY), file()).value)


@pytest.mark.parametrize(
    ("reply", "there"), [(file(), True), (answer({"task": {"exportFileFromOffset": None}}), False), (UNKNOWN, False)]
)
def test_whether_a_stream_has_a_file_at_all_can_be_asked(reply: Answer, there: bool) -> None:
    assert by_hand(flows.has_file("t1", StreamType.RESULT, POLICY), reply).value is there


# --- canceling -----------------------------------------------------------------------------------------------------

CANCELABLE = answer({"cancelableTaskTypes": ["importDataRows", "exportDataRows"]})


def test_an_export_is_canceled_when_its_type_is_cancelable() -> None:
    accepted = answer({"cancelBulkOperationJob": {"success": True}})
    done = by_hand(flows.cancel_export("t1", "export-data-rows", POLICY), CANCELABLE, accepted)
    assert done.value is True
    assert done.sends[-1].variables == {"id": "t1"}


def test_an_export_whose_type_is_not_cancelable_is_left_alone() -> None:
    done = by_hand(
        flows.cancel_export("t1", "export-data-rows", POLICY), answer({"cancelableTaskTypes": ["importDataRows"]})
    )
    assert done.value is False
    assert done.operations == ["CancelableTaskTypes"]


@pytest.mark.parametrize("reply", [INVALID, UNKNOWN, answer({"cancelBulkOperationJob": None})])
def test_a_refusal_to_cancel_is_an_answer_and_not_an_error(reply: Answer) -> None:
    assert by_hand(flows.cancel_export("t1", "export-data-rows", POLICY), CANCELABLE, reply).value is False


def test_canceling_is_tried_without_known_types() -> None:
    """Where cancelable types cannot be read canceling is tried all the same."""
    accepted = answer({"cancelBulkOperationJob": {"success": True}})
    assert by_hand(flows.cancel_export("t1", None, POLICY), INVALID, accepted).value is True
