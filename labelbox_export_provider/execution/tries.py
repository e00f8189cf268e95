"""How long the tries of a task may take together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.configuration import conf
from airflow.sdk import BaseOperator


def time_of_tries(task: BaseOperator) -> timedelta:
    """Return how long all tries of a task and the waits between them may take, as far as its options say.

    A try counts with its `execution_timeout`, and with nothing where there is none. `timeout` and `limit_timeout` do
    not count: they bound waits for an export, and a landing stores nothing before they are over. A wait before a retry
    counts with the longest that Airflow makes of `retry_delay`, `retry_exponential_backoff` and `max_retry_delay`.
    """
    retries = task.retries or 0
    running = (retries + 1) * (task.execution_timeout or timedelta(0))
    backoff: Any = task.retry_exponential_backoff  # Airflow 3.1 knows True alone, which doubles
    factor = 2.0 if backoff is True else float(backoff or 1)
    if factor == 1:
        return running + retries * task.retry_delay
    longest = timedelta(seconds=conf.getint("core", "max_task_retry_delay", fallback=24 * 60 * 60))
    if isinstance(task.max_retry_delay, timedelta):
        longest = min(longest, task.max_retry_delay)
    delay, waiting = task.retry_delay, timedelta(0)
    for _ in range(retries):
        waiting += min(2 * delay, longest)
        delay = min(factor * delay, longest)
    return running + waiting
