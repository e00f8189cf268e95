"""The exports that a run of a DAG would start, with their windows and their requests; nothing is sent."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from labelbox_export_provider.client.graphql import START_BY_MUTATION
from labelbox_export_provider.commands.planned_runs import PlannedRun, context_of
from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.records.start_record import marked_name
from labelbox_export_provider.domain.windows.windows import ParamsWindow, ResolvedWindow, window_kind
from labelbox_export_provider.errors import LabelboxExportError
from labelbox_export_provider.execution.dag_run import resolved
from labelbox_export_provider.execution.operator import PhasedOperator
from labelbox_export_provider.execution.start import run_date

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from labelbox_export_provider.domain.request.source import Source

UNKNOWN_DIGEST = "?" * 16
"""Stands in an export's name for the digest, which holds the account that the key belongs to."""


@dataclass(frozen=True)
class PlannedExport:
    """One export that one task of one run would start."""

    task_id: str
    run: PlannedRun
    source: Source
    window: ResolvedWindow | None
    labelbox_conn_id: str
    request: Mapping[str, Any]


@dataclass(frozen=True)
class NotPlanned:
    """A start that is refused, or not known before the task runs, and why."""

    task_id: str
    run: PlannedRun | None
    reason: str
    refused: bool


Start = PlannedExport | NotPlanned


def starting_tasks(dag: DAG) -> list[Any]:
    """Return the tasks of a DAG that start exports themselves, mapped ones included."""
    return [task for task in dag.task_dict.values() if _starts_export(task)]


def _starts_export(task: Any) -> bool:
    kind = getattr(task, "operator_class", type(task))  # a mapped task has no object of its operator yet
    if not isinstance(kind, type) or not issubclass(kind, PhasedOperator):
        return False
    if kind is not type(task):
        given = {**task.partial_kwargs, **_expanded(task)}
        return kind.starts_export and "export" not in given
    return bool(task.starts_export)


def form(dag: DAG, start: datetime, end: datetime) -> dict[str, str]:
    """Return the params that the windows of a DAG read of the trigger form, filled in."""
    params: dict[str, str] = {}
    for task in starting_tasks(dag):
        given = getattr(task, "window", None) or getattr(task, "partial_kwargs", {}).get("window")
        if given is not None and window_kind(given) is ParamsWindow:
            window = ParamsWindow.parse(given)
            params |= {window.start: iso_utc(start), window.end: iso_utc(end)}
    return params


def planned_starts(dag: DAG, runs: Iterable[PlannedRun], timezone: str) -> Iterator[Start]:
    """Yield what each starting task would start in each run; `timezone` is that of the key's owner."""
    runs = list(runs)
    for task in starting_tasks(dag):
        group = task.get_closest_mapped_task_group()
        if group is not None:
            yield NotPlanned(task.task_id, None, f"the task group {group.group_id!r} is mapped when it runs", False)
            continue
        try:
            operators = list(_operators(task))
        except LabelboxExportError as error:
            yield NotPlanned(task.task_id, None, str(error), True)
            continue
        if not operators:
            yield NotPlanned(task.task_id, None, "it is mapped over a list that is known only when it runs", False)
        for run, operator in itertools.product(runs, operators):
            yield _start(dag, copy.copy(operator), run, timezone)


def _operators(task: Any) -> Iterator[Any]:
    """Yield a task, or the tasks that a mapped one becomes; none where another task makes the list."""
    if isinstance(task, PhasedOperator):
        yield task
        return
    expanded = _expanded(task)
    if all(isinstance(values, (list, tuple)) for values in expanded.values()):
        for values in itertools.product(*expanded.values()):
            yield task.unmap(dict(zip(expanded, values, strict=True)))


def _expanded(task: Any) -> Mapping[str, Any]:
    """Return the options that a mapped task is expanded over; `expand_kwargs` is known only when it runs."""
    value = task.expand_input.value
    return value if isinstance(value, Mapping) else {"expand_kwargs": value}


def _start(dag: DAG, task: Any, run: PlannedRun, timezone: str) -> Start:
    try:
        context = context_of(run, dag, task)
        task.render_template_fields(context)
        source, window = task.asked()
        resolved_window = None if window is None else resolved(window, context)
        name = marked_name(UNKNOWN_DIGEST, task.task_name or f"{dag.dag_id} {task.task_id}", run_date(context))
        sent = source.render_input(task_name=name, owner_timezone=timezone, window=resolved_window)
    except LabelboxExportError as error:
        return NotPlanned(task.task_id, run, str(error), True)
    except Exception as error:  # noqa: BLE001  whatever a template of a user raises outside of a running task
        return NotPlanned(task.task_id, run, f"known only when it runs ({type(error).__name__}: {error})", False)
    request = {"query": START_BY_MUTATION[source.mutation].text, "variables": {"input": sent}}
    conn_id = task.labelbox_conn_id or "labelbox_default"
    return PlannedExport(task.task_id, run, source, resolved_window, conn_id, request)
