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


def test_who_am_i_does_without_email_time_zone_and_organization_name() -> None:
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
def test_an_answer_in_no_known_shape_is_a_protocol_error_that_names_the_member(data: Any) -> None:
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


def test_a_retry_after_as_a_date_counts_from_the_answers_own_date() -> None:
    limited = answer(
        status=429, body=b"", retry_after="Sun, 22 Nov 2026 02:00:30 GMT", date="Sun, 22 Nov 2026 02:00:00 GMT"
    )
    done = by_hand(flows.who_am_i(RetryPolicy(attempts=2, jitter=lambda: 0.0)), limited, answer(OWNER))
    assert done.sleeps == [30]


def test_a_5xx_may_also_say_when_to_come_back() -> None:
    done = by_hand(flows.who_am_i(POLICY), answer(status=503, body=b"", retry_after="7"), answer(OWNER))
    assert done.sleeps == [8.0]


def test_the_time_bound_counts_answers_and_waits_and_no_wait_is_begun_that_would_pass_it() -> None:
    policy = RetryPolicy(attempts=50, first_wait=1, max_wait=1, total_seconds=100, jitter=lambda: 1.0)
    timeout = TransportFailure(FailureKind.TIMEOUT, "h gave no answer: timed out", elapsed=30)
    done = by_hand(flows.who_am_i(policy), timeout)
    assert done.sleeps == [1, 1, 1]
    assert "Gave up after 4 tries in 123 s" in str(done.error)


def test_a_retry_after_beyond_the_time_bound_is_handed_to_the_caller_at_once() -> None:
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


def test_an_id_is_proof_of_a_start_whatever_else_the_answer_complains_about() -> None:
    body = {"data": {"x": {"taskId": "t1", "isStreamable": True}}, "errors": [{"message": "late"}]}
    done = by_hand(flows.start_once(graphql.START_PROJECT_EXPORT, INPUT, POLICY), answer(body=body, status=500))
    assert done.value == Started("t1")


@pytest.mark.parametrize("kind", [FailureKind.TIMEOUT, FailureKind.BROKEN])
def test_a_lost_answer_is_returned_at_once_and_nothing_is_sent_again(kind: FailureKind) -> None:
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


def test_tasks_of_a_name_are_asked_for_by_name_and_given_oldest_first() -> None:
    newer, older = task("t2", created="2026-11-22T03:00:00.000Z"), task("t1", created="2026-11-22T02:00:00.000+00:00")
    undated = task("t0", created=None)
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), tasks(undated, newer, older))
    assert [each.export_id for each in done.value] == ["t1", "t2", "t0"]
    assert [each.variables for each in done.sends] == [{"userId": "u1", "name": "nightly", "skip": 0, "first": 100}]


def test_names_are_compared_here_too_since_a_filter_may_match_more_or_be_ignored() -> None:
    page = tasks(task("t1"), task("t2", "nightly 2"), task("t3", "Nightly"), {**task("t4"), "name": None})
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), page, tasks())
    assert [each.export_id for each in done.value] == ["t1"]


def test_where_names_are_no_filter_the_whole_list_is_read_page_by_page() -> None:
    first = tasks(*(task(f"a{index}", "other") for index in range(100)))
    second = tasks(*(task(f"b{index}", "other") for index in range(30)), task("t1"))
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), INVALID, first, second, tasks())
    assert [each.export_id for each in done.value] == ["t1"]
    assert done.operations == ["CreatedTasksByName", *["CreatedTasks"] * 3]
    assert [each.variables["skip"] for each in done.sends] == [0, 0, 100, 131]


def test_a_server_that_gives_shorter_pages_than_asked_for_hides_nothing() -> None:
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


def test_a_list_that_comes_newest_first_is_read_for_its_newest_thousand() -> None:
    assert _endless(-60) == (10, ())


def test_an_unfinished_list_in_another_order_is_an_error_and_not_an_answer() -> None:
    with pytest.raises(ProtocolError, match="cannot be finished"):
        _endless(60)


def test_a_user_whom_the_key_cannot_see_is_an_error_and_not_an_empty_list() -> None:
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


def test_only_id_and_status_are_needed_and_an_unknown_status_is_kept() -> None:
    odd = {"id": "t1", "status": "PAUSED", "createdAt": "yesterday", "completionPercentage": "half"}
    done = by_hand(flows.task_state("t1", "u1", POLICY), tasks(odd))
    assert done.value == ExportTaskState("t1", None, "PAUSED", None, None, None, None)


def test_what_is_not_among_the_users_tasks_is_asked_for_by_id_alone() -> None:
    done = by_hand(flows.task_state("t1", "u1", POLICY), tasks(), answer({"task": task()}))
    assert done.value.export_id == "t1"
    assert done.operations == ["CreatedTaskById", "Task"]


@pytest.mark.parametrize("first", [tasks(), tasks(task("t9")), UNKNOWN, answer({"user": None})])
@pytest.mark.parametrize("second", [answer({"task": None}), UNKNOWN, INVALID])
def test_an_export_that_is_nowhere_is_not_found_and_the_message_says_for_whom(first: Answer, second: Answer) -> None:
    error = by_hand(flows.task_state("t1", "u1", POLICY), first, second, answer(OWNER)).error
    assert type(error) is NotFoundError
    assert "t1" in str(error)
    assert "a@b.example" in str(error)


@pytest.mark.parametrize("first", [tasks(), UNKNOWN, FORBIDDEN])
def test_an_export_of_another_user_that_is_hidden_is_told_with_both_users(first: Answer) -> None:
    done = by_hand(
        flows.task_state("t1", "u2", POLICY), first, *[answer({"task": None})] * (first is not FORBIDDEN), answer(OWNER)
    )
    assert type(done.error) is AnotherUsersExportError
    assert "u1" in str(done.error)
    assert "u2" in str(done.error)


def test_the_keys_own_user_who_may_not_look_gets_the_refusal_itself() -> None:
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
def test_an_empty_stream_may_be_told_as_null_as_nulls_or_as_zeros(value: object) -> None:
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
def test_totals_that_make_no_sense_are_never_taken_for_an_empty_stream(value: object, error: type[Exception]) -> None:
    assert type(by_hand(flows.stream_totals("t1", StreamType.RESULT, POLICY), header(value)).error) is error


@pytest.mark.parametrize("flow", [flows.stream_totals, flows.has_file], ids=["totals", "has_file"])
def test_an_export_that_is_not_there_is_not_an_empty_one(flow: Any) -> None:
    error = by_hand(flow("t1", StreamType.RESULT, POLICY), answer({"task": None})).error
    assert isinstance(error, NotFoundError)
    assert "t1" in str(error)


def test_a_file_is_asked_for_by_its_offset_as_text_and_described_in_full() -> None:
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
def test_a_file_that_makes_no_sense_is_refused_without_showing_its_url(reply: Answer, error: type[Exception]) -> None:
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


def test_where_cancelable_types_cannot_be_read_canceling_is_tried_all_the_same() -> None:
    accepted = answer({"cancelBulkOperationJob": {"success": True}})
    assert by_hand(flows.cancel_export("t1", None, POLICY), INVALID, accepted).value is True
