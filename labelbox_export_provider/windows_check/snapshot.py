"""The report as a record of a bounded size, for XCom and for the page in Airflow's UI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.windows_check.check import SourceReport, WindowsReport
from labelbox_export_provider.windows_check.fill import Fill
from labelbox_export_provider.windows_check.tiling import Run

XCOM_KEY = "labelbox_windows"
VERSION = 1
MAX_BYTES = 1024**2
"""Size of the JSON text that a snapshot is kept below."""
_ALL_WINDOWS = tuple((None, fills) for fills in (None, 100, 20, 5, 0))
_NEWEST_WINDOWS = tuple((timedelta(days=days), 20) for days in (730, 540, 365, 270, 180, 90, 30, 7))
"""How much is kept, from much to little: windows of this time, and this many fills."""


def whole_snapshot(
    report: WindowsReport, fills: Sequence[Fill], prefix: str, *, landing_dag_id: str | None = None
) -> dict[str, object]:
    """Return the snapshot (docs/formats.md), whatever its size."""
    return {
        "version": VERSION,
        "checked_at": iso_utc(report.checked_at),
        "prefix": prefix,
        "landing_dag_id": landing_dag_id,
        "all_landed": report.all_landed,
        **_windows(report, fills, fills),
        "ignored": report.ignored,
        "unread": report.unread,
    }


def snapshot(
    report: WindowsReport, fills: Sequence[Fill], prefix: str, *, landing_dag_id: str | None = None
) -> dict[str, object]:
    """Return the snapshot below `MAX_BYTES`: without rows first, then without the oldest fills, then windows.

    Some thousands of sources with no more than their names are too large, too; the result is above the limit then.
    """
    made = whole_snapshot(report, fills, prefix, landing_dag_id=landing_dag_id)
    for kept, most in (*_ALL_WINDOWS, *_NEWEST_WINDOWS):
        if json_size(made) < MAX_BYTES:
            break
        since = None if kept is None else report.checked_at - kept
        newest = [fill for fill in fills if since is None or fill.end > since]
        made |= _windows(report, newest[:most], fills, rows=False, since=since)
    return made


def json_size(made: dict[str, object]) -> int:
    """Return the size of a snapshot as JSON without spaces."""
    return len(json.dumps(made, separators=(",", ":")))


def _windows(
    report: WindowsReport,
    kept: Sequence[Fill],
    found: Sequence[Fill],
    *,
    rows: bool = True,
    since: datetime | None = None,
) -> dict[str, object]:
    return {
        "windows_since": None if since is None else iso_utc(since),
        "sources": [_source(each, rows=rows, since=since) for each in report.sources],
        "fills": [_fill(each) for each in kept],
        "fills_left_out": len(found) - len(kept),
    }


def _source(report: SourceReport, *, rows: bool, since: datetime | None) -> dict[str, object]:
    runs = [(each, _older(each, since)) for each in report.runs]
    return {
        "source": report.source.kind,
        "id": report.source.id,
        "state": report.state,
        "expected": report.expected,
        "newest_landed": None if report.landed_until is None else iso_utc(report.landed_until),
        "reruns": report.reruns,
        "without_window": report.without_window,
        "gaps_left_out": sum(older for run, older in runs if run.state in ("missing", "rejected")),
        "intervals": [_interval(run, older, rows=rows) for run, older in runs if older < run.count],
    }


def _older(run: Run, since: datetime | None) -> int:
    """Return how many windows of a run end by a moment."""
    return 0 if since is None else min(run.count, max(0, (since - run.start) // run.step))


def _interval(run: Run, older: int, *, rows: bool) -> list[object]:
    counts = None if run.rows is None or not rows else list(run.rows[older:])
    start = run.start + older * run.step
    return [_number(start.timestamp()), _number(run.step.total_seconds()), run.count - older, run.state, counts]


def _number(seconds: float) -> int | float:
    return int(seconds) if seconds == int(seconds) else seconds


def _fill(fill: Fill) -> dict[str, object]:
    return {
        "start": iso_utc(fill.start),
        "end": iso_utc(fill.end),
        "state": fill.state,
        "windows": fill.windows,
        "sources": [str(each) for each in fill.sources],
        "kind": fill.kind,
        "command": fill.command,
        "params": fill.params,
        "note": fill.note,
    }
