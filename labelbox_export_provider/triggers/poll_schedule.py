"""Which exports the next request polls, and when it may be sent: pure, so that tests need no clock and no server."""

from __future__ import annotations

import enum
import heapq
import itertools
import math
from collections import Counter, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from labelbox_export_provider.client.batch_polling import MAX_BATCH
from labelbox_export_provider.client.retry import RetryPolicy

TICK = 5.0
"""Seconds from the start of one round of requests to that of the next, at least, where waits allow such long pauses."""
EARLY = 0.2
"""The share of its pause by which a poll may be early, so that the waits of one round meet in the next one again.

It is what answers take and what pauses differ, a tenth of each."""
BURST = 5
"""Maximum number of requests that may follow each other at once, so that the batches of one round are not drawn out."""
MINUTE = 61.0
"""Seconds over which the requests of a minute are spread, so that no 60 s have more of them, whenever they arrive."""
PROBES = RetryPolicy(first_wait=2.0, max_wait=15.0)
"""The pauses between requests while Labelbox is away."""
MAX_REFUSED = 3
"""How often in a row a request for many may fail, between others that succeed, until fewer are asked for."""

AnswerT = TypeVar("AnswerT")


class Way(enum.Enum):
    """How a request asks for states."""

    TOGETHER = "by their ids"
    NEWEST = "by the list of the user's newest tasks"
    ALONE = "by one id"


@dataclass(eq=False, slots=True)
class Poll(Generic[AnswerT]):
    """One poll that a wait is due for at `due`, answered by `answer`; `pause` is how long the wait paused before it."""

    export_id: str
    user_id: str | None
    due: float
    pause: float
    answer: AnswerT
    unseen: frozenset[Way] = frozenset()
    """The ways by which the export was asked for in vain."""
    reminders: int = 0
    """How often the wait has been told that it has no answer yet."""

    @property
    def earliest(self) -> float:
        """The moment from which a request may take the poll along."""
        return self.due - self.pause * EARLY


@dataclass(frozen=True)
class Request(Generic[AnswerT]):
    """The polls that one request answers; all are of the same user."""

    way: Way
    polls: list[Poll[AnswerT]]


class PollSchedule(Generic[AnswerT]):
    """The polls that are due now or later, and what Labelbox has accepted and refused so far.

    The polls that are due longest come first, up to `MAX_BATCH` in one request. Requests come in rounds, `TICK` apart
    or as far apart as the shortest pause of a wait, so that waits which began at different moments share requests. The
    budget of requests per minute spaces them, so that no minute has more, not even the first. While Labelbox is away,
    one request for one export is sent at a time. All times are seconds of one monotonic clock.
    """

    def __init__(self, requests_per_minute: float) -> None:
        self._burst = min(BURST, max(1.0, requests_per_minute / 12))
        self._rate = (requests_per_minute + 1 - self._burst) / MINUTE
        self._allowed = self._burst
        self._counted_at = -math.inf
        self._polls: set[Poll[AnswerT]] = set()
        self._pauses: Counter[float] = Counter()
        self._later: list[tuple[float, int, Poll[AnswerT]]] = []
        self._numbers = itertools.count()
        self._round_began = -math.inf
        self._round: deque[Poll[AnswerT]] = deque()
        self._held_until = -math.inf
        self._newest_refused = False
        self._batches_refused = 0
        self.batch_size = MAX_BATCH
        self.failures = 0
        """Requests in a row that Labelbox did not answer."""

    def __iter__(self) -> Iterator[Poll[AnswerT]]:
        return iter(self._polls)

    def add(self, poll: Poll[AnswerT]) -> None:
        """Take a poll in; it stays until it is removed."""
        self._polls.add(poll)
        self._pauses[poll.pause] += 1
        self._put_off(poll)

    def remove(self, poll: Poll[AnswerT]) -> None:
        """Forget a poll that was answered, or whose wait is over; one that is not there is no error."""
        if poll not in self._polls:
            return
        self._polls.remove(poll)
        self._pauses[poll.pause] -= 1
        if not self._pauses[poll.pause]:
            del self._pauses[poll.pause]

    def next_moment(self, poll: Poll[AnswerT]) -> float:
        """Return the earliest moment at which a request may be sent because of this poll."""
        return max(poll.earliest, self._held_until, -math.inf if self._round else self._next_round)

    def next_request(self, now: float) -> Request[AnswerT] | float:
        """Return the request to send now, or the seconds until there may be one; infinity without polls."""
        self._drop_answered()
        earliest = max(self._held_until, now + self._until_allowed(now))
        if not self._round:
            earliest = max(earliest, self._next_round, self._earliest_later())
        if earliest > now:
            return earliest - now
        if not self._round:
            self._begin_round(now)
        self._allowed -= 1
        return self._request()

    def _until_allowed(self, now: float) -> float:
        """Return the seconds until the budget allows a request."""
        self._allowed = min(self._burst, self._allowed + (now - self._counted_at) * self._rate)
        self._counted_at = now
        return max(0.0, (1 - self._allowed) / self._rate)

    @property
    def _next_round(self) -> float:
        return self._round_began + min((TICK, *self._pauses))

    def _put_off(self, poll: Poll[AnswerT]) -> None:
        """Keep a poll until a round that begins at its `earliest` or later."""
        heapq.heappush(self._later, (poll.earliest, next(self._numbers), poll))

    def _earliest_later(self) -> float:
        """Return when the next poll may be taken along; those that were removed or put off meanwhile are skipped."""
        while self._later:
            earliest, _, poll = self._later[0]
            if poll in self._polls and poll.earliest == earliest:
                return earliest
            heapq.heappop(self._later)
        return math.inf

    def _begin_round(self, now: float) -> None:
        self._round_began = now
        due = []
        while self._earliest_later() <= now:
            due.append(heapq.heappop(self._later)[2])
        self._round.extend(sorted(due, key=lambda poll: poll.due))

    def _drop_answered(self) -> None:
        while self._round and not self._is_open(self._round[0]):
            self._round.popleft()

    def _is_open(self, poll: Poll[AnswerT]) -> bool:
        return poll in self._polls and poll.earliest <= self._round_began

    def _request(self) -> Request[AnswerT]:
        first = self._round[0]
        if self.failures or first.user_id is None or Way.TOGETHER in first.unseen:
            return Request(Way.ALONE, [first])
        same: Iterator[Poll[AnswerT]] = (
            each
            for each in self._round
            if each.user_id == first.user_id and Way.TOGETHER not in each.unseen and self._is_open(each)
        )
        if self.batch_size < MAX_BATCH and not self._newest_refused and Way.NEWEST not in first.unseen:
            new = [each for each in same if Way.NEWEST not in each.unseen]
            if len(new) > self.batch_size:
                return Request(Way.NEWEST, new)
            same = iter(new)
        together = list(itertools.islice(same, self.batch_size))
        return Request(Way.TOGETHER if len(together) > 1 else Way.ALONE, together)

    def succeeded(self, request: Request[AnswerT], found: Collection[str]) -> None:
        """Note an answer; exports that are not among those found are asked for in another way, as soon as may be."""
        self.failures = 0
        if request.way is Way.TOGETHER:
            self._batches_refused = 0
        for each in request.polls:
            if each.export_id not in found:
                each.unseen |= {request.way}

    def failed(self, request: Request[AnswerT], now: float, after: float | None) -> None:
        """Note that Labelbox did not answer, or asked for a pause of `after` seconds: all polls wait for a probe."""
        self.failures += 1
        self._held_until = now + PROBES.wait_before(self.failures + 1, after)
        if request.way is Way.ALONE:
            # If it is this export that Labelbox cannot answer for, the next probe asks for another.
            request.polls[0].due = now + request.polls[0].pause
            self._put_off(request.polls[0])
        elif request.way is Way.TOGETHER:
            self._batches_refused += 1
            if self._batches_refused == MAX_REFUSED:
                self.refused(request)

    def refused(self, request: Request[AnswerT]) -> None:
        """Note that Labelbox refuses to answer for so many at once, or in this way at all."""
        self._batches_refused = 0
        if request.way is Way.NEWEST:
            self._newest_refused = True
        else:
            self.batch_size = max(1, min(self.batch_size, len(request.polls)) // 2)

    def all_alone(self, request: Request[AnswerT]) -> None:
        """Note an answer that helps none of the exports: each is asked for by a request of its own."""
        for each in request.polls:
            each.unseen |= {Way.TOGETHER}
