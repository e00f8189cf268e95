"""Retry policies as data: flows use them and never read a clock or draw a random number."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

SPREAD = 0.5
"""The share of a pause that a server asked for, by which it is lengthened at random."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again and when to give up; all times are in seconds.

    Waits start at `first_wait`, double up to `max_wait`, and are spread by `jitter` (0 to 1) over their upper half. A
    server's `Retry-After` is never shortened, and lengthened by up to half of it. A wait that would
    exceed `total_seconds`, the sum of the time that answers took and the waits between them, is not started: the last
    error is raised instead. `limited_seconds` is the same bound for waits after too many requests, for callers that
    wait elsewhere.
    """

    attempts: int = 24
    first_wait: float = 1.0
    max_wait: float = 30.0
    total_seconds: float = 300.0
    limited_seconds: float = math.inf
    jitter: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_wait < 0 or self.max_wait < self.first_wait or self.total_seconds < 0:
            raise ValueError(
                f"attempts must be at least 1, 0 <= first_wait <= max_wait, total_seconds >= 0; got attempts="
                f"{self.attempts}, first_wait={self.first_wait}, max_wait={self.max_wait}, "
                f"total_seconds={self.total_seconds}"
            )

    def wait_before(self, attempt: int, after: float | None) -> float:
        """Return the seconds to wait before try number `attempt` (from 1); `asked` is what the server asked for."""
        if after is not None:
            # Hundreds that were refused together must not retry within one second: a longer pause has a longer end.
            return after + self.jitter() * max(self.first_wait, after * SPREAD)
        step: float = min(self.max_wait, self.first_wait * 2.0 ** min(attempt - 2, 60))
        return step * (0.5 + 0.5 * self.jitter())


_MAX_WAIT = 7 * 24 * 3600.0

DEFAULT_RETRY = RetryPolicy()
"""The default of workers and triggers: about five minutes."""

ONCE = RetryPolicy(attempts=1)
"""One try only, for a person who waits at a form, and for whoever looks again later."""


class Budget:
    """The state of a policy during one request: tries made and seconds spent. Belongs to one flow."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._forgiven = 0.0
        self.tries = 0
        self.seconds = 0.0

    def spend(self, elapsed: float) -> None:
        """Count one more try, which took `elapsed` seconds.

        The first that took longer than the whole policy allows is not held against it: the machine was suspended.
        """
        self.tries += 1
        self.seconds += elapsed
        if elapsed > self._policy.total_seconds and not self._forgiven:
            self._forgiven = elapsed

    def wait(self, after: float | None, most_tries: int | None = None, *, limited: bool = False) -> float | None:
        """Count and return the seconds to wait before the next try; None when the policy or `most_tries` is used up.

        `limited`: the server refused the last try because there were too many.
        """
        if self.tries >= min(self._policy.attempts, most_tries or self._policy.attempts):
            return None
        seconds = self._policy.wait_before(self.tries + 1, after)
        most = self._policy.limited_seconds if limited else self._policy.total_seconds
        if self.seconds - self._forgiven + seconds > min(most, self._policy.total_seconds):
            return None
        self.seconds += seconds
        return seconds


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the server asks to wait, from `Retry-After` as a number or a date; None without one.

    A date is read against the answer's own `Date` header, so no clock is needed and a wrong local clock does no harm;
    without that header a date is ignored.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return min(float(text), _MAX_WAIT)
    then, now = _http_date(text), _http_date(headers.get("date", ""))
    if then is None or now is None:
        return None
    return min(max(0.0, (then - now).total_seconds()), _MAX_WAIT)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
