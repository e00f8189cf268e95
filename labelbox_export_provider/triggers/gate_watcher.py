"""The watcher that releases resting starts: one for each event loop and connection, whatever the number of starts."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from datetime import datetime, timezone
from typing import TypeAlias

from labelbox_export_provider.client import flows, polling
from labelbox_export_provider.client.batch_polling import MAX_BATCH, newest_states, states_together
from labelbox_export_provider.client.http_clients import AsyncLabelboxClient
from labelbox_export_provider.client.retry import ONCE
from labelbox_export_provider.client.types import ExportTaskState, Flow
from labelbox_export_provider.errors import (
    AuthenticationError,
    ConfigurationError,
    LabelboxExportError,
    TemporaryError,
    UnreachableError,
)
from labelbox_export_provider.triggers.poll_schedule import PROBES
from labelbox_export_provider.triggers.poller import PROBE_SECONDS
from labelbox_export_provider.triggers.start_queue import UNSEEN, Refusal, RestingStart, StartQueue

log = logging.getLogger(__name__)

TICK = 5.0
"""Seconds between two looks at the tasks that run, while starts rest."""

Resting: TypeAlias = "RestingStart[asyncio.Future[None]]"


class GateWatcher:
    """Looks at the newest tasks of the key's user once a tick, and releases as many starts as there are places.

    A failure of Labelbox ends no rest: the watcher looks again later, and nobody is released meanwhile. A key that is
    refused for two minutes is an error of all who rest. Where Labelbox does not list the tasks of this key, starts are
    released as if none ran, so that refusals alone decide how many.
    """

    def __init__(self, client: AsyncLabelboxClient, max_running: int, requests_per_minute: float) -> None:
        self._client = client
        self._queue: StartQueue[asyncio.Future[None]] = StartQueue(max_running)
        self._tick = max(TICK, 60 / requests_per_minute)
        self._user_id: str | None = None
        self._failures = 0
        self._denied_for = 0.0
        self._unlisted = False
        self._task: asyncio.Task[None] | None = None

    async def released(self, start: Resting, refusal: Refusal | None) -> None:
        """Return when the start may be tried again. Cancel the call to give its place up."""
        now = asyncio.get_running_loop().time()
        if refusal is not None and (datetime.now(timezone.utc) - refusal.moment).total_seconds() <= UNSEEN:
            # An older one was noted by a watcher that is gone, and others run by now.
            self._queue.refused(start, refusal, now)
        self._queue.add(start)
        if self._task is None or self._task.done():
            # In a context of its own: its lines belong to the log of no single task.
            self._task = contextvars.Context().run(asyncio.get_running_loop().create_task, self._run())
        try:
            await start.answer
        finally:
            self._queue.remove(start)

    def describe(self, start: Resting) -> str:
        """Return how long the queue before this start is, for its log."""
        number = self._queue.number(asyncio.get_running_loop().time())
        text = f"{self._queue.place_of(start)} of {len(self._queue)} resting starts"
        if self._failures:
            return f"{text}; Labelbox does not answer"
        return f"{text}; {len(self._queue.running)} exports run, {number} are expected to be allowed at once"

    async def close(self) -> None:
        """End the looks; nobody may rest any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while len(self._queue):
                await asyncio.sleep(await self._look())
        except BaseException as error:
            # Without the watcher nobody would be released any more: a bug in it must end the rests, not prolong them.
            self._raise_in_all(error)
            raise

    async def _look(self) -> float:
        """Look once, and return the seconds until the next look."""
        try:
            tasks = await self._tasks()
        except TemporaryError as error:
            self._failures += 1
            if self._failures == 1:
                log.warning("Labelbox does not answer. %d starts rest on. %s", len(self._queue), error)
            return PROBES.wait_before(self._failures + 1, error.retry_after)
        except (AuthenticationError, ConfigurationError) as error:
            self._denied_for += polling.ASKED_AGAIN_EVERY
            if self._denied_for > polling.BELIEVED_AFTER:
                self._raise_in_all(error)
            return polling.ASKED_AGAIN_EVERY
        if self._failures:
            log.info("Labelbox answers again.")
        self._failures, self._denied_for = 0, 0.0
        now = asyncio.get_running_loop().time()
        self._queue.looked(tasks, now)
        for start in self._queue.release(now):
            if not start.answer.done():
                start.answer.set_result(None)
        return self._tick

    async def _tasks(self) -> list[ExportTaskState]:
        try:
            return await asyncio.wait_for(self._client.run(self._newest()), PROBE_SECONDS)
        except asyncio.TimeoutError:
            raise UnreachableError(f"Labelbox gave no answer within {PROBE_SECONDS:.0f} s.") from None
        except (TemporaryError, AuthenticationError, ConfigurationError):
            raise
        except LabelboxExportError as error:
            if not self._unlisted:
                log.warning("Labelbox does not list what this key has started; starts are released by time. %s", error)
            self._unlisted = True
            return []

    def _newest(self) -> Flow[list[ExportTaskState]]:
        if self._user_id is None:
            self._user_id = (yield from flows.who_am_i(ONCE)).user_id
        found = dict((yield from newest_states(self._user_id)))
        # Exports that run for long may not be among the newest any more.
        if older := sorted(self._queue.running - found.keys())[:MAX_BATCH]:
            found |= yield from states_together(self._user_id, older)
        return list(found.values())

    def _raise_in_all(self, error: BaseException) -> None:
        for start in list(self._queue):
            self._queue.remove(start)
            if not start.answer.done():
                start.answer.set_exception(error)
