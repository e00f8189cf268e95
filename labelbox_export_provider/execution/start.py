"""The start of an export: from an Airflow context to a handle, by a start or an adoption."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from labelbox_export_provider.airflow_compat import api_base_url, never_expire, task_state_store
from labelbox_export_provider.client import flows
from labelbox_export_provider.client.retry import DEFAULT_RETRY
from labelbox_export_provider.client.start_or_adopt import start_or_adopt
from labelbox_export_provider.client.start_request import StartedExport, StartRequest, saving
from labelbox_export_provider.domain.records.handle import ExportHandle, HandleWindow, SourceName
from labelbox_export_provider.domain.records.start_record import StartRecord, start_name
from labelbox_export_provider.domain.request.query import condensed_query, query_digest, request_fingerprint
from labelbox_export_provider.domain.request.source import Source
from labelbox_export_provider.domain.windows.windows import AnyWindow, ResolvedWindow
from labelbox_export_provider.errors import ExportPurgedError, LabelboxExportError
from labelbox_export_provider.execution.dag_run import resolved
from labelbox_export_provider.execution.kept_results import require_results
from labelbox_export_provider.execution.waiting import MAX_HELD
from labelbox_export_provider.hooks.labelbox import LabelboxHook

if TYPE_CHECKING:
    from airflow.sdk import Context

    from labelbox_export_provider.client.http_clients import LabelboxClient

log = logging.getLogger(__name__)

STATE_KEY = "labelbox_export"
"""Key of the start record in the task state store; followed by the request's digest where a task has several."""
SOURCE_LINK_KEY = "labelbox_source_link"
"""XCom key of the source's address in Labelbox's web app."""


_PATIENCE = replace(DEFAULT_RETRY, limited_seconds=MAX_HELD.total_seconds())
"""Past this much rest after too many requests the task is deferred, instead of sleeping on in its worker slot."""


class ExportStart:
    """One start of one task instance.

    Without a task state store (`task_state_store` is new in Airflow 3.3) the export's name alone carries the logic: a
    retry still finds the export, but a cleared task always starts a new one (docs/compatibility.md). `one_of_several`
    gives each request of the task a record of its own, as a loop in Python code needs it.
    """

    def __init__(
        self,
        *,
        hook: LabelboxHook,
        source: Source,
        window: AnyWindow | None,
        task_name: str | None,
        one_of_several: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self.hook = hook
        self.source = source
        self.window = window
        self.task_name = task_name
        self.one_of_several = one_of_several
        self.now = now
        self.export_name: str | None = None
        """The name of the export in Labelbox, known once `run` was called."""

    def resolve(self, context: Context) -> ResolvedWindow | None:
        """Return the window of this run; fails with `WindowError` where the run has none."""
        return None if self.window is None else resolved(self.window, context)

    def web_url(self) -> str | None:
        """Return the address of the source in Labelbox's web app, where it has one."""
        return self.source.web_url(self.hook.settings.app_url)

    def run(self, context: Context, *, mark_consumed: bool = True) -> ExportHandle:
        """Return the handle of the one export of this task instance; raises errors of this package only.

        `mark_consumed=False` leaves the record open for a task that waits afterwards: cleared while it waits, or after
        its wait failed, it adopts. Such a task calls `mark_consumed` when it is done. While too many exports run,
        nothing is started and `RunningExportLimitError` is raised at once; `RateLimitedError` after a short rest.
        """
        window = self.resolve(context)
        ti = context["ti"]
        with self.hook.get_conn() as client:
            owner = client.run(flows.who_am_i(_PATIENCE))
            mutation_input = self.source.render_input(task_name="", owner_timezone=owner.timezone, window=window)
            fingerprint = request_fingerprint(
                self.source.mutation, mutation_input, self.hook.settings.endpoint, owner.organization_id
            )
            records = _Records(context, fingerprint if self.one_of_several else None)
            clear_count = _clear_count(context)
            map_index = -1 if ti.map_index is None else ti.map_index
            request = StartRequest(
                mutation=self.source.mutation,
                mutation_input=mutation_input,
                name=start_name(
                    self.task_name or f"{ti.dag_id} {ti.task_id}",
                    run=(ti.dag_id, ti.run_id, ti.task_id, map_index),
                    kind=self.source.kind,
                    fingerprint=fingerprint,
                    clear_count=clear_count,
                    deployment=self.hook.settings.deployment_id or api_base_url(),
                    date=run_date(context),
                ),
                fingerprint=fingerprint,
                clear_count=clear_count,
                user_id=owner.user_id,
                organization_id=owner.organization_id,
                call_limit=self.hook.settings.timeout,
                now=self.now,
                try_id=uuid.uuid4().hex[:16],
                has_store=records.store is not None,
                wait_at_limit=False,
            )
            self.export_name = request.name
            started = self._run_start(client, request, records)
        url = self.web_url()
        if url is not None:
            ti.xcom_push(key=SOURCE_LINK_KEY, value=url)
        if mark_consumed:
            records.save(started.record.model_copy(update={"state": "consumed"}))
        return self._handle(started, window, mutation_input, fingerprint, owner.organization_id)

    def _run_start(self, client: LabelboxClient, request: StartRequest, records: _Records) -> StartedExport:
        """Start or adopt; an adopted export whose results are gone is replaced by a new one."""
        while True:
            flow = start_or_adopt(request, records.load(), _PATIENCE)
            started = client.run(saving(flow, records.save, records.load))
            if not started.adopted:
                return started
            state = client.run(flows.task_state(started.export_id, started.record.user_id))
            try:
                require_results(client, state, self.now())
            except ExportPurgedError as purged:
                log.warning("%s A new export is started.", purged)
                request = replace(request, not_believed=request.not_believed | {started.export_id})
            else:
                return started

    def _handle(
        self,
        started: StartedExport,
        window: ResolvedWindow | None,
        mutation_input: dict[str, Any],
        fingerprint: str,
        organization_id: str,
    ) -> ExportHandle:
        return ExportHandle(
            export_id=started.export_id,
            source=SourceName(kind=self.source.kind, id=self.source.id),
            filters_digest=query_digest(mutation_input),
            labelbox_conn_id=self.hook.labelbox_conn_id,
            window=None if window is None else HandleWindow.of(window),
            user_id=started.record.user_id,
            organization_id=organization_id,
            fingerprint=fingerprint,
            started_at=started.record.intent_at,
            adopted=started.adopted,
            query=condensed_query(mutation_input),
        )


def _clear_count(context: Context) -> str:
    """Return what differs between the clears of a task; all tries after one clear have the same.

    Airflow raises `max_tries` when a task is cleared and not when it is retried. It may stay the same where
    `retries` was lowered in between; `clear_number` covers that, but rises for all tasks of the run at once, also for
    those that nobody cleared. So it counts only beside a task state store: a retry of such a task finds its export by
    the record there, while the name alone would miss it and a second export would start.
    """
    max_tries = getattr(context["ti"], "max_tries", 0) or 0
    if task_state_store(context) is None:
        return str(max_tries)
    return f"{max_tries}.{getattr(dict(context).get('dag_run'), 'clear_number', 0) or 0}"


def run_date(context: Context) -> str:
    """Return the date of the run, which the name shows to people: that of its interval, else that of its start."""
    values = dict(context)
    moment = values.get("data_interval_start") or getattr(values.get("dag_run"), "run_after", None)
    return f"{moment:%Y-%m-%d}" if isinstance(moment, datetime) else ""


def mark_consumed(context: Context, fingerprint: str | None = None) -> None:
    """Record that the export was passed to downstream tasks, so that clearing the task from now on starts a new one.

    `fingerprint` names one of several requests.
    """
    records = _Records(context, fingerprint)
    record = records.load()
    if record is not None:
        records.save(record.model_copy(update={"state": "consumed"}))


class _Records:
    """The start record of one start in the task state store; where there is no store, nothing is kept."""

    def __init__(self, context: Context, fingerprint: str | None) -> None:
        self.store = task_state_store(context)
        self.key = STATE_KEY if fingerprint is None else f"{STATE_KEY}_{fingerprint.rpartition(':')[2][:16]}"

    def load(self) -> StartRecord | None:
        value = None if self.store is None else self.store.get(self.key)
        if value is None:
            return None
        try:
            return StartRecord.model_validate(value)
        except ValueError:
            raise LabelboxExportError(
                f"The task state {self.key!r} of this task was not written by this package, so it is unknown whether "
                "an export already runs. Look for it in Labelbox, delete that key (task instance, State store), then "
                "clear the task."
            ) from None

    def save(self, record: StartRecord) -> None:
        if self.store is not None:
            self.store.set(self.key, record.to_json(), retention=never_expire())
