"""Time in a worker: it passes only while the task sleeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from support.airflow.tasks import NIGHT

from labelbox_export_provider.cancellation import CancelToken

WAITING = "labelbox_export_provider.execution.waiting"


class WorkerClock:
    """The clock of all tasks of a test, and how long they slept; `meanwhile` is called during each sleep."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = NIGHT[1] + timedelta(days=1)
        self.slept: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None
        clock = self

        class Token(CancelToken):
            def wait(self, seconds: float) -> None:
                self.check()
                clock.pass_by(seconds)
                self.check()

        patch.setattr(f"{WAITING}.CancelToken", Token)
        patch.setattr(f"{WAITING}.WaitingTask.now", lambda _: self.now)

    def pass_by(self, seconds: float) -> None:
        """Let time pass while a task sleeps."""
        self.slept.append(seconds)
        self.now += timedelta(seconds=max(0.0, seconds))
        self.meanwhile()

    def until(self, moment: datetime) -> None:
        """Let time pass while no task is in a worker."""
        self.now = max(self.now, moment)
        self.slept.clear()
