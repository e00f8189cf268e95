"""The report of a task that fails before it starts an export: its options may be the cause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from labelbox_export_provider.airflow_compat import task_state_store
from labelbox_export_provider.domain.records.failure_report import FailureReport
from labelbox_export_provider.domain.windows.windows import ResolvedWindow, parse_window
from labelbox_export_provider.errors import LabelboxExportError
from labelbox_export_provider.execution.dag_run import resolved
from labelbox_export_provider.execution.failures import project_web_url, tries

if TYPE_CHECKING:
    from airflow.sdk import Context

_MAX_LENGTH = 80


class StartingTask(Protocol):
    """The options of a task that starts an export, which may all be wrong."""

    task_id: str
    labelbox_conn_id: str | None
    window: Any

    def asked_source(self) -> object:
        """Return the options that name the source, as they are at this moment."""


def report_before_start(error: LabelboxExportError, task: StartingTask, context: Context) -> FailureReport:
    """Return a report with what the options alone hold, each as given; the rest is left out."""
    source, conn_id = task.asked_source(), task.labelbox_conn_id
    given = source if isinstance(source, Mapping) else {}
    project_id = given.get("project_id")
    return FailureReport(
        error,
        source=_described(given),
        link=project_web_url(conn_id, project_id) if project_id and isinstance(project_id, str) else None,
        window=_resolved(task.window, context),
        starts_export=True,
        forgets=task_state_store(context) is None,
        start_task_id=task.task_id,
        **tries(context),
    )


def _described(source: Mapping[str, Any]) -> str | None:
    parts = (value for name, value in source.items() if name not in {"export_params", "filters", "everything"})
    text = " ".join(str(part) for part in parts if part is not None)
    return (text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}…") or None


def _resolved(window: Any, context: Context) -> ResolvedWindow | None:
    try:
        return None if window is None else resolved(parse_window(window), context)
    except LabelboxExportError:
        return None  # this window may be the failure that is reported
