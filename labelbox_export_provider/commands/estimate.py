"""The subcommand `estimate`: what a DAG would start in a backfill, without a call to Labelbox or a database."""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.errors import ConfigurationError, LabelboxExportError

if TYPE_CHECKING:
    from labelbox_export_provider.commands.planned_exports import PlannedExport, Start

OK, NOT_ALL, FAILED = 0, 1, 2


def run(options: argparse.Namespace) -> int:
    """Print the estimate; return the exit code."""
    if options.start > options.end:
        return fail(f"--start {iso_utc(options.start)} is after --end {iso_utc(options.end)}.")
    logging.disable(logging.CRITICAL)  # Airflow logs a traceback for each template that only a running task can render
    try:
        with redirect_stdout(sys.stderr):  # what DAG files print
            estimates = estimate(options)
    except LabelboxExportError as error:
        return fail(str(error))
    finally:
        logging.disable(logging.NOTSET)
    if options.json:
        sys.stdout.write(json.dumps(estimates, indent=2) + "\n")
    else:
        from labelbox_export_provider.commands.estimate_text import as_text

        sys.stdout.write(as_text(estimates))
    return NOT_ALL if any(each["not_known"] for each in estimates) else OK


def run_and_exit(options: argparse.Namespace) -> None:
    """Run the command of Airflow, which takes its exit code from `sys.exit` only."""
    sys.exit(run(options))


def fail(why: str) -> int:
    """Print why nothing was estimated; return the exit code."""
    sys.stderr.write(f"{why}\n")
    return FAILED


def estimate(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the estimate of each DAG that starts exports; raises `ConfigurationError` where there is none."""
    from labelbox_export_provider.commands.dag_files import find_dags
    from labelbox_export_provider.commands.planned_exports import form, planned_starts, starting_tasks
    from labelbox_export_provider.commands.planned_runs import PlannedRun, backfill_runs

    found = [dag for dag in find_dags(options.dag) if starting_tasks(dag)]
    if not found:
        raise ConfigurationError(
            f"{options.dag}: no task of this DAG starts an export by an export operator or a transfer with source=. "
            "Starts in Python code (start_or_adopt) are known only when it runs."
        )
    estimates = []
    for dag in found:
        if options.triggered:
            runs = [PlannedRun("manual", conf={**form(dag, options.start, options.end), **options.conf})]
        else:
            runs = backfill_runs(dag, options.start, options.end, options.conf)
        if not runs:
            raise ConfigurationError(
                f"The schedule of DAG {dag.dag_id!r} has no run from {iso_utc(options.start)} to "
                f"{iso_utc(options.end)}. Widen the dates, or write --triggered for one run from the trigger form."
            )
        starts = list(planned_starts(dag, runs, options.timezone))
        estimates.append(_estimate(dag, runs, starts, options))
    return estimates


def _estimate(dag: Any, runs: list[Any], starts: list[Start], options: argparse.Namespace) -> dict[str, Any]:
    from labelbox_export_provider.commands.planned_exports import NotPlanned, PlannedExport

    exports = [each for each in starts if isinstance(each, PlannedExport)]
    dates = [run.logical_date or run.partition_date for run in runs]
    return {
        "dag_id": dag.dag_id,
        "runs": len(runs),
        "first_run": None if dates[0] is None else iso_utc(dates[0]),
        "last_run": None if dates[-1] is None else iso_utc(dates[-1]),
        "exports": len(exports),
        "starts": [_as_json(each) for each in exports],
        "not_known": [
            {"task_id": each.task_id, "run_id": each.run and each.run.run_id, "reason": each.reason}
            for each in starts
            if isinstance(each, NotPlanned)
        ],
        "minutes_per_export": options.minutes_per_export,
        "limit": options.limit,
        "hours": _hours(exports, options),
        "first_request": dict(exports[0].request) if exports else None,
    }


def _hours(exports: list[PlannedExport], options: argparse.Namespace) -> float | None:
    if options.minutes_per_export is None:
        return None
    return float(round(math.ceil(len(exports) / options.limit) * options.minutes_per_export / 60, 2))


def _as_json(export: PlannedExport) -> dict[str, Any]:
    window = export.window
    return {
        "task_id": export.task_id,
        "run_id": export.run.run_id,
        "source": {"kind": export.source.kind, "id": export.source.id},
        "window": window
        and {
            "field": window.field,
            "start": iso_utc(window.start),
            "end": iso_utc(window.end),
            "queried_start": window.queried_start and iso_utc(window.queried_start),
            "queried_end": iso_utc(window.queried_end),
        },
        "labelbox_conn_id": export.labelbox_conn_id,
    }
