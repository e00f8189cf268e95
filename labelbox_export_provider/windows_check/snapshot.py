"""The report as a record of a bounded size, for XCom and for the page in Airflow's UI."""

from __future__ import annotations

import json
from collections.abc import Sequence

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.windows_check.check import SourceReport, WindowsReport
from labelbox_export_provider.windows_check.fill import Fill
from labelbox_export_provider.windows_check.tiling import Run

XCOM_KEY = "labelbox_windows"
VERSION = 1
MAX_BYTES = 1024**2
"""Size of the JSON text that a snapshot is kept below."""


def snapshot(report: WindowsReport, fills: Sequence[Fill], prefix: str) -> dict[str, object]:
    """Return the snapshot (docs/formats.md); above `MAX_BYTES` it leaves out rows first, then the oldest fills."""
    for rows, most in ((True, None), *((False, most) for most in (None, 100, 20, 5, 0))):
        made = _snapshot(report, fills[:most], len(fills), prefix, rows=rows)
        if len(json.dumps(made, separators=(",", ":"))) < MAX_BYTES:
            break
    return made


def _snapshot(
    report: WindowsReport, fills: Sequence[Fill], found: int, prefix: str, *, rows: bool
) -> dict[str, object]:
    return {
        "version": VERSION,
        "checked_at": iso_utc(report.checked_at),
        "prefix": prefix,
        "all_landed": report.all_landed,
        "sources": [_source(each, rows=rows) for each in report.sources],
        "fills": [_fill(each) for each in fills],
        "fills_left_out": found - len(fills),
        "ignored": report.ignored,
        "unread": report.unread,
    }


def _source(report: SourceReport, *, rows: bool) -> dict[str, object]:
    return {
        "source": report.source.kind,
        "id": report.source.id,
        "state": report.state,
        "expected": report.expected,
        "newest_landed": None if report.landed_until is None else iso_utc(report.landed_until),
        "reruns": report.reruns,
        "without_window": report.without_window,
        "intervals": [_interval(each, rows=rows) for each in report.runs],
    }


def _interval(run: Run, *, rows: bool) -> list[object]:
    counts = None if run.rows is None or not rows else list(run.rows)
    return [_number(run.start.timestamp()), _number(run.step.total_seconds()), run.count, run.state, counts]


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
