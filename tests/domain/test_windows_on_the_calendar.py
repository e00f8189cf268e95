"""Windows over zones, clock changes, month ends, fractions of a second: what is asked, and that nothing is left out."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pendulum
import pytest

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.windows.windows import DataIntervalWindow, FixedWindow, ResolvedWindow, RunInterval

UTC = timezone.utc


def local(text: str, zone: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def window_of(start: datetime, end: datetime) -> ResolvedWindow:
    return DataIntervalWindow().resolve(RunInterval(start, end, "scheduled__1"))


@pytest.mark.parametrize(
    ("zone", "start", "end", "asked", "hours"),
    [
        # days on which the clocks change, and their neighbours
        ("Europe/Berlin", "2026-03-28T00:00", "2026-03-29T00:00", ("2026-03-27T22:59:59", "2026-03-28T23:00:01"), 24),
        ("Europe/Berlin", "2026-03-29T00:00", "2026-03-30T00:00", ("2026-03-28T22:59:59", "2026-03-29T22:00:01"), 23),
        ("Europe/Berlin", "2026-10-25T00:00", "2026-10-26T00:00", ("2026-10-24T21:59:59", "2026-10-25T23:00:01"), 25),
        (
            "America/New_York",
            "2026-03-08T02:00",
            "2026-03-09T02:00",
            ("2026-03-08T06:59:59", "2026-03-09T06:00:01"),
            23,
        ),
        (
            "America/New_York",
            "2026-11-01T00:00",
            "2026-11-02T00:00",
            ("2026-11-01T03:59:59", "2026-11-02T05:00:01"),
            25,
        ),
        # the clock goes to midnight itself: the day has no first hour, or has it twice
        ("Africa/Cairo", "2026-04-24T00:00", "2026-04-25T00:00", ("2026-04-23T21:59:59", "2026-04-24T21:00:01"), 23),
        ("America/Havana", "2026-11-01T00:00", "2026-11-02T00:00", ("2026-11-01T03:59:59", "2026-11-02T05:00:01"), 25),
        # half an hour, three quarters, and a day that a country left out
        (
            "Australia/Lord_Howe",
            "2026-04-05T00:00",
            "2026-04-06T00:00",
            ("2026-04-04T12:59:59", "2026-04-05T13:30:01"),
            24.5,
        ),
        ("Asia/Kathmandu", "2026-01-01T00:00", "2026-01-02T00:00", ("2025-12-31T18:14:59", "2026-01-01T18:15:01"), 24),
        ("Asia/Kolkata", "2026-01-01T02:00", "2026-01-02T02:00", ("2025-12-31T20:29:59", "2026-01-01T20:30:01"), 24),
        ("Pacific/Apia", "2011-12-29T00:00", "2011-12-31T00:00", ("2011-12-29T09:59:59", "2011-12-30T10:00:01"), 24),
        # the rims of months and years
        ("UTC", "2024-02-28T00:00", "2024-02-29T00:00", ("2024-02-27T23:59:59", "2024-02-29T00:00:01"), 24),
        ("UTC", "2024-02-29T00:00", "2024-03-01T00:00", ("2024-02-28T23:59:59", "2024-03-01T00:00:01"), 24),
        ("UTC", "2023-02-28T00:00", "2023-03-01T00:00", ("2023-02-27T23:59:59", "2023-03-01T00:00:01"), 24),
        ("UTC", "2026-01-31T00:00", "2026-02-28T00:00", ("2026-01-30T23:59:59", "2026-02-28T00:00:01"), 28 * 24),
        ("UTC", "2025-12-31T00:00", "2026-01-01T00:00", ("2025-12-30T23:59:59", "2026-01-01T00:00:01"), 24),
        ("UTC", "2026-01-01T00:00", "2027-01-01T00:00", ("2025-12-31T23:59:59", "2027-01-01T00:00:01"), 365 * 24),
        # far past, and a leap second that Python's clock has not
        ("UTC", "1970-01-01T00:00", "1970-01-02T00:00", ("1969-12-31T23:59:59", "1970-01-02T00:00:01"), 24),
        ("UTC", "0001-01-02T00:00", "2000-01-01T00:00", ("0001-01-01T23:59:59", "2000-01-01T00:00:01"), None),
        ("UTC", "2016-12-31T23:59:59", "2017-01-01T00:00", ("2016-12-31T23:59:58", "2017-01-01T00:00:01"), 1 / 3600),
        # fractions widen outwards
        ("UTC", "2026-11-22T02:00:00.900", "2026-11-22T02:00:01", ("2026-11-22T01:59:59", "2026-11-22T02:00:02"), None),
        ("UTC", "2026-11-22T02:00", "2026-11-22T02:00:00.100", ("2026-11-22T01:59:59", "2026-11-22T02:00:02"), None),
        ("UTC", "2026-11-22T02:00", "2026-11-22T02:00:00.000001", ("2026-11-22T01:59:59", "2026-11-22T02:00:02"), None),
        ("UTC", "2026-12-31T23:59:59.999999", "2027-01-01T00:00", ("2026-12-31T23:59:58", "2027-01-01T00:00:01"), None),
    ],
)
def test_window_is_queried_with_a_second_of_margin(
    zone: str, start: str, end: str, asked: tuple[str, str], hours: float | None
) -> None:
    """A window asks for the instants meant and a second more at both ends."""
    window = window_of(local(start, zone), local(end, zone))
    value = window.render()["value"]
    assert value == {"min": f"{asked[0]}+0000", "max": f"{asked[1]}+0000"}
    assert window.start == local(start, zone).astimezone(UTC)
    assert window.start.tzinfo is window.end.tzinfo is UTC
    if hours is not None:
        assert window.end - window.start == timedelta(hours=hours)


def test_an_hour_that_comes_twice_is_two_windows() -> None:
    """Hourly windows over the night on which Berlin's clock goes back."""
    first, second = (local("2026-10-25T02:00", "Europe/Berlin", fold) for fold in (0, 1))
    after = local("2026-10-25T03:00", "Europe/Berlin")
    windows = [window_of(first, second), window_of(second, after)]
    assert [(iso_utc(window.start), iso_utc(window.end)) for window in windows] == [
        ("2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"),
        ("2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"),
    ]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe"])
def test_a_year_of_local_days_leaves_no_instant_out(zone: str) -> None:
    midnights = [pendulum.datetime(2026, 1, 1, tz=zone).add(days=day) for day in range(366)]
    windows = [window_of(start, end) for start, end in pairwise(midnights)]
    assert all(before.end == after.start for before, after in pairwise(windows))
    assert windows[-1].end - windows[0].start == timedelta(days=365)
    assert all(window.queried_start and window.queried_start < window.start for window in windows)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T02:00:00Z",
        "2026-11-22T02:00:00+00:00",
        "2026-11-22 02:00:00+0000",
        "2026-11-22T03:00:00+01:00",
        "2026-11-22T07:30:00+0530",
        "2026-11-21T18:00:00-08:00",
        "2026-11-22T02:00:00.000Z",
        "2026-11-22T02:00:00.0000009Z",  # finer than a microsecond: nothing here can tell it
    ],
)
def test_any_spelling_of_an_instant_means_it(text: str) -> None:
    window = FixedWindow(text, "2026-11-23T02:00:00Z").resolve(RunInterval(None, None))
    assert iso_utc(window.start) == "2026-11-22T02:00:00Z"
