"""How long the tries of a task may take together, from its options as Airflow reads them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from labelbox_export_provider.execution.tries import time_of_tries

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TAKES_NUMBERS = BaseOperator.__annotations__["retry_exponential_backoff"] == "float"
"""Whether this Airflow lets the factor be a number, as from 3.2 on."""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"retries": 0}, 0 * MINUTE),
        ({"retries": 0, "execution_timeout": 2 * HOUR}, 2 * HOUR),
        ({"retries": 3, "retry_delay": 5 * MINUTE}, 15 * MINUTE),
        ({"retries": 3, "retry_delay": 5 * MINUTE, "execution_timeout": HOUR}, 4 * HOUR + 15 * MINUTE),
        ({"retries": 2, "retry_delay": 600.0}, 20 * MINUTE),
        ({"retries": 2, "retry_delay": DAY * 3, "max_retry_delay": HOUR}, 6 * DAY),
        pytest.param(
            {"retries": 3, "retry_delay": HOUR, "retry_exponential_backoff": 2},
            (2 + 4 + 8) * HOUR,
            marks=pytest.mark.skipif(not TAKES_NUMBERS, reason="Airflow 3.1 takes True and False alone"),
        ),
        ({"retries": 3, "retry_delay": HOUR, "retry_exponential_backoff": True}, (2 + 4 + 8) * HOUR),
        (
            {"retries": 3, "retry_delay": HOUR, "retry_exponential_backoff": True, "max_retry_delay": 3 * HOUR},
            (2 + 3 + 3) * HOUR,
        ),
        ({"retries": 400, "retry_delay": HOUR, "retry_exponential_backoff": True}, (2 + 4 + 8 + 16) * HOUR + 396 * DAY),
    ],
)
def test_tries_and_their_waits_add_up(options: dict[str, Any], expected: timedelta) -> None:
    """Only a backoff that grows is bounded by `max_retry_delay`, and by a day where there is none."""
    assert time_of_tries(BaseOperator(task_id="land", **options)) == expected
