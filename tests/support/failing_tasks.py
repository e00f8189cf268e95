"""One night of a DAG on a fake Labelbox, with tasks that fail: each try runs its phases as Airflow does."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseOperator, Context
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason
from support.airflow.tasks import StateStore, TaskInstance, context_of, some_dag
from support.airflow.triggers import resume
from support.airflow.versions import AirflowRescheduleException
from support.stores.servers import ACCESS_KEY, SECRET_KEY
from support.streaming.http import Reply, Request, http_server

from labelbox_export_provider import (
    DataIntervalWindow,
    ExportTaskSensor,
    LabelboxExportToFileOperator,
    LabelboxExportToGCSOperator,
    LabelboxExportToS3Operator,
    LabelboxWindowsCheckOperator,
    ProjectExportOperator,
)
from labelbox_export_provider.airflow_compat import TaskDeferred
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.object_store import StrictS3, strict_s3
from labelbox_export_provider.triggers.start_gate import StartGateTrigger

TASK = "labelbox_export_provider.execution.waiting.WaitingTask"
CONNECTION = "AIRFLOW_CONN_LABELBOX_DEFAULT"


class _EndedError(Exception):
    pass


class DagHarness:
    """A DAG `start >> wait >> land`, or one task `land` for all; task instances keep what Airflow keeps for them."""

    def __init__(self, fake: FakeLabelbox, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.fake = fake
        self.root = root
        self.patch = patch
        self.now = datetime(2026, 11, 24, tzinfo=timezone.utc)
        self.stores: dict[str, StateStore] = {}
        self.instances: dict[str, TaskInstance] = {}
        self.has_triggerer = True
        self.is_killed = False
        self.happens_in_between: dict[str, Callable[[], object]] = {}
        patch.setattr(f"{TASK}.now", lambda _: self.now)

    def store(self, name: str) -> StateStore:
        """The state store of a task."""
        return self.stores.setdefault(name, StateStore())

    def instance(self, name: str) -> TaskInstance:
        """The task instance, as of its present try."""
        return self.instances.setdefault(name, TaskInstance(task_id=name))

    # --- tasks

    def start(self, **options: Any) -> Any:
        """One try of the task that starts."""
        run_as = {name: options.pop(name) for name in ("interval", "params") if name in options}
        values = {"project_id": self.fake.project_id, "window": DataIntervalWindow(), "poke_interval": 0.01, **options}
        with some_dag():
            task = ProjectExportOperator(task_id="start", **values)
        return self.to_the_end(task, **run_as)

    def wait(self, export: Any, **options: Any) -> Any:
        """One try of the sensor after it."""
        with some_dag():
            start = ProjectExportOperator(task_id="start", project_id=self.fake.project_id)
            values = {"poke_interval": 0.01, "exponential_backoff": False, **options}
            task = ExportTaskSensor(task_id="wait", export=start.output, **values)
        task.export = export  # which a scheduler's worker reads from XCom
        return self.to_the_end(task)

    def land(self, export: Any, **options: Any) -> Any:
        """One try of the transfer after both."""
        with some_dag():
            start = ProjectExportOperator(task_id="start", project_id=self.fake.project_id)
            task = self._transfer(export=start.output, **options)
        task.export = export
        return self.to_the_end(task)

    def all_in_one(self, **options: Any) -> Any:
        """One try of a transfer that starts and awaits its export itself."""
        run_as = {name: options.pop(name) for name in ("interval", "params") if name in options}
        values = {
            "source": ProjectSource(project_id=self.fake.project_id),
            "window": DataIntervalWindow(),
            "poke_interval": 0.01,
            **options,
        }
        with some_dag():
            task = self._transfer(**values)
        return self.to_the_end(task, **run_as)

    def check(self, interval: tuple[datetime, datetime], **options: Any) -> Any:
        """One try of a check of what was landed."""
        with some_dag():
            task = LabelboxWindowsCheckOperator(**{"task_id": "check", "prefix": str(self.root), **options})
        return self.to_the_end(task, interval=interval)

    def _transfer(self, **options: Any) -> BaseOperator:
        if "s3_bucket" in options:
            return LabelboxExportToS3Operator(task_id="land", **{"s3_prefix": "labels", **options})
        if "bucket_name" in options:
            return LabelboxExportToGCSOperator(task_id="land", **{"object_prefix": "labels", **options})
        where = {} if "path" in options else {"root": str(self.root)}
        return LabelboxExportToFileOperator(task_id="land", **{**where, **options})

    # --- tries

    def to_the_end(self, task: BaseOperator, **run_as: Any) -> Any:
        """Run a try with all its phases; time passes while it is deferred."""
        name = task.task_id
        instance = self.instance(name)
        instance.get_first_reschedule_date = lambda _: self.now  # type: ignore[attr-defined]  # as a sensor asks for it
        context = context_of(name, store=self.store(name), ti=instance, **run_as)
        phase: Callable[[], Any] = lambda: task.execute(context)  # noqa: E731  replaced below
        task.render_template_fields(context)
        if self.is_killed:
            task.on_kill()
        while True:
            try:
                return phase()
            except TaskDeferred as deferred:
                happens = self.happens_in_between.pop(name, None)
                if happens is not None:
                    happens()
                phase = self._phase_after(task, deferred, context)
            except AirflowRescheduleException:
                continue

    def _phase_after(self, task: BaseOperator, deferred: TaskDeferred, context: Context) -> Any:
        if isinstance(deferred.trigger, DateTimeTrigger) and self.has_triggerer:
            self.now = max(self.now, datetime.fromtimestamp(deferred.trigger.moment.timestamp(), timezone.utc))
            kwargs = json.loads(json.dumps(deferred.kwargs or {}))
            return lambda: task.resume_execution(deferred.method_name, {**kwargs, "event": None}, context)
        if isinstance(deferred.trigger, StartGateTrigger) and self.has_triggerer:
            self.now = datetime.fromisoformat(deferred.trigger.deadline or "")
            kwargs = json.loads(json.dumps(deferred.kwargs or {}))
            rested = {"outcome": "TIMEOUT"}
            return lambda: task.resume_execution(deferred.method_name, {**kwargs, "event": rested}, context)
        if not self.has_triggerer:
            assert deferred.timeout is not None, "Airflow would never end the wait"
            timed_out = {"error": TriggerFailureReason.TRIGGER_TIMEOUT}
            return lambda: task.resume_execution(TRIGGER_FAIL_REPR, timed_out, context)
        return lambda: resume(task, deferred, context)

    def retried(self, name: str) -> None:
        """Airflow tries a task again: what the last try put into XCom is gone."""
        self.instances[name] = replace(self.instances[name], try_number=self.instances[name].try_number + 1, xcoms={})

    def cleared(self, name: str) -> None:
        """Its user clears a task."""
        self.retried(name)
        self.instances[name].max_tries += 1

    def until_deferred(self, try_: Callable[[], object]) -> None:
        """Run a try to its first deferral, at which its worker ends; nothing hears of the trigger any more."""

        def end() -> None:
            raise _EndedError

        self.happens_in_between = dict.fromkeys(("start", "wait", "land"), end)
        with contextlib.suppress(_EndedError):
            try_()
        self.happens_in_between = {}

    # --- what may be wrong around the tasks

    def connect(self, **members: Any) -> None:
        """Change members of the Labelbox connection."""
        self.patch.setenv(CONNECTION, json.dumps(json.loads(self.fake.airflow_connection()) | members))

    def another_users_key(self) -> None:
        """Put the key of a colleague into the connection."""
        self.patch.setenv(CONNECTION, self.fake.airflow_connection(api_key=self.fake.add_user().api_key))

    @contextmanager
    def s3(self, **settings: Any) -> Iterator[StrictS3]:
        """A bucket, and the AWS connection to it."""
        with strict_s3(**settings) as server:
            extra = {
                "endpoint_url": server.address,
                "region_name": "us-east-1",
                "config_kwargs": {"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}},
            }
            aws = {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra}
            self.patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
            yield server

    @contextmanager
    def gcs(self, *, reads: int, writes: int, message: str) -> Iterator[None]:
        """A Google Cloud Storage that answers reads and writes with a status each, and the connection to it."""

        def respond(request: Request) -> Reply:
            status = reads if request.method == "GET" else writes
            if status == 404 and "prefix=" in request.query:  # an empty listing, of uploads or of objects
                empty = b"<ListMultipartUploadsResult/>" if "uploads" in request.query else b"{}"
                return Reply(200, empty, {"Content-Type": "application/json"})
            error = {"error": {"code": status, "message": message}}
            return Reply(status, json.dumps(error).encode(), {"Content-Type": "application/json"})

        anonymous = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "test"}}
        with http_server(respond) as address:
            self.patch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(anonymous))
            self.patch.setenv("STORAGE_EMULATOR_HOST", address)
            yield

    def words(self) -> dict[str, str]:
        """What differs from run to run, with a word for each."""
        found = {str(self.root): "<root>", self.fake.organization_id: "<organization>"}
        found |= {export.export_id: f"<export {number}>" for number, export in enumerate(self.fake.exports, start=1)}
        users = [self.fake.user, *(user for user in self.fake.accounts.users if user != self.fake.user)]
        return found | {user.user_id: f"<user {number}>" for number, user in enumerate(users, start=1)}
