"""The trigger in which a start rests that was refused at the running-export limit, without a worker slot."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from labelbox_export_provider.client.polling import LINE_EVERY
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.errors import AuthenticationError, LabelboxExportError
from labelbox_export_provider.hooks.labelbox import LabelboxHook
from labelbox_export_provider.triggers.shared_client import shared_gate

if TYPE_CHECKING:
    from labelbox_export_provider.triggers.gate_watcher import Resting
    from labelbox_export_provider.triggers.start_queue import Refusal

SPREAD = 5.0
"""Seconds over which starts enter the queue that a triggerer builds again at once."""


class StartGateTrigger(BaseTrigger):
    """Rests until the start may be tried again, or until `deadline`, and sends one event, which the task ignores.

    Airflow keeps its arguments in its database; they are ids, names and absolute times (ISO 8601, UTC), and so are the
    same after a restart of the triggerer or in another one: a start keeps the place that `arrived_at`, the moment of
    its first refusal, gives it. Starts of higher `priority_weight` are released first, then those of a newer window,
    then those that arrived earlier; one without a window counts as if its window began when it arrived. `name` is what
    its export will be called, by which the watcher sees that it runs. `refused_at` and `in_project` are of the last
    refusal. No event is sent before `not_before`. A fault that waiting does not fix releases the start as well, since
    the task reports it with all that it knows. `newer` is what a worker of a newer version added to the row.
    """

    def __init__(
        self,
        *,
        labelbox_conn_id: str,
        source: str = "",
        name: str | None = None,
        arrived_at: str | None = None,
        deadline: str | None = None,
        priority_weight: int = 1,
        window_start: str | None = None,
        refused_at: str | None = None,
        in_project: bool = False,
        not_before: str | None = None,
        v: int = 1,
        **newer: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.labelbox_conn_id = labelbox_conn_id
        self.source = source
        self.name = name
        self.arrived_at = arrived_at
        self.deadline = deadline
        self.priority_weight = priority_weight
        self.window_start = window_start
        self.refused_at = refused_at
        self.in_project = in_project
        self.not_before = not_before
        self.v = v
        self._newer = newer

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another triggerer needs to continue the rest: no key, no URL."""
        names = (
            "labelbox_conn_id",
            "source",
            "name",
            "arrived_at",
            "deadline",
            "priority_weight",
            "window_start",
            "refused_at",
            "in_project",
            "not_before",
            "v",
        )
        known = {name: getattr(self, name) for name in names}
        return f"{type(self).__module__}.{type(self).__qualname__}", {**self._newer, **known}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Rest, log the place in the queue, and send exactly one event."""
        await asyncio.sleep(random.uniform(0.0, SPREAD))  # noqa: S311  spreads load, keeps no secret
        outcome = "RELEASED"
        try:
            left = None if self.deadline is None else max(0.0, _seconds_to(self.deadline))
            await asyncio.wait_for(self._rest(), left)
        except asyncio.TimeoutError:
            outcome = "TIMEOUT"
        except LabelboxExportError as error:
            self.log.warning("The start is tried again, since its turn cannot be waited for: %s", error)
        if self.not_before is not None:
            await asyncio.sleep(max(0.0, _seconds_to(self.not_before)))
        self.log.info("The start %s.", "is tried again" if outcome == "RELEASED" else "has rested for limit_timeout")
        yield TriggerEvent({"outcome": outcome})

    async def _rest(self) -> None:
        settings = await LabelboxHook.async_settings(self.labelbox_conn_id)
        while True:
            try:
                return await self._rest_with(settings)
            except AuthenticationError:
                fresh = await LabelboxHook.async_settings(self.labelbox_conn_id)
                if fresh == settings:
                    raise
                self.log.info("The key was refused. The connection holds another one by now, and the start rests on.")
                settings = fresh

    async def _rest_with(self, settings: ConnectionSettings) -> None:
        async with shared_gate(settings) as gate:
            start = self._start()
            resting = asyncio.ensure_future(gate.released(start, self._refusal()))
            line = ""
            try:
                while not (await asyncio.wait({resting}, timeout=LINE_EVERY if line else 1.0))[0]:
                    if (found := gate.describe(start)) != line:
                        self.log.info("Too many exports run, and the start rests: %s.", found)
                    line = found
                resting.result()
            finally:
                resting.cancel()

    def _start(self) -> Resting:
        from labelbox_export_provider.triggers.start_queue import RestingStart

        loop = asyncio.get_running_loop()
        now = _now().isoformat()
        arrived_at = self.arrived_at or now
        return RestingStart(
            source=self.source,
            priority_weight=self.priority_weight,
            window_start=_instant(self.window_start or arrived_at).timestamp(),
            arrived=loop.time() + _seconds_to(arrived_at),
            earliest=loop.time() + _seconds_to(self.not_before or now),
            answer=loop.create_future(),
            name=self.name,
        )

    def _refusal(self) -> Refusal | None:
        from labelbox_export_provider.triggers.start_queue import Refusal

        return None if self.refused_at is None else Refusal(_instant(self.refused_at), self.in_project)


def _seconds_to(moment: str) -> float:
    return (_instant(moment) - _now()).total_seconds()


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _instant(text: str) -> datetime:
    # Python 3.10 does not read the Z that handles are written with.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
