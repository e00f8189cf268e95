"""The retry policy and `Retry-After`, as arithmetic."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbox_export_provider.client.retry import DEFAULT_RETRY, Budget, RetryPolicy, retry_after

NOW = "Sun, 22 Nov 2026 02:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-7"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "."}, None),
        ({"retry-after": "\u0667"}, None),
        ({"retry-after": "9" * 400}, 604800),
        ({"retry-after": "Sun, 22 Nov 2026 02:01:30 GMT", "date": NOW}, 90),
        ({"retry-after": "Sunday, 22-Nov-26 02:01:30 GMT", "date": NOW}, 90),
        ({"retry-after": "Sun, 22 Nov 2026 01:59:00 GMT", "date": NOW}, 0),
        ({"retry-after": "Sun, 22 Nov 2026 02:01:30 GMT"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 02:01:30 GMT", "date": "now"}, None),
        ({"retry-after": "Sun, 99 Nov 2026 02:01:30 GMT", "date": NOW}, None),
    ],
)
def test_retry_after_has_two_forms(headers: dict[str, str], seconds: Any) -> None:
    """Retry after is read in both forms and nonsense says nothing."""
    assert retry_after(headers) == seconds


@given(st.integers(2, 10_000), st.floats(0, 1), st.one_of(st.none(), st.floats(0, 1e6)))
def test_wait_stays_within_its_limits(attempt: int, drawn: float, after: float | None) -> None:
    """A wait is never shorter than asked for and never longer than the longest."""
    policy = RetryPolicy(jitter=lambda: drawn)
    wait = policy.wait_before(attempt, after)
    if after is None:
        assert policy.first_wait / 2 <= wait <= policy.max_wait
    else:
        assert after <= wait <= after + max(policy.first_wait, after / 2)


def test_500_waiters_do_not_come_back_within_one_second() -> None:
    """`Retry-After: 60` spreads 500 that were refused together over half a minute."""
    drawn = (number / 500 for number in range(500))
    policy = RetryPolicy(jitter=lambda: next(drawn))
    waits = [policy.wait_before(2, 60.0) for _ in range(500)]
    assert 60.0 == min(waits) < 89.0 < max(waits) <= 90.0
    assert max(sum(first <= wait < first + 1 for wait in waits) for first in waits) <= 20


@given(st.lists(st.tuples(st.floats(0, 90), st.one_of(st.none(), st.floats(0, 400))), min_size=100, max_size=100))
def test_waits_never_take_a_policy_beyond_its_tries_and_seconds(replies: list[tuple[float, float | None]]) -> None:
    budget = Budget(DEFAULT_RETRY)
    for elapsed, after in replies:
        budget.spend(elapsed)
        if budget.wait(after) is None:
            break
        assert budget.seconds <= DEFAULT_RETRY.total_seconds
    assert budget.tries <= DEFAULT_RETRY.attempts


@pytest.mark.parametrize(
    "numbers", [{"attempts": 0}, {"first_wait": -1}, {"first_wait": 9, "max_wait": 1}, {"total_seconds": -1}]
)
def test_nonsense_policy_is_refused(numbers: dict[str, Any]) -> None:
    """A policy that makes no sense is refused with its numbers."""
    with pytest.raises(ValueError, match="attempts must be at least 1"):
        RetryPolicy(**numbers)


def test_a_call_longer_than_the_budget_is_made_again_once() -> None:
    """A machine that was suspended asks again instead of giving up after one try of 414 s; a second time ends it."""
    budget = Budget(RetryPolicy(jitter=lambda: 1.0))
    budget.spend(414)
    assert budget.wait(None) == 1.0
    budget.spend(20)
    assert budget.wait(None) == 2.0
    assert budget.seconds == 437
    budget.spend(414)
    assert budget.wait(None) is None
