"""How to fill each gap, as data for programs and as a text for people.

A gap of every source of a DAG is one of its runs: `airflow backfill create` runs its dates again, whether their runs
are missing, failed or were marked success (`--reprocess-behavior completed`; by default a date that has a run is left
alone). A run keeps its interval when it runs again, though, also one of zero width from before the timetable was
changed. So where runs are known to be there, and for a gap of some sources or of an unknown DAG, the way is the example
DAG `labelbox_fill_gaps`, whose params are the sources and the ends of the gap.
"""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.windows_check.check import Gap, WindowsReport
from labelbox_export_provider.windows_check.names import SourceKey
from labelbox_export_provider.windows_check.tiling import WindowState

FILL_DAG = "labelbox_fill_gaps"
MAX_FILLS = 100
_REJECTED = (
    f"read its error rows and raise max_error_rows ({FILL_DAG} has a param for it), or fix what they name, first"
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The DAG that lands these sources. `dates_are_ends` is for timetables whose dates are ends of windows.

    That is `CronTriggerTimetable(interval=...)`: a backfill selects its runs by the time at which they fire. `has_run`
    returns whether the DAG has a run of any of these logical dates, which are the starts of windows; None where nobody
    can be asked.
    """

    dag_id: str
    dates_are_ends: bool = False
    has_run: Callable[[Sequence[datetime]], bool] | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """The way to fill one gap of one or more sources. `params` are None for a backfill, else those of the DAG."""

    start: datetime
    end: datetime
    state: WindowState
    windows: int
    sources: tuple[SourceKey, ...]
    kind: Literal["backfill", "fill_gaps"]
    command: str
    params: dict[str, object] | None
    note: str | None = None

    @property
    def text(self) -> str:
        """The command, after what is to be done first."""
        return f"{self.note}: {self.command}" if self.note else self.command


def fills(report: WindowsReport, schedule: Schedule | None = None) -> tuple[Fill, ...]:
    """Return one fill for each range of missing or rejected windows that sources have in common, the newest first."""
    shared: dict[tuple[datetime, datetime, WindowState, int], list[SourceKey]] = defaultdict(list)
    for gap in report.gaps:
        shared[gap.start, gap.end, gap.state, gap.windows].append(gap.source)
    everyone = [each for each in report.sources if each.expected and each.state != "retired"]
    found: list[Fill] = []
    for (start, end, state, windows), sources in sorted(shared.items(), reverse=True):
        gap = Gap(sources[0], start, end, state, windows)
        there = [each.source for each in everyone if each.runs and each.runs[0].start <= start]
        whole_run = schedule is not None and set(there) <= set(sources) and not _has_run(report, gap, schedule)
        found.append(_backfill(gap, sources, schedule) if schedule and whole_run else _fill_gaps(gap, sources))
    return tuple(found)


def _has_run(report: WindowsReport, gap: Gap, schedule: Schedule) -> bool:
    if schedule.has_run is None:
        return False
    runs = next(each.runs for each in report.sources if each.source == gap.source)
    inside = (run for run in runs if run.state == gap.state and gap.start <= run.start < gap.end)
    return schedule.has_run([run.start + number * run.step for run in inside for number in range(run.count)])


def _backfill(gap: Gap, sources: Sequence[SourceKey], schedule: Schedule) -> Fill:
    # Both ends are inclusive, so the border that belongs to the neighbour is left out by a second.
    second = timedelta(seconds=1)
    first, last = (gap.start + second, gap.end) if schedule.dates_are_ends else (gap.start, gap.end - second)
    arguments = ["--dag-id", schedule.dag_id, "--from-date", iso_utc(first), "--to-date", iso_utc(last)]
    command = shlex.join(["airflow", "backfill", "create", *arguments, "--reprocess-behavior", "completed"])
    return _fill(gap, sources, "backfill", command, None)


def _fill_gaps(gap: Gap, sources: Sequence[SourceKey]) -> Fill:
    params: dict[str, object] = {
        "sources": [str(each) for each in sources],
        "start": iso_utc(gap.start),
        "end": iso_utc(gap.end),
    }
    command = shlex.join(["airflow", "dags", "trigger", FILL_DAG, "--conf", json.dumps(params)])
    return _fill(gap, sources, "fill_gaps", command, params)


def _fill(
    gap: Gap,
    sources: Sequence[SourceKey],
    kind: Literal["backfill", "fill_gaps"],
    command: str,
    params: dict[str, object] | None,
) -> Fill:
    note = f"{_REJECTED} (below {_error_rows(gap, sources)})" if gap.state == "rejected" else None
    return Fill(gap.start, gap.end, gap.state, gap.windows, tuple(sources), kind, command, params, note)


def _error_rows(gap: Gap, sources: Sequence[SourceKey]) -> str:
    if len(sources) > 1:
        return "errors/"
    return f"errors/source={gap.source.kind}/id={gap.source.id}/dt={gap.start:%Y-%m-%d}/"
