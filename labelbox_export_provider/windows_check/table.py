"""The report as text: a table of sources, then each gap with the way to fill it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.windows_check.check import SourceReport, WindowsReport
from labelbox_export_provider.windows_check.fill import MAX_FILLS, Fill
from labelbox_export_provider.windows_check.tiling import WindowState

_SHOWN: tuple[WindowState, ...] = ("landed", "empty", "rejected", "missing", "overlapping")


def table(report: WindowsReport, fills: Sequence[Fill], *, most: int = MAX_FILLS) -> str:
    """Return the text, which ends with a newline; at most this many gaps are listed, the newest first."""
    return "\n".join([*_sources(report), *_notes(report), *_gaps(fills, most)]) + "\n"


def _sources(report: WindowsReport) -> Iterator[str]:
    head = ["source", "state", *_SHOWN, "reruns", "rows", "landed until", "age"]
    rows = [head, *(_row(each, report.checked_at) for each in report.sources)]
    if all(each.rows is None for each in report.sources):
        rows = [[*row[:-3], *row[-2:]] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = range(2, len(widths) - 2)
    for row in rows:
        cells = (
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def _row(each: SourceReport, now: datetime) -> list[str]:
    counts = [str(each.count(state)) for state in _SHOWN]
    until = each.landed_until
    moment, age = ("never", "") if until is None else (iso_utc(until), _age(now - until))
    if until is None and each.without_window:
        moment = f"{each.without_window} without a window"
    state = each.state if each.expected else f"{each.state}, not asked for"
    return [
        str(each.source),
        state,
        *counts,
        str(each.reruns),
        "" if each.rows is None else str(each.rows),
        moment,
        age,
    ]


def _age(age: timedelta) -> str:
    hours = max(0, age // timedelta(hours=1))
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"


def _notes(report: WindowsReport) -> Iterator[str]:
    if not report.sources:
        yield "There is no manifest and no error rows below this prefix."
    for each in report.sources:
        if each.expected and each.never_landed and not each.runs:
            yield f"{each.source}: nothing of it has ever landed here."
        if each.expected and each.state == "retired":
            yield (
                f"{each.source} ended long before the others and counts as retired. Name the sources that are exported "
                "today, and every one of them is expected."
            )
    if report.unread:
        yield (
            f"{report.unread} manifests belong to explicit keys, whose names do not hold the window: they are counted "
            "only when manifests are read."
        )
    if report.ignored:
        yield f"{report.ignored} names are not of this package and were ignored."


def _gaps(fills: Sequence[Fill], most: int) -> Iterator[str]:
    if not fills:
        return
    yield ""
    yield "Gaps, the newest first, each with the way to fill it:"
    for fill in fills[:most]:
        windows = "1 window" if fill.windows == 1 else f"{fill.windows} windows"
        yield f"- {fill.state}: [{iso_utc(fill.start)}, {iso_utc(fill.end)}), {windows} of {_named(fill)}"
        yield f"  {fill.text}"
        if fill.otherwise:
            yield f"  or, where its runs are refused for their interval: {fill.otherwise}"
    if len(fills) > most:
        yield f"and {len(fills) - most} older ones."


def _named(fill: Fill) -> str:
    names = [str(each) for each in fill.sources]
    return ", ".join(names) if len(names) <= 5 else f"{', '.join(names[:4])} and {len(names) - 4} more sources"
