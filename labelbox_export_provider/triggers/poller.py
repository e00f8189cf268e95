"""The poller that all waits of one event loop and connection share (guarantee G9)."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import Mapping
from typing import TypeAlias

from labelbox_export_provider.client.batch_polling import newest_states, states_together
from labelbox_export_provider.client.flows import task_state
from labelbox_export_provider.client.http_clients import AsyncLabelboxClient
from labelbox_export_provider.client.polling import LINE_EVERY
from labelbox_export_provider.client.retry import ONCE
from labelbox_export_provider.client.types import ExportTaskState, Flow
from labelbox_export_provider.errors import (
    AuthenticationError,
    ConfigurationError,
    LabelboxExportError,
    RefusedError,
    TemporaryError,
    UnreachableError,
)
from labelbox_export_provider.triggers.poll_schedule import Poll, PollSchedule, Request, Way

log = logging.getLogger(__name__)

PROBE_SECONDS = 10.0
"""Seconds that a request may take while Labelbox is away."""

Answer: TypeAlias = "asyncio.Future[ExportTaskState | None]"
"""The answer to a poll; None where there is none for another `LINE_EVERY` seconds, and the poll has another answer."""


class Poller:
    """Answers the polls of many waits with few requests, one at a time.

    A failure of Labelbox ends no poll: all of them wait for the next request that succeeds. An error about one export,
    or about the key, is raised where the export's state is awaited.
    """

    def __init__(self, client: AsyncLabelboxClient, requests_per_minute: float) -> None:
        self._client = client
        self._schedule: PollSchedule[Answer] = PollSchedule(requests_per_minute)
        self._requests_per_minute = requests_per_minute
        self._earlier = asyncio.Event()
        self._asleep_until = math.inf
        self._task: asyncio.Task[None] | None = None
        self._reminding: asyncio.TimerHandle | None = None
        self.failure: TemporaryError | None = None
        """Why the last request failed, while Labelbox is away."""

    def ask(self, export_id: str, user_id: str | None, due: float, pause: float) -> Poll[Answer]:
        """Return a poll, whose answer comes at `due` (by the loop's clock) or as soon as requests allow.

        `pause` is the wait's own pause between two polls. Await `answer` until it is not None, then `give_up` the poll.
        A poll has no task and no timer of its own: they would take most of the time of thousands of polls.
        """
        loop = asyncio.get_running_loop()
        poll: Poll[Answer] = Poll(export_id, user_id, due, pause, answer=loop.create_future())
        self._schedule.add(poll)
        if self._task is None or self._task.done():
            # In a context of its own: its lines belong to the log of no single task.
            context = contextvars.Context()
            self._task = context.run(loop.create_task, self._run())
            if self._reminding is None:
                context.run(self._remind)
        elif self._schedule.next_moment(poll) < self._asleep_until:
            self._earlier.set()
        return poll

    def give_up(self, poll: Poll[Answer]) -> None:
        """Forget a poll; one that was answered is forgotten already."""
        self._schedule.remove(poll)

    def _remind(self) -> None:
        """Wake the waits that have had no answer for long: they log it, and end when their time is over."""
        loop = asyncio.get_running_loop()
        for poll in self._schedule:
            if poll.due + (poll.reminders + 1) * LINE_EVERY <= loop.time():
                poll.reminders += 1
                answer, poll.answer = poll.answer, loop.create_future()
                if not answer.done():
                    answer.set_result(None)
        self._reminding = loop.call_later(LINE_EVERY / 10, self._remind)

    async def close(self) -> None:
        """End the requests; nobody may await an answer any more."""
        if self._reminding is not None:
            self._reminding.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while True:
                step = self._schedule.next_request(asyncio.get_running_loop().time())
                if isinstance(step, Request):
                    await self._send(step)
                else:
                    await self._sleep(step)
        except BaseException as error:
            # Without the poller nobody would be answered any more: a bug in it must end the waits, not stop them.
            for poll in list(self._schedule):
                if not poll.answer.done():
                    poll.answer.set_exception(error)
            raise

    async def _sleep(self, seconds: float) -> None:
        self._earlier.clear()
        self._asleep_until = asyncio.get_running_loop().time() + seconds
        try:
            await asyncio.wait_for(self._earlier.wait(), None if math.isinf(seconds) else seconds)
        except asyncio.TimeoutError:
            pass
        finally:
            self._asleep_until = -math.inf

    async def _send(self, request: Request[Answer]) -> None:
        try:
            found = await self._states(request)
        except TemporaryError as error:
            self._failed(request, error)
        except RefusedError as error:
            self._refused(request, error)
        except (AuthenticationError, ConfigurationError) as error:
            self._raise_in(request, error)
        except LabelboxExportError as error:
            if request.way is Way.ALONE:
                self._raise_in(request, error)
            else:
                self._schedule.all_alone(request)
        else:
            self._answer(request, found)

    async def _states(self, request: Request[Answer]) -> Mapping[str, ExportTaskState]:
        asked = self._client.run(_flow(request))
        if self.failure is None:
            return await asked
        try:
            return await asyncio.wait_for(asked, PROBE_SECONDS)
        except asyncio.TimeoutError:
            raise UnreachableError(f"Labelbox gave no answer within {PROBE_SECONDS:.0f} s.") from None

    def _answer(self, request: Request[Answer], found: Mapping[str, ExportTaskState]) -> None:
        if self.failure is not None:
            log.info("Labelbox answers again.")
            self.failure = None
        self._schedule.succeeded(request, found)
        for poll in request.polls:
            if (state := found.get(poll.export_id)) is not None:
                self._schedule.remove(poll)
                if not poll.answer.done():
                    poll.answer.set_result(state)

    def _failed(self, request: Request[Answer], error: TemporaryError) -> None:
        if self.failure is None:
            log.warning(
                "Labelbox does not answer. %d waits continue; it is asked by one request at a time. %s",
                sum(1 for _ in self._schedule),
                error,
            )
        self.failure = error
        size = self._schedule.batch_size
        self._schedule.failed(request, asyncio.get_running_loop().time(), error.retry_after)
        self._report_size(size, request, error)

    def _refused(self, request: Request[Answer], error: RefusedError) -> None:
        if request.way is Way.ALONE:
            self._raise_in(request, error)
            return
        size = self._schedule.batch_size
        self._schedule.refused(request)
        self._report_size(size, request, error)

    def _raise_in(self, request: Request[Answer], error: LabelboxExportError) -> None:
        for poll in request.polls:
            self._schedule.remove(poll)
            if not poll.answer.done():
                poll.answer.set_exception(error)

    def _report_size(self, before: int, request: Request[Answer], error: LabelboxExportError) -> None:
        if self._schedule.batch_size < before:
            log.warning(
                "Labelbox does not show %d exports by one request; it is asked for %d from now on. At most %g requests "
                "a minute are sent, so many waits are polled less often than they ask for. %s",
                len(request.polls),
                self._schedule.batch_size,
                self._requests_per_minute,
                error,
            )


def _flow(request: Request[Answer]) -> Flow[Mapping[str, ExportTaskState]]:
    first = request.polls[0]
    if request.way is Way.ALONE or first.user_id is None:
        return _alone(first.export_id, first.user_id)
    if request.way is Way.NEWEST:
        return newest_states(first.user_id)
    return states_together(first.user_id, [each.export_id for each in request.polls])


def _alone(export_id: str, user_id: str | None) -> Flow[Mapping[str, ExportTaskState]]:
    return {export_id: (yield from task_state(export_id, user_id, ONCE))}
