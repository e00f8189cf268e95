"""A check of nights that are there by name alone, in a directory, run by a test phase by phase."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, cast

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from support.airflow.tasks import TaskInstance, context_of
from support.airflow.worker_clock import WorkerClock
from support.window_names import DAY, FIRST, PREFIX, nights, source

from labelbox_export_provider import LabelboxWindowsCheckOperator
from labelbox_export_provider.airflow_compat import TaskDeferred
from labelbox_export_provider.sinks.base import ListedObject

P1, P2 = source("clp1"), source("clp2")
MORNING = FIRST + 10 * DAY
"""The end of the tenth night, at which the run of the check stands."""


def put(root: Path, names: Iterable[ListedObject]) -> None:
    """Create an object of each of these names."""
    for each in names:
        path = root / each.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}")


def put_nights(root: Path, days: Iterable[int], *projects: Any, state: str = "ok") -> None:
    """Land these nights, counted from `FIRST` on, of these projects."""
    for project in projects or (P1,):
        put(root, nights(project, days, state))


class Check:
    """One task instance of the check; time passes while it sleeps or is deferred."""

    def __init__(self, root: Path, clock: WorkerClock, **options: Any) -> None:
        self.root = root
        self.clock = clock
        self.options = {"prefix": f"{root}/{PREFIX}", **options}
        self.ti = TaskInstance(task_id="check")
        self.resumed_at: list[datetime] = []
        clock.now = MORNING + 8 * DAY / 24

    def make(self) -> LabelboxWindowsCheckOperator:
        """Make the task as each phase does, on a worker of its own."""
        return LabelboxWindowsCheckOperator(task_id="check", **self.options)

    def run(self, interval: tuple[datetime, datetime] | None = (MORNING, MORNING), **members: Any) -> Any:
        """Run one try with all its phases."""
        task = self.make()
        context = context_of(ti=self.ti, interval=interval, **members)
        task.render_template_fields(context)
        phase: Callable[[], Any] = partial(task.execute, context)
        while True:
            try:
                return phase()
            except TaskDeferred as deferred:
                trigger = cast("DateTimeTrigger", deferred.trigger)
                self.resumed_at.append(datetime.fromtimestamp(trigger.moment.timestamp(), timezone.utc))
                self.clock.until(self.resumed_at[-1])
                self.clock.meanwhile()
                kwargs = {**json.loads(json.dumps(deferred.kwargs or {})), "event": None}
                again = self.make()
                again.render_template_fields(context)
                phase = partial(again.resume_execution, "start_again", kwargs, context)

    @property
    def snapshot(self) -> dict[str, Any]:
        """What the last look left in XCom."""
        made: dict[str, Any] = self.ti.xcoms["labelbox_windows"]
        return made
