"""Errors of this package as exceptions of Airflow, with or without a retry.

The message is the `FailureReport` of `domain/records/failure_report.py`; that of a landing is filled in by
`transfers/failure.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict

from airflow.sdk import BaseOperator

from labelbox_export_provider.airflow_compat import (
    AirflowException,
    AirflowFailException,
    AirflowTaskTimeout,
    task_state_store,
)
from labelbox_export_provider.cancellation import StoppedError
from labelbox_export_provider.domain.records.failure_report import FailureReport
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.errors import LabelboxExportError, TaskStoppedError
from labelbox_export_provider.execution.waiting import WaitingTask
from labelbox_export_provider.hooks.labelbox import LabelboxHook

if TYPE_CHECKING:
    from airflow.sdk import Context


class Tries(TypedDict):
    """Which try failed, out of how many."""

    try_number: int | None
    tries: int | None


def tries(context: Context) -> Tries:
    """Return which try this is, by its context."""
    ti = context["ti"]
    return {"try_number": getattr(ti, "try_number", None), "tries": (getattr(ti, "max_tries", 0) or 0) + 1}


def start_report(error: LabelboxExportError, context: Context, **known: Any) -> FailureReport:
    """Return a report of a task that starts an export; `known` adds what is known of the export by now."""
    return FailureReport(
        error,
        starts_export=True,
        forgets=task_state_store(context) is None,
        start_task_id=context["ti"].task_id,
        **tries(context),
        **known,
    )


def give_up(report: FailureReport) -> NoReturn:
    """Raise the Airflow exception for a failure: without retry where a retry would end the same way."""
    kind = AirflowException if report.retryable else AirflowFailException
    raise kind(report.text()) from report.error


@contextmanager
def reporting(task: WaitingTask, report: Callable[[LabelboxExportError], FailureReport]) -> Iterator[None]:
    """Raise what fails inside as Airflow understands it, with its report; a task that was stopped fails of that alone.

    What interrupts the task from outside (`execution_timeout`, Ctrl-C) has to stay what it is, so its report is logged.
    """
    try:
        yield
    except (LabelboxExportError, StoppedError) as error:
        reason = task.cancel_token.error or error
        if not isinstance(reason, LabelboxExportError):
            raise
        give_up(report(reason))
    except (AirflowTaskTimeout, KeyboardInterrupt) as interruption:
        over = f"ran longer than its execution_timeout ({task.execution_timeout})"
        why = over if isinstance(interruption, AirflowTaskTimeout) else "was interrupted (Ctrl-C)"
        text = report(TaskStoppedError(f"This task {why} and was stopped.")).text()
        task.log.error("%s", text)  # noqa: TRY400  Airflow logs the traceback
        raise


def upstream_start_task(task: BaseOperator) -> str | None:
    """Return the id of the task that starts the export of `task`: the only export operator upstream, near or far."""
    starters = {
        relative.task_id
        for relative in task.get_flat_relatives(upstream=True)
        if getattr(getattr(relative, "operator_class", relative), "source_model", None) is not None
    }
    return starters.pop() if len(starters) == 1 else None


def web_url(handle: ExportHandle | None) -> str | None:
    """Return the address of the exported source in Labelbox's web app, where one is known."""
    if handle is None or handle.source.kind != "project":
        return None
    return project_web_url(handle.labelbox_conn_id, handle.source.id)


def project_web_url(labelbox_conn_id: str | None, project_id: str) -> str | None:
    """Return the address of a project in a connection's web app; None where either of them is not valid."""
    try:
        app_url = LabelboxHook(labelbox_conn_id or LabelboxHook.default_conn_name).settings.app_url
        return ProjectSource.parse({"project_id": project_id}).web_url(app_url)
    except LabelboxExportError:
        return None  # this connection may be the failure that is reported
