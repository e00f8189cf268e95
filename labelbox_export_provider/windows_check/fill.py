"""How to fill each gap, as data for programs and as a text for people.

A gap of every source of a DAG is one of its runs: `airflow backfill create` runs its dates again, whether their runs
are missing, failed or were marked success (`--reprocess-behavior completed`; by default a date that has a run is left
alone). A run keeps its interval when it runs again, though, also one of zero width from before the timetable was
changed. So where such runs are known to be there, among windows of a former schedule, and for a gap of some sources or
of an unknown DAG, the way is the example DAG `labelbox_fill_gaps`, whose params are the sources and ends of the gap.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.windows_check.check import Gap, WindowsReport
from labelbox_export_provider.windows_check.names import SourceKey
from labelbox_export_provider.windows_check.tiling import Run, WindowState

FILL_DAG = "labelbox_fill_gaps"
MAX_FILLS = 100
CLOCK_CHANGE = timedelta(hours=1)
_RECENT = 10
_CYCLES = (timedelta(days=7), timedelta(days=1))
_REJECTED = (
    f"read its error rows and raise max_error_rows ({FILL_DAG} has a param for it), or fix what they name, first"
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The DAG that lands these sources. `dates_are_ends` is for timetables whose dates are ends of windows.

    That is `CronTriggerTimetable(interval=...)`: a backfill selects its runs by the time at which they fire. `has_run`
    returns whether the DAG has a run of any of these logical dates, which are the starts of windows, that may not land
    its window when it runs again; None where nobody can be asked.
    """

    dag_id: str
    dates_are_ends: bool = False
    has_run: Callable[[Sequence[datetime]], bool] | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """The way to fill one gap of one or more sources. `params` are None for a backfill, else those of the DAG.

    `otherwise` is the command for the case that a backfill is refused, where nobody could be asked for the DAG's runs.
    """

    start: datetime
    end: datetime
    state: WindowState
    windows: int
    sources: tuple[SourceKey, ...]
    kind: Literal["backfill", "fill_gaps"]
    command: str
    params: dict[str, object] | None
    note: str | None = None
    otherwise: str | None = None

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
        way = _fill_gaps(gap, sources)
        if schedule is not None and set(there) <= set(sources):
            runs = next(each.runs for each in report.sources if each.source == gap.source)
            if not _is_of_former_schedule(runs, gap) and not _has_run(runs, gap, schedule):
                way = _backfill(gap, sources, schedule, otherwise=way.command if schedule.has_run is None else None)
        found.append(way)
    return tuple(found)


def _is_of_former_schedule(runs: Sequence[Run], gap: Gap) -> bool:
    """Return whether the windows beside a gap have another length or time of the day than the newest ones."""
    landed = [run for run in runs if run.state not in ("missing", "rejected")]
    beside = [run for run in landed if gap.start == run.end or gap.end == run.start]
    if not beside or gap.start >= landed[-1].end:
        return False
    recent = _recent(landed)
    usual = Counter(recent).most_common(1)[0][0]
    slack = CLOCK_CHANGE if usual > timedelta(hours=12) else timedelta(0)
    cycle = next((each for each in _CYCLES if usual >= each and not usual % each), min(usual, timedelta(days=1)))
    shift = (gap.start - landed[-1].end) % cycle
    is_of_today = any(abs(run.step - step) <= slack for run in beside for step in recent)
    return min(shift, cycle - shift) > slack or not is_of_today


def _recent(landed: Sequence[Run]) -> list[timedelta]:
    found: list[timedelta] = []
    for run in reversed(landed):
        found += [run.step] * min(run.count, _RECENT - len(found))
    return found


def _has_run(runs: Sequence[Run], gap: Gap, schedule: Schedule) -> bool:
    if schedule.has_run is None:
        return False
    inside = (run for run in runs if run.state == gap.state and gap.start <= run.start < gap.end)
    return schedule.has_run([run.start + number * run.step for run in inside for number in range(run.count)])


def _backfill(gap: Gap, sources: Sequence[SourceKey], schedule: Schedule, *, otherwise: str | None) -> Fill:
    # Both ends are inclusive, so the border that belongs to the neighbour is left out by a second.
    second = timedelta(seconds=1)
    first, last = (gap.start + second, gap.end) if schedule.dates_are_ends else (gap.start, gap.end - second)
    arguments = ["--dag-id", schedule.dag_id, "--from-date", iso_utc(first), "--to-date", iso_utc(last)]
    command = shlex.join(["airflow", "backfill", "create", *arguments, "--reprocess-behavior", "completed"])
    return replace(_fill(gap, sources, "backfill", command, None), otherwise=otherwise)


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
