"""Every gap is found, and nothing is reported where all is landed: years of nights, each decided by a seed.

`LABELBOX_SEEDS=2000` runs more of them, `LABELBOX_SEED=17` one of them again.
"""

from __future__ import annotations

import os
import random
from datetime import datetime, timedelta

import pytest
from support.checked_year import ACCIDENTS, Accident, Broken, Year, break_year, make_year
from support.window_names import DAY, PREFIX

from labelbox_export_provider.windows_check.check import RECENT, Expected, WindowsReport, check_windows
from labelbox_export_provider.windows_check.fill import Schedule, fills
from labelbox_export_provider.windows_check.names import Names, read_names

pytestmark = pytest.mark.thorough

SEEDS = int(os.environ.get("LABELBOX_SEEDS", "200"))
ONE = os.environ.get("LABELBOX_SEED")
YEARS = [int(ONE)] if ONE else range(SEEDS)


def moments(year: Year) -> list[datetime]:
    """Return the end of the year, when its last window has landed, and some moments within it."""
    chance = random.Random(year.seed + 3)
    first, last = year.runs[14].landed_at, year.runs[-1].end + timedelta(hours=5)
    return [last, *(first + (last - first) * chance.random() for _ in range(4))]


def check(year: Year, names: Names, now: datetime, *, told: bool, asked: bool = True) -> WindowsReport:
    """Check what is there at a moment; `told` is whether the schedule is known, `asked` whether the sources are."""
    expected = Expected(
        sources=year.mapped_at(now) if asked else None,
        next_border=year.schedule_at(now).next_border if told else None,
    )
    return check_windows(names, now, expected)


@pytest.mark.parametrize("seed", YEARS)
def test_nothing_is_reported_where_all_is_landed(seed: int) -> None:
    """At any moment of the year, with the schedule known or taken from the windows, with the sources named or not."""
    year = make_year(seed)
    for now in moments(year):
        names = read_names(year.names(now), PREFIX)
        report = check(year, names, now, told=True)
        assert report.all_landed, (f"LABELBOX_SEED={seed} repeats it", now, report.gaps[:3])
        if year.unsettled(now) or year.has_business_days:
            continue
        report = check(year, names, now, told=False)
        assert report.all_landed, (f"LABELBOX_SEED={seed} repeats it", now, report.gaps[:3])
        # Without the names of the sources, one that ended within a month may have failed since.
        ended = {
            key for key, (_, last) in year.mapped.items() if now - year.runs[last].end < RECENT + timedelta(days=15)
        }
        unnamed = check(year, names, now, told=False, asked=False)
        assert {gap.source for gap in unnamed.gaps} <= ended - set(year.mapped_at(now))


@pytest.mark.parametrize("seed", YEARS)
def test_every_accident_is_found(seed: int) -> None:
    """No gap goes unnoticed.

    Its time, its sources and its state are exact, right after its grace and at the end of the year.
    """
    year = make_year(seed)
    for accident in ACCIDENTS:
        broken = break_year(year, accident)
        if broken is None:
            assert len(year.runs) < 60
            continue
        end = year.runs[broken.number + broken.length - 1].end
        for now in (end + timedelta(hours=7, minutes=1), moments(year)[0]):
            names = read_names(year.names(now), PREFIX)
            for told in (True, False):
                if told or not (year.has_business_days or year.unsettled(now)):
                    _check_found(year, accident, broken, check(year, names, now, told=told), told=told)


def _check_found(year: Year, accident: Accident, broken: Broken, report: WindowsReport, *, told: bool) -> None:
    now = report.checked_at
    repeats = f"LABELBOX_SEED={year.seed} repeats it, {accident}, {now}, {told}"
    state = "rejected" if accident == "rejected" else "missing"
    first, last = year.runs[broken.number], year.runs[broken.number + broken.length - 1]
    mapped = set(year.mapped_at(now))
    failing = set(broken.keys) & mapped
    assert {gap.source for gap in report.gaps} == failing, repeats
    # What a source that is retired by now once missed is shown, and fails nobody.
    gaps = [gap for each in report.sources for gap in each.gaps if each.source in set(broken.keys)]
    assert {(gap.start, gap.state) for gap in gaps} == {(first.start, state)}, repeats
    # On the days when clocks change, the end of the newest window is known from a schedule alone.
    off = max(abs(gap.end - last.end) for gap in gaps)
    assert off <= timedelta(hours=0 if told or now > last.end + DAY else 1), repeats
    if told and year.schedule_at(now) == first.schedule:
        assert {gap.windows for gap in gaps} == {broken.length}, repeats
    whole = {key for key in mapped if year.mapped[key][0] <= broken.number} <= failing
    today = year.schedule_at(now)
    ways = [(fill.kind, set(fill.sources)) for fill in fills(report, Schedule("labels"))]
    if whole and failing and today.step == first.schedule.step and today != first.schedule:
        # Names alone do not show a zone, or which days are business days.
        assert [sources for _, sources in ways] == [failing], repeats
    else:
        kind = "backfill" if whole and today == first.schedule else "fill_gaps"
        assert ways == ([(kind, failing)] if failing else []), repeats
