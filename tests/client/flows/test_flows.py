"""Flows without driver, network or clock: whose key, waits between tries, starts."""

from __future__ import annotations

from typing import Any

import pytest
from support.client.conversations import answer, by_hand
from support.client.flow_answers import INPUT, OWNER, POLICY

from labelbox_export_provider.client import flows, graphql
from labelbox_export_provider.client.retry import ONCE, RetryPolicy
from labelbox_export_provider.client.types import (
    FailureKind,
    KeyOwner,
    Send,
    Started,
    StartLost,
    TransportFailure,
)
from labelbox_export_provider.errors import (
    ProtocolError,
    RateLimitedError,
    RefusedError,
    UnreachableError,
)


def test_who_am_i_returns_whose_key_it_is_in_one_request() -> None:
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


def test_a_retry_after_is_never_shortened_and_spread() -> None:
    """A pause that Labelbox asks for is lengthened by a share of it, drawn at random."""
    limited = answer(status=429, body=b"", retry_after="20")
    done = by_hand(flows.who_am_i(RetryPolicy(attempts=2, first_wait=1, jitter=lambda: 0.25)), limited)
    assert done.sleeps == [22.5]
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
    assert done.sleeps == [10.5]


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
