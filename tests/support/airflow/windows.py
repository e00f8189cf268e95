"""The window of a run, as a start task resolves it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from support.airflow.runs import Run, context_of

from labelbox_export_provider.domain.windows.windows import ResolvedWindow
from labelbox_export_provider.execution.dag_run import run_interval

FORM = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def window_of(run: Run, window: Any, params: dict[str, Any] | None = None) -> ResolvedWindow:
    resolved: ResolvedWindow = window.resolve(run_interval(context_of(run, window, params)))
    return resolved


def facts_of(run: Run) -> Any:
    """The context as far as windows read it: building the whole for each run of a year takes long."""
    start, end = run.interval or (None, None)
    given = {"run_id": "scheduled__1", "partition_key": run.partition_key, "partition_date": run.partition_date}
    return given | ({} if run.interval is None else {"data_interval_start": start, "data_interval_end": end})
