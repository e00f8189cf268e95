"""A year of a DAG with mapped sources: its schedules, its sources, its accidents, and the names that are left.

Everything but the accidents is as Airflow and this package do it: after a change of the schedule the next interval
begins at the last border of the new one that is not after the end of the last one, and names are the product's own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo

from support.window_names import name_of, source

from labelbox_export_provider.sinks.base import ListedObject
from labelbox_export_provider.windows_check.names import SourceKey

Accident = Literal["deleted run", "four refused nights", "failed night marked success", "rejected", "failed source"]
ACCIDENTS: tuple[Accident, ...] = (
    "deleted run",
    "four refused nights",
    "failed night marked success",
    "rejected",
    "failed source",
)
NEW_YEAR = datetime(2025, 1, 1, tzinfo=timezone.utc)
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
MAX_DELAY = 4 * _HOUR
"""How long after its end a window lands at most: less than the grace of a check, also where a day has 25 hours."""


@dataclass(frozen=True)
class Schedule:
    """Where windows begin and end: every `step` from an hour on, days by the clock of a zone, or business days only."""

    step: timedelta
    hour: int = 0
    zone: str = "UTC"
    business_days: bool = False

    def next_border(self, moment: datetime) -> datetime:
        """Return the first border after a moment."""
        if self.step < _DAY:
            since = moment - NEW_YEAR
            return NEW_YEAR + (since // self.step + 1) * self.step
        local = moment.astimezone(ZoneInfo(self.zone))
        border = local.replace(hour=self.hour, minute=0, second=0, microsecond=0) - 8 * _DAY
        while border.astimezone(timezone.utc) <= moment or not self._runs_on(border):
            border += _DAY
        return border.astimezone(timezone.utc)

    def last_border(self, moment: datetime) -> datetime:
        """Return the last border that is not after a moment."""
        border = self.next_border(moment - 15 * _DAY)
        while (following := self.next_border(border)) <= moment:
            border = following
        return border

    def _runs_on(self, border: datetime) -> bool:
        if self.step == 7 * _DAY:
            return border.weekday() == 0
        return not self.business_days or border.weekday() < 5


@dataclass(frozen=True)
class Window:
    """One run: its window, its schedule, and when it landed."""

    start: datetime
    end: datetime
    schedule: Schedule
    landed_at: datetime


@dataclass(frozen=True)
class Broken:
    """What an accident took: from which run on, how many runs, and of which sources."""

    number: int
    length: int
    keys: tuple[SourceKey, ...]


@dataclass
class Year:
    """What a seed decides. `mapped` has the first and the last run of each source, both inclusive."""

    seed: int
    runs: list[Window]
    changes: list[int]
    mapped: dict[SourceKey, tuple[int, int]]
    lost: dict[tuple[SourceKey, int], Literal["missing", "rejected"]] = field(default_factory=dict)

    def names(self, now: datetime) -> list[ListedObject]:
        """Return what a listing has at a moment."""
        chance = random.Random(self.seed + 7)
        found = []
        for number, run in enumerate(self.runs):
            for key, (first, last) in self.mapped.items():
                state = chance.choice(["ok", "ok", "ok", "empty", "errors"])
                exports = chance.choice(["clx1", "clx1", "clx1", "clx1 clx2"]).split()
                if not first <= number <= last or run.landed_at > now:
                    continue
                lost = self.lost.get((key, number))
                if lost == "missing":
                    continue
                found += [_named(key, run, "rejected" if lost else state, export_id) for export_id in exports]
        return found

    def mapped_at(self, now: datetime) -> list[SourceKey]:
        """Return the sources of the run that was the newest one to be over at a moment."""
        newest = max((number for number, run in enumerate(self.runs) if run.landed_at <= now), default=0)
        return [key for key, (first, last) in self.mapped.items() if first <= newest <= last]

    def schedule_at(self, now: datetime) -> Schedule:
        """Return the schedule of a moment: a changed one counts from the end of the last window of the old one."""
        return next((run.schedule for run in self.runs if run.end > now), self.runs[-1].schedule)

    def unsettled(self, now: datetime) -> bool:
        """Whether windows became longer not long ago: names alone do not show that before two of them are there."""
        for change in self.changes:
            two = self.runs[min(change + 3, len(self.runs) - 1)].landed_at
            before = self.runs[change - 1]
            if before.end <= now <= two + _DAY and self.runs[change + 1].schedule.step > before.schedule.step:
                return True
        return False

    @property
    def has_business_days(self) -> bool:
        """Whether some schedule leaves weekends out: the window of a weekend is known when two of them are there."""
        return any(run.schedule.business_days for run in self.runs)


_NAMED: dict[tuple[datetime, datetime, str, str], ListedObject] = {}


def _named(key: SourceKey, run: Window, state: str, export_id: str) -> ListedObject:
    known = (run.start, run.end, state, export_id)
    if known not in _NAMED:
        _NAMED[known] = name_of(source("PLACE"), run.start, run.end, state, export_id=export_id)
    made = _NAMED[known]
    return ListedObject(made.key.replace("id=PLACE", f"id={key.id}"), made.size, None, run.landed_at)


def make_year(seed: int) -> Year:
    """Make a year without accidents."""
    _NAMED.clear()
    chance = random.Random(seed)
    schedules = [_schedule(chance) for _ in range(chance.choice([1, 1, 2, 3]))]
    # Many small windows would only make the test slow: they have a part of the year.
    days = [8 if each.step == _HOUR else 40 if each.step < _DAY else 365 // len(schedules) for each in schedules]
    runs: list[Window] = []
    changes = []
    moment = NEW_YEAR + 8 * _DAY
    for schedule, length in zip(schedules, days, strict=True):
        if runs:
            changes.append(len(runs))
        start = schedule.last_border(runs[-1].end if runs else moment)
        limit = start + length * _DAY
        while start < limit:
            end = schedule.next_border(start)
            runs.append(Window(start, end, schedule, end + MAX_DELAY * chance.random()))
            start = end
    # After a change a source has windows of one schedule only when the change is some runs away.
    mapped = {source(f"clp{number}"): (0, len(runs) - 1) for number in range(chance.choice([1, 2, 3]))}
    if chance.random() < 0.6:
        mapped[source("clpnew")] = (_far_from(chance, changes, len(runs)), len(runs) - 1)
    if chance.random() < 0.6:
        mapped[source("clpold")] = (0, _far_from(chance, changes, len(runs)))
    return Year(seed, runs, changes, mapped)


def break_year(year: Year, accident: Accident) -> Broken | None:
    """Plant one accident, and no other, in a run with runs of its own schedule around it; None without such a run."""
    year.lost.clear()
    chance = random.Random(year.seed * 31 + ACCIDENTS.index(accident))
    length = 4 if accident == "four refused nights" else 1
    places = [
        number
        for number in range(12, len(year.runs) - length - 12)
        if not any(number - 12 <= change <= number + length + 12 for change in year.changes)
        and not _covered(year, number, length)
        and all(not number - 2 <= first <= number + length + 2 for first, _ in year.mapped.values())
        and all(not number - 2 <= last <= number + length + 2 for _, last in year.mapped.values())
    ]
    if not places:
        return None
    number = chance.choice(places)
    there = [key for key, (first, last) in year.mapped.items() if first <= number <= last]
    keys = tuple(there) if accident not in ("rejected", "failed source") else (chance.choice(there),)
    for key in keys:
        for run in range(number, number + length):
            year.lost[key, run] = "rejected" if accident == "rejected" else "missing"
    return Broken(number, length, keys)


def _covered(year: Year, number: int, length: int) -> bool:
    """Return whether another window covers these: the first one of a longer schedule may reach far back."""
    end = year.runs[number + length - 1].end
    return any(year.runs[change].start < end for change in year.changes if change > number)


def _far_from(chance: random.Random, changes: Iterable[int], runs: int) -> int:
    places = [number for number in range(5, runs - 5) if all(abs(number - change) > 5 for change in changes)]
    return chance.choice(places)


def _schedule(chance: random.Random) -> Schedule:
    hour = chance.randrange(24)
    zone = chance.choice(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
    # The hours in which clocks change have two readings, or none.
    hour = hour if hour not in (1, 2, 3) else 5
    kinds: list[Callable[[], Schedule]] = [
        lambda: Schedule(_DAY, hour, zone),
        lambda: Schedule(_DAY, hour, zone),
        lambda: Schedule(6 * _HOUR),
        lambda: Schedule(_HOUR),
        lambda: Schedule(7 * _DAY, hour, zone),
        lambda: Schedule(_DAY, hour, zone, business_days=True),
    ]
    return chance.choice(kinds)()
