"""The start of an export from Python code of a task, with the guarantees of an operator."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.request.source_option import check_source, parse_source, plain_source
from labelbox_export_provider.domain.windows.windows import parse_window, plain_window
from labelbox_export_provider.errors import HandleError
from labelbox_export_provider.execution import start
from labelbox_export_provider.execution.export_job import ExportJob, WaitLimits
from labelbox_export_provider.execution.failures import reporting, start_report
from labelbox_export_provider.execution.start import ExportStart
from labelbox_export_provider.execution.waiting import WaitingTask
from labelbox_export_provider.hooks.labelbox import LabelboxHook

if TYPE_CHECKING:
    from airflow.sdk import Context

    from labelbox_export_provider.domain.request.source import Source
    from labelbox_export_provider.domain.windows.windows import AnyWindow


def start_or_adopt(
    context: Context,
    *,
    source: Source | Mapping[str, Any],
    window: AnyWindow | Mapping[str, Any] | None = None,
    labelbox_conn_id: str = LabelboxHook.default_conn_name,
    task_name: str | None = None,
    poke_interval: float | timedelta = 5.0,
    limit_timeout: float | timedelta = timedelta(hours=6),
    keep_open: bool = False,
) -> dict[str, Any]:
    """Start an export, or adopt the one that an earlier try of this task started, and return its handle.

    For Python code that a task runs (`@task`, `execute` of an operator of one's own); the export operators and the
    transfers do it by themselves. The handle is JSON: return it as an XCom, pass it to `ExportTaskSensor` and to
    transfers as `export=`, or to `LabelboxHook.get_export_task`. A task may start several exports; each request has a
    start record of its own, so a request must be the same in each try: take times from the run, not from the clock.
    While its window has not settled, and while too many exports run, it sleeps in the worker.
    How it fails: as the operators do, a wrong option without a retry.

    :param context: the context of the running task: `get_current_context()`, or the argument of `execute`.
    :param source: what to export, with its filters and export params: `ProjectSource(project_id=...)` or any other
        source, or its plain dict.
    :param window: which rows, such as `DataIntervalWindow()` for last night's changes; None for no date filter.
    :param labelbox_conn_id: the Labelbox connection.
    :param task_name: readable head of the export's name in Labelbox; DAG and task id by default.
    :param poke_interval: first pause between two starts while too many exports run, growing to five minutes.
    :param limit_timeout: longest wait for the start while too many exports run, per try.
    :param keep_open: True for a task that reads the export itself: cleared after a failure, it adopts, as long as it
        has not called `mark_consumed`. By default the export counts as passed on when this function returns, and a
        cleared task starts a new one.
    """
    timeout = getattr(dict(context).get("task"), "execution_timeout", None)
    # It is never deferred: Airflow would resume it in a method that only the operators have.
    task = WaitingTask(task_id=context["ti"].task_id, execution_timeout=timeout)
    task.deferrable = False
    with reporting(task, lambda error: start_report(error, context)):
        check_source(plain_source(source), plain_window(window))
        limits = WaitLimits.of(poke_interval=poke_interval, timeout=timedelta(days=7), limit_timeout=limit_timeout)
        begin = ExportStart(
            hook=LabelboxHook(labelbox_conn_id),
            source=parse_source(source),
            window=None if window is None else parse_window(window),
            task_name=task_name,
            one_of_several=True,
        )
    return ExportJob(task, begin, limits).started(context, keep_open=keep_open).to_json()


def mark_consumed(context: Context, handle: Mapping[str, Any]) -> None:
    """Record that this task is done with an export that it keeps open: cleared from now on, it starts a new one.

    `handle` is what `start_or_adopt(..., keep_open=True)` returned.
    """
    parsed = ExportHandle.parse(handle)
    if parsed.fingerprint is None:
        raise HandleError("This handle was not returned by start_or_adopt: there is nothing to mark as consumed.")
    start.mark_consumed(context, parsed.fingerprint)
