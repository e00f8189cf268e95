"""The trigger that waits for an export without a worker slot."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from labelbox_export_provider.client import flows, polling
from labelbox_export_provider.client.polling import (
    PollResult,
    ProgressLog,
    denial_line,
    may_be_invisible,
    pause_between_polls,
    result_of,
)
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.errors import AccessError, AuthenticationError, LabelboxExportError, NotFoundError
from labelbox_export_provider.hooks.labelbox import LabelboxHook
from labelbox_export_provider.metrics import Metrics
from labelbox_export_provider.triggers.events import ExportEvent
from labelbox_export_provider.triggers.shared_client import shared_client, shared_poller

if TYPE_CHECKING:
    from labelbox_export_provider.triggers.poller import Poller

CANCEL_SECONDS = 10.0
MAX_SPREAD = 30.0
"""Seconds over which first polls are spread at most."""
_FINAL = {"failed", "success", "skipped", "removed"}
"""States in which nobody waits any more; a task that was cleared is in none of them, and adopts the export."""


class ExportTaskTrigger(BaseTrigger):
    """Waits until an export is COMPLETE, FAILED or CANCELED, or until `deadline`, and sends one event.

    Airflow keeps its arguments in its database, encrypted with its Fernet key, in plain text where none is set; so they
    are settings only: the ids of connection, export and user, intervals and absolute times (ISO 8601, UTC). After a
    restart of the triggerer, or in another one, Airflow builds the trigger again from them: the deadline is the same,
    polls start again within `poke_interval`, the connection is read again, and nothing is lost. While the trigger runs,
    the connection is read again only when the key is refused, so a rotated key of the same user interrupts nothing. The
    time-out and every error of this package are events, too; anything else is a bug and propagates. `not_before` holds
    back the first poll (`MIN_DEFERRAL`). `newer` is what a worker of a newer version added to the row; it
    is ignored. `cancel_on_kill` cancels the export when somebody marks the waiting task as failed or successful; off by
    default, since the next try adopts the export.
    """

    def __init__(
        self,
        *,
        labelbox_conn_id: str,
        export_id: str,
        deadline: str,
        user_id: str | None = None,
        started_at: str | None = None,
        poke_interval: float = 5.0,
        max_wait: float = 60.0,
        exponential_backoff: bool | None = None,
        cancel_on_kill: bool = False,
        not_before: str | None = None,
        v: int = 1,
        **newer: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.labelbox_conn_id = labelbox_conn_id
        self.export_id = export_id
        self.deadline = deadline
        self.user_id = user_id
        self.started_at = started_at
        self.poke_interval = poke_interval
        self.max_wait = max_wait
        self.exponential_backoff = exponential_backoff
        self.cancel_on_kill = cancel_on_kill
        self.not_before = not_before
        self.v = v
        self._newer = newer

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another triggerer needs to continue the wait: no key, no URL."""
        names = (
            "labelbox_conn_id",
            "export_id",
            "deadline",
            "user_id",
            "started_at",
            "poke_interval",
            "max_wait",
            "exponential_backoff",
            "cancel_on_kill",
            "not_before",
            "v",
        )
        known = {name: getattr(self, name) for name in names}
        return f"{type(self).__module__}.{type(self).__qualname__}", {**self._newer, **known}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll, log progress and sleep; send exactly one event."""
        try:
            event = await self._wait()
        except LabelboxExportError as error:
            event = ExportEvent.of(error, self.export_id)
        started_at = None if self.started_at is None else _instant(self.started_at)
        Metrics.of_trigger(self.task_instance).waited(started_at, _now(), event.outcome)
        yield TriggerEvent(event.to_json())

    async def _wait(self) -> ExportEvent:
        await self._until_first_poll()
        settings = await LabelboxHook.async_settings(self.labelbox_conn_id)
        progress = ProgressLog(self.log.info)
        while True:
            try:
                return await self._wait_with(settings, progress)
            except AuthenticationError:
                fresh = await LabelboxHook.async_settings(self.labelbox_conn_id)
                if fresh == settings:
                    raise
                self.log.info("The key was refused. The connection holds another one by now, and the wait continues.")
                settings = fresh

    async def _until_first_poll(self) -> None:
        """Sleep until `not_before`, and a part of `poke_interval` longer.

        A triggerer that starts, or takes over from another, begins a thousand waits at once. Spread, their connections
        are not read and their exports not polled in one block, for which all other triggers would have to wait.
        """
        held_back = 0.0 if self.not_before is None else (_instant(self.not_before) - _now()).total_seconds()
        spread = random.uniform(0.0, min(self.poke_interval, MAX_SPREAD))  # noqa: S311  spreads load, keeps no secret
        await asyncio.sleep(max(0.0, min(max(0.0, held_back) + spread, self._seconds_left())))

    async def _wait_with(self, settings: ConnectionSettings, progress: ProgressLog) -> ExportEvent:
        polls, pause = 0, 0.0
        async with shared_poller(settings) as poller:
            while True:
                found = await self._poll(poller, pause, progress)
                progress.add(found)
                if found.ended is not None:
                    return ExportEvent(found.ended, self.export_id, found.line)
                if (left := self._seconds_left()) <= 0:
                    return ExportEvent("TIMEOUT", self.export_id, found.line)
                polls += 1
                pause = pause_between_polls(polls, self.poke_interval, self.max_wait, self.exponential_backoff is True)
                pause = min(pause, left)

    async def _poll(self, poller: Poller, pause: float, progress: ProgressLog) -> PollResult:
        """Return the result of the poll that follows this pause; log each minute without an answer.

        A poll that waits long is not given up before the deadline: asked for again, it would be the last in turn. Where
        there are thousands of waits, a minute is the usual time, and the log has no line about the first one.
        """
        started_at = None if self.started_at is None else _instant(self.started_at)
        clock = asyncio.get_running_loop().time
        due, denied_for = clock() + pause, 0.0
        while True:
            asked = poller.ask(self.export_id, self.user_id, due, self.poke_interval)
            try:
                while (state := await asked.answer) is None:
                    reason = poller.failure or "other exports are polled first"
                    line = f"Export {self.export_id} could not be polled, the wait continues: {reason}"
                    if self._seconds_left() <= 0:
                        return PollResult(None, line)
                    if poller.failure or asked.reminders > 1:
                        progress.add(PollResult(None, line))
            except (AccessError, NotFoundError) as error:
                if may_be_invisible(error, started_at, _now()):
                    return result_of(self.export_id, None, started_at, _now())
                denied_for += polling.ASKED_AGAIN_EVERY
                if denied_for > polling.BELIEVED_AFTER:
                    raise
                self.log.warning(denial_line(self.export_id, error))
                due = clock() + polling.ASKED_AGAIN_EVERY
            else:
                return result_of(self.export_id, state, started_at, _now())
            finally:
                poller.give_up(asked)

    def _seconds_left(self) -> float:
        return (_instant(self.deadline) - _now()).total_seconds()

    async def on_kill(self) -> None:
        """Cancel the export if `cancel_on_kill` is set and the task no longer waits for it.

        Clearing the task, a move to another triggerer and a shutdown do not cancel the export. The docstring of
        Airflow's `on_kill` promises no call for a move, yet its runner calls this for every trigger that is no longer
        assigned to it; the state of the task distinguishes the cases. A shutdown is not followed by a call.
        """
        if not self.cancel_on_kill or not await self._ended_by_hand():
            return
        try:
            settings = await LabelboxHook.async_settings(self.labelbox_conn_id)
            async with shared_client(settings) as client:
                canceled = await asyncio.wait_for(client.run(flows.cancel_export(self.export_id)), CANCEL_SECONDS)
        except (LabelboxExportError, asyncio.TimeoutError) as error:
            self.log.warning("Export %s could not be canceled and continues: %s", self.export_id, error)
            return
        outcome = "canceled" if canceled else "not cancelable and continues"
        self.log.info("The waiting task was marked as failed or successful: export %s is %s.", self.export_id, outcome)

    async def _ended_by_hand(self) -> bool:
        ti = self.task_instance
        if ti is None:
            return False
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
        from asgiref.sync import sync_to_async

        states = await sync_to_async(RuntimeTaskInstance.get_task_states)(
            dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
        )
        of_run = states.get(ti.run_id, {})
        return any(state in _FINAL for name, state in of_run.items() if name.split("[")[0] == ti.task_id)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _instant(text: str) -> datetime:
    # Python 3.10 does not read the Z that handles are written with.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
