"""An estimate as text: a line for each source of each task, the totals, and the first request."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def as_text(estimates: Iterable[dict[str, Any]]) -> str:
    """Return the estimates for people."""
    return "\n\n".join("\n".join(_lines(each)) for each in estimates) + "\n"


def _lines(estimate: dict[str, Any]) -> list[str]:
    dag_id, first, last = estimate["dag_id"], estimate["first_run"], estimate["last_run"]
    dated = "triggered" if first is None else f"logical date {first}" if first == last else f"{first} to {last}"
    lines = [f"DAG {dag_id}: {_count(estimate['runs'], 'run')} ({dated}) would start {_exports(estimate)}"]
    for (task_id, source), starts in _by_source(estimate["starts"]).items():
        lines.append(f"  {task_id}: {source}, {_count(len(starts), 'export')}, {_windows(starts)}")
    for task_id in dict.fromkeys(each["task_id"] for each in estimate["not_known"]):
        first_of, *others = [each for each in estimate["not_known"] if each["task_id"] == task_id]
        more = f" ({len(others)} more of this task: --json lists them)" if others else ""
        lines.append(f"  {task_id}: {first_of['reason']}{more}")
    if estimate["hours"] is not None:
        lines.append(
            f"  {estimate['hours']:g} hours of exports at {estimate['minutes_per_export']:g} minutes each and "
            f"{estimate['limit']} at once; landing, and waiting for windows to settle, come on top"
        )
    if first is not None:
        lines.append(f"  airflow backfill create --dag-id {dag_id} --from-date {first} --to-date {last}")
    request = estimate["first_request"]
    if request is not None:
        conn_id = estimate["starts"][0]["labelbox_conn_id"]
        lines.append(
            f"  The first request, to the endpoint of connection {conn_id!r}; ? is made from the key's account:"
        )
        lines += [f"    {line}" for line in json.dumps(request, indent=2).splitlines()]
    return lines


def _exports(estimate: dict[str, Any]) -> str:
    known = _count(estimate["exports"], "export")
    return f"{known}, and some that are not known" if estimate["not_known"] else known


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _by_source(starts: Iterable[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for start in starts:
        source = f"{start['source']['kind']} {start['source']['id']}"
        grouped.setdefault((start["task_id"], source), []).append(start)
    return grouped


def _windows(starts: list[dict[str, Any]]) -> str:
    """Describe windows in their order; those that follow each other without a gap as one range."""
    windows = [start["window"] for start in starts if start["window"] is not None]
    if not windows:
        return "no window"
    ranges: list[list[str]] = []
    for start, end in sorted((window["start"], window["end"]) for window in windows):
        if ranges and start == ranges[-1][1]:
            ranges[-1][1] = end
        else:
            ranges.append([start, end])
    shown = [f"[{start}, {end})" for start, end in (ranges if len(ranges) <= 3 else [ranges[0], ranges[-1]])]
    joined = " ... ".join(shown) if len(ranges) > 3 else " and ".join(shown)
    apart = "" if len(ranges) == 1 else f" in {len(ranges)} ranges that do not follow each other:"
    return f"{_count(len(windows), 'window')} of {windows[0]['field']}{apart} {joined}"
