"""A transfer that starts its export itself, run by a test phase by phase."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import Context
from support.airflow.tasks import NIGHT, StateStore, TaskInstance, context_of
from support.airflow.triggers import resume
from support.stores.servers import files

from labelbox_export_provider.airflow_compat import TaskDeferred
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.triggers.start_gate import StartGateTrigger

START = "exportDataRowsInProject"

TASK = "labelbox_export_provider.execution.waiting.WaitingTask"


class Run:
    """One task instance of one DAG run: what stays between its tries, and a clock that moves when it is deferred."""

    def __init__(self, make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.make = make
        self.store = StateStore()
        self.ti = TaskInstance(task_id="land", max_tries=3)
        self.now = datetime(2026, 11, 24, tzinfo=timezone.utc)
        self.deferred_until: list[datetime] = []
        self.rests = timedelta.max
        """How long a start rests that was refused at the running-export limit; at most until its deadline."""
        monkeypatch.setattr(f"{TASK}.now", lambda _: self.now)

    def context(self) -> Context:
        return context_of("land", store=self.store, ti=self.ti)

    def execute(self) -> Any:
        """One phase on a worker: a result, or `TaskDeferred`."""
        task = self.make()
        task.render_template_fields(self.context())
        return task.execute(self.context())

    def to_the_end(self) -> Any:
        """One try with all its phases; time passes while it is deferred."""
        try:
            return self.execute()
        except TaskDeferred as first:
            deferred = first
        while True:
            try:
                return self.resumed(deferred)
            except TaskDeferred as again:
                deferred = again

    def resumed(self, deferred: TaskDeferred) -> Any:
        """The next phase, on another worker: a result, or `TaskDeferred` again."""
        context = self.context()
        task = self.make()
        task.render_template_fields(context)
        if isinstance(deferred.trigger, DateTimeTrigger):
            self.now = max(self.now, deferred.trigger.moment)
            self.deferred_until.append(deferred.trigger.moment)
            kwargs = json.loads(json.dumps(deferred.kwargs or {}))
            return task.resume_execution(deferred.method_name, {**kwargs, "event": None}, context)
        if isinstance(deferred.trigger, StartGateTrigger):
            deadline = datetime.fromisoformat(deferred.trigger.deadline or "")
            self.now += min(self.rests, deadline - self.now)
            kwargs = json.loads(json.dumps(deferred.kwargs or {}))
            return task.resume_execution(deferred.method_name, {**kwargs, "event": {"outcome": "RELEASED"}}, context)
        return resume(task, deferred, context)

    def retried(self) -> Run:
        """Airflow tries again: the XComs of the last try are gone, the state store is not."""
        self.ti = replace(self.ti, try_number=self.ti.try_number + 1, xcoms={})
        return self

    def cleared(self) -> Run:
        """Its user clears the task."""
        self.ti = replace(self.ti, try_number=self.ti.try_number + 1, max_tries=self.ti.max_tries + 1, xcoms={})
        return self


def landed(folder: Path) -> list[bytes]:
    return sorted(
        line
        for name, content in files(folder).items()
        if name.startswith("data/")
        for line in content.splitlines(keepends=True)
    )


def expected_rows(fake: FakeLabelbox) -> list[bytes]:
    return sorted(line.rstrip(b"\n") + b"\n" for line in fake.rows_for(start=NIGHT[0], end=NIGHT[1]))
