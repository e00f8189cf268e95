"""The sensor that waits for an export."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator, BaseSensorOperator, PokeReturnValue

from labelbox_export_provider.airflow_compat import AirflowSensorTimeout, AirflowSkipException, TaskDeferralTimeout
from labelbox_export_provider.client.external_export import handle_of
from labelbox_export_provider.client.polling import CompletedTotals, ProgressLog, completed_totals, require_complete
from labelbox_export_provider.domain.options.rendered import read_rendered
from labelbox_export_provider.domain.options.templates import late_paths
from labelbox_export_provider.domain.records.external_export import ExternalExport, check_export, parse_export
from labelbox_export_provider.domain.records.failure_report import FailureReport
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.errors import ConfigurationError, LabelboxExportError, WaitTimeoutError
from labelbox_export_provider.execution.failures import reporting, upstream_start_task, web_url
from labelbox_export_provider.execution.kept_results import require_results
from labelbox_export_provider.execution.options import CheckedOperatorMeta, came_by_default
from labelbox_export_provider.execution.waiting import PollOptions, WaitingTask, poll_once
from labelbox_export_provider.hooks.labelbox import LabelboxHook
from labelbox_export_provider.links.source_page import LabelboxSourceLink
from labelbox_export_provider.triggers.events import ExportEvent

if TYPE_CHECKING:
    from airflow.sdk import Context


class ExportTaskSensor(WaitingTask, BaseSensorOperator, metaclass=CheckedOperatorMeta):
    """Waits until an export is COMPLETE and returns its handle with the totals of both streams.

    Why: `deferrable=True` (the default here, whatever Airflow's configuration says) waits in the triggerer and holds no
    worker slot; `deferrable=False` gives Airflow's poke and reschedule modes, in which `timeout`, `poke_interval`,
    `exponential_backoff` and `soft_fail` mean the same. Where `exponential_backoff` is left out, the pause between two
    polls grows up to `max_wait` in a worker, where each poll is a request, and stays `poke_interval` in the triggerer,
    where a hundred waits share one.
    What it does not do: start, cancel or read anything. An unknown state logs a warning, and the wait continues.
    How it fails: FAILED and CANCELED without a retry, naming the task to clear, since another poll does not help; a
    refused key and an unknown id likewise. When `timeout` is over, the export continues, and clearing this task waits
    for it again. `soft_fail` turns the time-out into a skip and nothing else.

    :param export: the handle that an export operator returns. For an export that was started in Labelbox's app or with
        its SDK `{"export_id": ..., "source": {"kind": "project", "id": ...}}`, of which a handle to land is returned;
        its bare id is enough to wait.
    :param labelbox_conn_id: not for a handle, which names its own connection.
    :param cancel_on_kill: cancel the export when somebody marks this task as failed or successful while it is deferred.
    """

    template_fields: Sequence[str] = ("export", "labelbox_conn_id")
    operator_extra_links = (LabelboxSourceLink(),)
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        export: Any,
        labelbox_conn_id: str | None = LabelboxHook.default_conn_name,
        deferrable: bool = True,
        poke_interval: float | timedelta = 5.0,
        exponential_backoff: bool | None = None,
        max_wait: float | timedelta | None = 60.0,
        cancel_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poke_interval=poke_interval,
            exponential_backoff=exponential_backoff is not False,
            max_wait=max_wait,
            **kwargs,
        )
        self._backoff = exponential_backoff
        by_default = came_by_default(
            kwargs, cancel_on_kill=cancel_on_kill, never_fail=self.never_fail, silent_fail=self.silent_fail
        )
        for option in ("never_fail", "silent_fail"):
            if option in by_default:
                setattr(self, option, False)
        if self.never_fail or self.silent_fail:
            raise ConfigurationError(
                "never_fail and silent_fail are not options of ExportTaskSensor: a failed export or a refused key must "
                "not be treated as data. soft_fail=True turns a time-out into a skip."
            )
        if self.poke_interval <= 0:
            raise ConfigurationError(f"poke_interval={poke_interval!r}: must be a timedelta or seconds above 0.")
        self._set_waiting(deferrable=deferrable, cancel_on_kill=cancel_on_kill, by_default=by_default)
        self.export = export
        self.labelbox_conn_id = LabelboxHook.default_conn_name if labelbox_conn_id is None else labelbox_conn_id

    def _check_options(self) -> None:
        check_export(self.export)
        self._late = late_paths(self.labelbox_conn_id)

    def execute(self, context: Context) -> Any:
        """Poll once; then defer, or poke in the chosen mode."""
        with self._reporting(context):
            export = parse_export(self.export)
            event = self._waited(export) if self.deferrable else self._poked(export, context)
        return self._finish(event, context)

    def _waited(self, export: ExportHandle | ExternalExport) -> ExportEvent:
        options: PollOptions = {
            "poke_interval": self.poke_interval,
            "max_wait": self.max_wait.total_seconds() if self.max_wait else self.timeout,
            "exponential_backoff": self._backoff,
        }
        return self.wait_for_end(self._hook(export), export, timedelta(seconds=self.timeout), options, at_once=True)

    def _poked(self, export: ExportHandle | ExternalExport, context: Context) -> ExportEvent:
        try:
            event: ExportEvent = super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException) as timeout:
            if isinstance(timeout, AirflowSkipException) and not self.soft_fail:
                raise
            event = ExportEvent("TIMEOUT", export.export_id)
        self.send_waited(export, event)
        return event

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once; an export that failed ends the pokes as well, and `execute` raises it past soft_fail."""
        del context
        export = parse_export(self.export)
        event = poll_once(self._hook(export), export, self._progress)
        return PokeReturnValue(is_done=event is not None, xcom_value=event)

    @cached_property
    def _progress(self) -> ProgressLog:
        return ProgressLog(self.log.info)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume with the trigger's event; a trigger that failed of a bug is raised, also with soft_fail."""
        try:
            # Past BaseSensorOperator, whose version turns every failure into a skip with soft_fail.
            return BaseOperator.resume_execution(self, next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            return self._overdue(context)

    def _overdue(self, context: Context) -> Any:
        with self._reporting(context):
            export = parse_export(self.export)
        return self._finish(ExportEvent("UNREPORTED", export.export_id), context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Return the result, or raise what the trigger's event stands for."""
        parsed = ExportEvent.parse(event)
        return self.execute(context) if parsed is None else self._finish(parsed, context)

    def _finish(self, event: ExportEvent, context: Context) -> dict[str, Any]:
        with self._reporting(context):
            export = parse_export(self.export)
            error = event.error(timedelta(seconds=self.timeout))
            if isinstance(error, WaitTimeoutError):
                self._time_out(error, context)
            if error is not None:
                raise error
            hook = self._hook(export)
            totals = self._totals(hook, export)
            plain = _plain(export, hook)
        self.log.info("Export %s is complete: %s", event.export_id, totals.to_json())
        return {**plain, "totals": totals.to_json()}

    def _totals(self, hook: LabelboxHook, export: ExportHandle | ExternalExport) -> CompletedTotals:
        with hook.get_conn() as client:
            state = client.run(require_complete(export.export_id, export.user_id))
            require_results(client, state, datetime.now(timezone.utc))
            totals: CompletedTotals = client.run(completed_totals(export.export_id))
            return totals

    def _time_out(self, error: WaitTimeoutError, context: Context) -> NoReturn:
        text = self._report(error, context).text()
        if self.soft_fail:
            raise AirflowSkipException(f"Skipped, since soft_fail is set.\n{text}") from error
        raise AirflowSensorTimeout(text) from error

    def _report(self, error: LabelboxExportError, context: Context) -> FailureReport:
        ti = context["ti"]
        export: ExportHandle | ExternalExport | None
        try:
            export = parse_export(self.export)
        except LabelboxExportError:
            export = None
        return FailureReport(
            error,
            handle=export if isinstance(export, ExportHandle) else None,
            export_id=None if export is None else export.export_id,
            source=export.source_text if isinstance(export, ExternalExport) else None,
            link=web_url(export if isinstance(export, ExportHandle) else None),
            start_task_id=upstream_start_task(self),
            try_number=getattr(ti, "try_number", None),
            tries=(getattr(ti, "max_tries", 0) or 0) + 1,
            in_store="not touched by this task",
        )

    def _reporting(self, context: Context) -> AbstractContextManager[None]:
        return reporting(self, lambda error: self._report(error, context))

    def _hook(self, export: ExportHandle | ExternalExport) -> LabelboxHook:
        own = read_rendered("labelbox_conn_id", self.labelbox_conn_id, self._late, text=True)
        return LabelboxHook(export.labelbox_conn_id or str(own), token=self.cancel_token)


def _plain(export: ExportHandle | ExternalExport, hook: LabelboxHook) -> dict[str, Any]:
    """Return what a transfer takes: a handle, or the bare id where the source of the export is unknown."""
    if isinstance(export, ExternalExport):
        if export.source is None:
            return {"v": 1, "export_id": export.export_id}
        export = hook.run(handle_of(export, export.source, hook.labelbox_conn_id))
    return export.to_json()
