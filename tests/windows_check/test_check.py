"""G13: landed, empty, rejected, missing and overlapping windows, new and retired sources, table by table."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

from support.window_names import DAY, FIRST, checked, local_nights, name_of, nights, of_source, short, source

from labelbox_export_provider.sinks.base import ListedObject
from labelbox_export_provider.windows_check.names import SourceKey
from labelbox_export_provider.windows_check.tiling import calendar_days

TEN = FIRST + 10 * DAY + timedelta(hours=8)
"""Nine hours after the tenth night is over: it is due, the eleventh is not."""
P1, P2, P3 = source("clp1"), source("clp2"), source("clp3")


def test_all_landed() -> None:
    report = checked(nights(P1, range(10)), TEN)
    assert report.all_landed
    [run] = of_source(report).runs
    assert (run.start, run.step, run.count, run.state) == (FIRST, DAY, 10, "landed")
    assert of_source(report).landed_until == FIRST + 10 * DAY


def test_states_are_in_the_names() -> None:
    listed = [*nights(P1, [0, 1]), *nights(P1, [2], "empty"), *nights(P1, [3], "errors"), *nights(P1, [4], "rejected")]
    report = checked([*listed, *nights(P1, range(5, 10))], TEN)
    counts = {state: of_source(report).count(state) for state in ("landed", "empty", "rejected", "missing")}
    assert counts == {"landed": 8, "empty": 1, "rejected": 1, "missing": 0}
    assert short(report.gaps) == [("clp1", 4, "rejected", 1)]


def test_a_missing_night_between_others() -> None:
    report = checked(nights(P1, [0, 1, 2, 5, 6, 7, 8, 9]), TEN)
    assert short(report.gaps) == [("clp1", 3, "missing", 2)]
    assert not report.all_landed


def test_the_newest_nights_are_missing_when_they_are_due() -> None:
    """The night that ended less than `grace` ago is not due."""
    landed = nights(P1, range(8))
    assert short(checked(landed, TEN).gaps) == [("clp1", 8, "missing", 2)]
    assert short(checked(landed, TEN, grace=timedelta(hours=9)).gaps) == [("clp1", 8, "missing", 1)]
    assert checked(landed, TEN, until=FIRST + 8 * DAY).all_landed


def test_a_night_that_is_over_but_not_due_between_others() -> None:
    """A late night, beside one that landed sooner, has its grace too."""
    listed = [*nights(P1, range(9)), name_of(P1, FIRST + 9 * DAY + timedelta(hours=5), FIRST + 10 * DAY)]
    soon = FIRST + 9 * DAY + timedelta(hours=8)
    assert checked(listed, soon).all_landed
    assert len(checked(listed, soon + timedelta(hours=6)).gaps) == 1


def test_a_rejected_night_that_landed_later() -> None:
    """In its own window or as part of a larger one, as a fill lands it."""
    again = name_of(P1, FIRST + 4 * DAY, FIRST + 5 * DAY, export_id="clx2")
    filled = name_of(P1, FIRST + 3 * DAY, FIRST + 6 * DAY)
    listed = [*nights(P1, [0, 1, 2, 3, 5, 6, 7, 8, 9]), *nights(P1, [4], "rejected")]
    assert checked([*listed, again], TEN).all_landed
    assert checked([*listed, filled], TEN).all_landed
    assert of_source(checked([*listed, again], TEN)).reruns == 0


def test_a_gap_that_was_filled_in_one_window() -> None:
    """The window of four nights is no overlap, and does not change how long the next one may take."""
    listed = [*nights(P1, range(4)), name_of(P1, FIRST + 4 * DAY, FIRST + 8 * DAY)]
    report = checked([*listed, *nights(P1, [8, 9])], TEN)
    assert report.all_landed
    assert of_source(report).count("overlapping") == 0
    assert short(checked(listed, TEN).gaps) == [("clp1", 8, "missing", 2)]


def test_windows_that_overlap_are_no_gap() -> None:
    """After `0 0` became `0 2`, Airflow's first window begins before the last one ended."""
    late = timedelta(hours=2)
    moved = [name_of(P1, FIRST + day * DAY + late, FIRST + (day + 1) * DAY + late) for day in range(4, 10)]
    report = checked([*nights(P1, range(5)), *moved], TEN)
    assert report.all_landed
    assert of_source(report).count("overlapping") == 1
    assert of_source(report).count("landed") == 10


def test_reruns_are_counted_and_rows_are_those_of_the_newest() -> None:
    listed = [*nights(P1, range(10)), *nights(P1, [3], "empty")]
    again = name_of(P1, FIRST + 3 * DAY, FIRST + 4 * DAY, export_id="clx2")
    newer = ListedObject(again.key, 1, None, FIRST + 9 * DAY)
    report = checked([*listed, newer], TEN)
    assert of_source(report).reruns == 2
    assert of_source(report).count("landed") == 10


def test_exports_without_a_window() -> None:
    report = checked([name_of(P1, FIRST, None), name_of(P1, FIRST + DAY, None)], TEN)
    assert report.all_landed
    assert of_source(report).without_window == 2
    assert of_source(report).runs == ()


def test_a_new_source_has_no_gap_before_its_first_window() -> None:
    report = checked([*nights(P1, range(10)), *nights(P2, range(6, 10))], TEN)
    assert report.all_landed
    assert (of_source(report, P1).state, of_source(report, P2).state) == ("current", "new")


def test_a_failed_source_is_a_gap_of_its_own() -> None:
    """One of two mapped sources failed in one night, and the other one in the last two."""
    report = checked([*nights(P1, [0, 1, 2, 4, 5, 6, 7, 8, 9]), *nights(P2, range(8))], TEN)
    assert short(report.gaps) == [("clp1", 3, "missing", 1), ("clp2", 8, "missing", 2)]


def test_a_source_that_is_not_asked_for_and_ended_is_retired() -> None:
    listed = [*nights(P1, range(10)), *nights(P2, range(5))]
    report = checked(listed, TEN, sources=[P1])
    assert report.all_landed
    assert of_source(report, P2).state == "retired"
    assert not of_source(report, P2).expected
    assert short(checked(listed, TEN, sources=[P1, P2]).gaps) == [("clp2", 5, "missing", 5)]


def test_a_source_of_somebody_else_is_left_out() -> None:
    report = checked([*nights(P1, range(10)), *nights(P2, [0, 1, 2, 5, 6, 7, 8, 9])], TEN, sources=[P1])
    assert [each.source for each in report.sources] == [P1]


def test_without_names_of_sources_only_one_that_ended_long_ago_is_retired() -> None:
    """A month behind the others. Before, it is a gap: it may have failed every night."""
    later = FIRST + 60 * DAY + timedelta(hours=8)
    at_29, at_31 = [*nights(P2, range(31))], [*nights(P2, range(29))]
    assert short(checked([*nights(P1, range(60)), *at_29], later).gaps) == [("clp2", 31, "missing", 29)]
    report = checked([*nights(P1, range(60)), *at_31], later)
    assert report.all_landed
    assert of_source(report, P2).state == "retired"


def test_a_gap_of_a_source_before_it_retired_stays_one() -> None:
    later = FIRST + 60 * DAY + timedelta(hours=8)
    report = checked([*nights(P1, range(60)), *nights(P2, [0, 1, 2, 4, 5])], later)
    assert short(report.gaps) == [("clp2", 3, "missing", 1)]


def test_all_sources_stopped() -> None:
    """Nobody is retired when nothing follows: the DAG is paused."""
    later = FIRST + 60 * DAY + timedelta(hours=8)
    report = checked([*nights(P1, range(10)), *nights(P2, range(10))], later)
    assert [each.windows for each in report.gaps] == [50, 50]


def test_a_source_that_never_landed() -> None:
    """It is missing in the newest window of the others that is due, and never all landed without others."""
    report = checked(nights(P1, range(10)), TEN, sources=[P1, P3])
    assert short(report.gaps) == [("clp3", 9, "missing", 1)]
    assert not checked([], TEN, sources=[P3]).all_landed
    since = checked(nights(P1, range(10)), TEN, sources=[P1, P3], since=FIRST)
    assert short(since.gaps) == [("clp3", 0, "missing", 10)]


def test_since_begins_before_the_first_window() -> None:
    report = checked(nights(P1, range(3, 10)), TEN, sources=[P1], since=FIRST)
    assert short(report.gaps) == [("clp1", 0, "missing", 3)]


def test_nothing_below_the_prefix() -> None:
    """That nothing is there does not count as all landed: the prefix may be wrong."""
    report = checked([], TEN)
    assert report.sources == ()
    assert not report.all_landed


def test_days_of_23_and_25_hours() -> None:
    """Every night at two in Berlin, over both changes of clocks: no gap, and a missing night has its own length."""
    borders = local_nights(datetime(2026, 1, 1, 2, tzinfo=ZoneInfo("Europe/Berlin")), 365)
    listed = [name_of(P1, start, end) for start, end in pairwise(borders)]
    now = borders[-1] + timedelta(hours=8)
    report = checked(listed, now)
    assert report.all_landed
    assert sorted({run.step // timedelta(hours=1) for run in of_source(report).runs}) == [23, 24, 25]
    for missing, hours in ((86, 23), (87, 23), (297, 25), (200, 24)):
        holes = checked([each for number, each in enumerate(listed) if number != missing], now).gaps
        [hole] = holes
        assert (hole.start, hole.end, hole.windows) == (borders[missing], borders[missing + 1], 1), hours


def test_a_schedule_cuts_a_hole_at_its_own_borders() -> None:
    borders = local_nights(datetime(2026, 10, 20, 4, tzinfo=ZoneInfo("Europe/Berlin")), 10)
    listed = [name_of(P1, borders[day], borders[day + 1]) for day in (0, 1, 2)]
    now = borders[-1] + timedelta(hours=8)
    report = checked(listed, now, next_border=calendar_days(1, "Europe/Berlin"))
    missing = [run for run in of_source(report).runs if run.state == "missing"]
    assert [(run.step // timedelta(hours=1), run.count) for run in missing] == [(24, 1), (25, 1), (24, 5)]
    assert missing[-1].end == borders[-1]


def test_business_days_and_months_have_no_false_gap() -> None:
    """The window of a weekend is three days, and a month up to 31: neither is missing before it is over."""
    monday = datetime(2026, 6, 1, 2, tzinfo=timezone.utc)
    days = [monday + day * DAY for day in range(60) if (monday + day * DAY).weekday() < 5]
    work = [name_of(P1, start, end) for start, end in pairwise(days)]
    months = [datetime(2025 + number // 12, number % 12 + 1, 1, tzinfo=timezone.utc) for number in range(20)]
    monthly = [name_of(P2, start, end) for start, end in pairwise(months)]
    for number in range(15, len(work)):
        sunday = days[number + 1] + timedelta(hours=1)
        assert checked(work[:number], sunday).all_landed
    for number in range(6, len(monthly)):
        assert checked(monthly[:number], months[number + 1] + timedelta(hours=1)).all_landed


def test_hours_after_days() -> None:
    """A schedule that became hourly: the new step counts when it has been seen often enough."""
    start = FIRST + 10 * DAY
    hour = timedelta(hours=1)
    hourly = [name_of(P1, start + number * hour, start + (number + 1) * hour) for number in range(12)]
    report = checked([*nights(P1, range(10)), *hourly], start + 20 * hour)
    assert [(gap.start - start, gap.windows) for gap in report.gaps] == [(12 * hour, 2)]


def test_a_catalog_is_a_source_of_its_own() -> None:
    key = SourceKey("catalog", "all")
    report = checked([*nights(key, range(10)), *nights(P1, [0, 1, 3])], FIRST + 4 * DAY + timedelta(hours=8))
    assert [str(each.source) for each in report.sources] == ["catalog:clo1", "project:clp1"]
