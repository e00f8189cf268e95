"""Somebody at a Python prompt: a client of one fake Labelbox, whose waits move a clock instead of taking time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.export_task.task import ExportTask
from labelbox_export_provider.testing import Behaviour, FakeLabelbox, ManualClock, generate_rows

ROWS = generate_rows(60)


@dataclass
class Prompt:
    fake: FakeLabelbox
    clock: ManualClock
    client: LabelboxClient
    waits: list[float]
    sleep: Callable[[float], None]

    @property
    def options(self) -> dict[str, Any]:
        return {"sleep": self.sleep, "clock": lambda: self.clock().timestamp(), "now": self.clock}

    def start(self, **filters: Any) -> ExportTask:
        source = ProjectSource.parse({"project_id": self.fake.project_id, "filters": filters})
        return ExportTask.start(self.client, source, **self.options)

    def get_task(self, task_id: Any) -> ExportTask:
        return ExportTask.get_task(self.client, task_id, **self.options)

    def rows(self, task: ExportTask) -> list[bytes]:
        """The rows that have to land."""
        return self.fake.rows_for(like=task.uid)


@contextmanager
def prompt(rows: Any = ROWS, **behaviour: Any) -> Iterator[Prompt]:
    clock = ManualClock()
    with FakeLabelbox(rows, clock=clock, behaviour=Behaviour(**behaviour)) as fake, client_of(fake, clock) as someone:
        yield someone


@contextmanager
def client_of(fake: FakeLabelbox, clock: ManualClock, api_key: str | None = None) -> Iterator[Prompt]:
    settings = ConnectionSettings(api_key=api_key or fake.api_key, endpoint=fake.endpoint, timeout=5)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.advance(seconds)

    with LabelboxClient(settings, sleep=sleep) as client:
        yield Prompt(fake, clock, client, waits, sleep)
