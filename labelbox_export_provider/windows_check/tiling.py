"""How windows follow each other: runs of equal neighbours, the step of a source, and holes cut into windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from labelbox_export_provider.domain.options.dates import to_utc

WindowState = Literal["landed", "empty", "rejected", "missing", "overlapping", "running"]
NextBorder: TypeAlias = Callable[[datetime], datetime]
"""Returns the first border of a schedule after a moment."""

_DAY = timedelta(days=1)
_RECENT = 10
MAX_WINDOWS = 100_000
"""How many windows of a schedule are counted in one hole."""


@dataclass(frozen=True, slots=True)
class Run:
    """Windows of one length and state, each from the end of the one before. `rows` has a number for each of them."""

    start: datetime
    step: timedelta
    count: int
    state: WindowState
    rows: tuple[int | None, ...] | None = None

    @property
    def end(self) -> datetime:
        """The end of the last window."""
        return self.start + self.step * self.count


def joined(runs: Iterable[Run]) -> Iterator[Run]:
    """Yield the runs with neighbours of one length and state as one."""
    last: Run | None = None
    rows: list[int | None] = []
    count = 0
    for run in runs:
        if (
            last is not None
            and (last.step, last.state) == (run.step, run.state)
            and last.start + last.step * count == run.start
        ):
            count += run.count
        else:
            if last is not None:
                yield _closed(last, count, rows)
            last, count, rows = run, run.count, []
        rows.extend(run.rows or (None,) * run.count)
    if last is not None:
        yield _closed(last, count, rows)


def _closed(first: Run, count: int, rows: list[int | None]) -> Run:
    known = tuple(rows) if any(each is not None for each in rows) else None
    return Run(first.start, first.step, count, first.state, known)


def calendar_days(days: int, zone: str) -> NextBorder:
    """Return the borders of windows of whole days in a time zone, where days have 23 to 25 hours."""

    def next_border(moment: datetime) -> datetime:
        local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        return to_utc(local + days * _DAY, zone, "end")

    return next_border


def is_of(next_border: NextBorder, start: datetime, end: datetime) -> bool:
    """Return whether a window is one of a schedule."""
    return next_border(start - timedelta(seconds=1)) == start and next_border(start) == end


def due_step(lengths: Sequence[timedelta]) -> timedelta:
    """Return after what time the next window of a source is certainly over: the longest of its recent regular lengths.

    Regular is what occurs twice, so that months and business days have no false gap, and a week that was landed by hand
    in one window counts for nothing.
    """
    recent = lengths[-_RECENT:]
    regular = [length for length, times in Counter(recent).items() if times > 1]
    return max(regular) if regular else recent[-1]


def usual_step(lengths: Sequence[timedelta]) -> timedelta | None:
    """Return the most frequent of some lengths, None without any."""
    return Counter(lengths).most_common(1)[0][0] if lengths else None


def hole(start: datetime, end: datetime, before: Sequence[timedelta], after: Sequence[timedelta]) -> Iterator[Run]:
    """Cut the time between two windows into missing ones of the length of those before it, or after it.

    The ends of the hole are exact. The borders inside are those of the nearest whole number of steps, so on the days
    when clocks change they may be an hour off.
    """
    length = end - start
    steps = [step for step in (usual_step(before), usual_step(after)) if step is not None]
    step = min(steps, key=lambda each: _misfit(length, each)) if steps else length
    count = max(1, round(length / step))
    if count > 1:
        yield Run(start, step, count - 1, "missing")
    last = start + step * (count - 1)
    yield Run(last, end - last, 1, "missing")


def _misfit(length: timedelta, step: timedelta) -> float:
    return round(abs(length / step - max(1, round(length / step))), 3)


def scheduled(start: datetime, limit: datetime, next_border: NextBorder, *, closed: bool = False) -> Iterator[Run]:
    """Cut the time up to `limit` at the borders of a schedule; a window that is not over by then is left out.

    With `closed` the limit is a border itself.
    """
    moment = start.astimezone(timezone.utc)
    for _ in range(MAX_WINDOWS):
        if moment >= limit:
            return
        following = next_border(moment).astimezone(timezone.utc)
        if following <= moment:
            return
        if following > limit:
            if not closed:
                return
            following = limit
        yield Run(moment, following - moment, 1, "missing")
        moment = following


def regular(start: datetime, limit: datetime, step: timedelta) -> Iterator[Run]:
    """Return the windows of one length from a moment on that are over by `limit`, as one run."""
    count = max(0, (limit - start) // step)
    if count:
        yield Run(start, step, count, "missing")
