"""A task that starts an export on the fake Labelbox: tries of it, worker crashes, and the record between them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from support.client.conversations import USER_AGENT

from labelbox_export_provider.client.certificates import create_ssl_context
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.start_or_adopt import VISIBLE_WITHIN, start_or_adopt
from labelbox_export_provider.client.start_request import StartedExport, StartRequest, saving
from labelbox_export_provider.client.types import Flow, Reply, Send
from labelbox_export_provider.domain.records.start_record import StartRecord, start_name
from labelbox_export_provider.domain.request.query import request_fingerprint
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.testing import FakeLabelbox, FakeUser, ManualClock, generate_rows

CALL_LIMIT = 60.0
"""What a start believes to be the time limit of one call, in seconds of the fake's clock."""
START = "StartProjectExport"
LOOK = "CreatedTasksByName"
GRACE = CALL_LIMIT + VISIBLE_WITHIN
RUNS_FOR = 600.0
ROWS = generate_rows(2)
_SSL = create_ssl_context(ConnectionSettings(api_key="key"))


class WorkerKilled(BaseException):
    """The worker process ends here; nothing of the package may catch it."""


Wrapper: TypeAlias = Callable[[Flow[Any]], Flow[Any]]


def before(operation: str, action: Callable[[], object], *, time: int = 1) -> Wrapper:
    """Have something happen just before a flow sends this operation for the given time."""
    return partial(_watched, operation, time, action, None)


def after(operation: str, action: Callable[[], object], *, time: int = 1) -> Wrapper:
    """Have something happen when this operation was answered for the given time and the flow has not been told."""
    return partial(_watched, operation, time, None, action)


def kill() -> None:
    """End the worker process."""
    raise WorkerKilled


def _watched(
    operation: str,
    time: int,
    first: Callable[[], object] | None,
    then: Callable[[], object] | None,
    flow: Flow[Any],
) -> Flow[Any]:
    reply: Reply = None
    sent = 0
    while True:
        try:
            effect = flow.send(reply)
        except StopIteration as stop:
            return stop.value
        sent += isinstance(effect, Send) and effect.document.name == operation
        is_it = isinstance(effect, Send) and effect.document.name == operation and sent == time
        if is_it and first is not None:
            first()
        reply = yield effect
        if is_it and then is not None:
            then()


@dataclass
class StartingTask:
    """One task instance of one DAG run.

    `record` is what its state store holds: it outlives tries and crashes. Time passes on the fake's clock only.
    """

    fake: FakeLabelbox
    clock: ManualClock
    user: FakeUser
    record: StartRecord | None = None
    has_store: bool = True
    project_id: str | None = None
    run_id: str = "run"
    deployment: str = ""
    organization_id: str | None = None
    clear_count: int = 0
    timeout: float = 5.0
    wait_at_limit: bool = True
    saved: list[StartRecord] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def request(self) -> StartRequest:
        source = ProjectSource(project_id=self.project_id or self.fake.project_id)
        mutation_input = source.render_input(task_name="", owner_timezone="UTC", window=None)
        fingerprint = request_fingerprint(
            source.mutation, mutation_input, self.fake.endpoint, self.organization_id or self.fake.organization_id
        )
        return StartRequest(
            mutation=source.mutation,
            mutation_input=mutation_input,
            name=start_name(
                "dag start",
                run=("dag", self.run_id, "start", -1),
                kind=source.kind,
                fingerprint=fingerprint,
                clear_count=str(self.clear_count),
                deployment=self.deployment,
            ),
            fingerprint=fingerprint,
            clear_count=str(self.clear_count),
            user_id=self.user.user_id,
            organization_id=self.organization_id or self.fake.organization_id,
            try_id=uuid.uuid4().hex,
            has_store=self.has_store,
            call_limit=CALL_LIMIT,
            now=self.clock,
            wait_at_limit=self.wait_at_limit,
        )

    def run(self, around: Wrapper = lambda flow: flow) -> StartedExport:
        """One try of the task, up to the moment at which its handle would be pushed."""
        flow = saving(start_or_adopt(self.request(), self.record), self._save, lambda: self.record)
        started: StartedExport = self.client_run(around(flow))
        return started

    def client_run(self, flow: Flow[Any]) -> Any:
        """Carry out a flow by the task's key."""
        settings = ConnectionSettings(api_key=self.user.api_key, endpoint=self.fake.endpoint, timeout=self.timeout)
        with LabelboxClient(settings, user_agent=USER_AGENT, sleep=self._sleep, ssl_context=_SSL) as client:
            return client.run(flow)

    def succeed(self) -> StartedExport:
        """One try that ends well: the handle goes to the downstream tasks."""
        started = self.run()
        if self.has_store:
            self._save(started.record.model_copy(update={"state": "consumed"}))
        return started

    def crash(self, around: Wrapper) -> None:
        """One try whose worker is killed on the way."""
        try:
            self.run(around)
        except WorkerKilled:
            return
        raise AssertionError("the worker was to be killed")

    def clear(self) -> None:
        """Its user clears the task: Airflow raises the numbers that make its generation."""
        self.clear_count += 1

    def as_user(self, user: FakeUser) -> StartingTask:
        """The same task once the connection holds another key."""
        return replace(self, user=user)

    def _save(self, record: StartRecord) -> None:
        # What a store holds is JSON.
        record = StartRecord.model_validate(record.to_json())
        self.saved.append(record)
        if self.has_store:
            self.record = record

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)


KILLED_BEFORE_THE_CALL = before(START, kill)
KILLED_DURING_THE_CALL = after(START, kill)


def ids(fake: FakeLabelbox) -> list[str]:
    """Every export that really started, oldest first."""
    return [export.export_id for export in fake.exports]


def starts_sent(fake: FakeLabelbox) -> int:
    return len(fake.requests.asking(START))
