"""`PartitionWindow`: a run with a partition date and no interval."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.windows.windows import (
    PartitionWindow,
    RunInterval,
    check_window,
    parse_window,
    plain_window,
)
from labelbox_export_provider.errors import ConfigurationError, WindowError

DAY = timedelta(days=1)


def ends(window: PartitionWindow, date: str) -> tuple[str, str]:
    run = RunInterval(None, None, "partition__1", partition_date=datetime.fromisoformat(date))
    resolved = window.resolve(run)
    return iso_utc(resolved.start), iso_utc(resolved.end)


@pytest.mark.parametrize(
    ("window", "date", "start", "end"),
    [
        (PartitionWindow(DAY), "2026-11-22T00:00+00:00", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"),
        (PartitionWindow("P1D"), "2026-11-22T02:00+00:00", "2026-11-22T02:00:00Z", "2026-11-23T02:00:00Z"),
        (PartitionWindow("PT1H"), "2026-11-22T23:00+00:00", "2026-11-22T23:00:00Z", "2026-11-23T00:00:00Z"),
        (PartitionWindow(7 * DAY), "2026-12-28T00:00+00:00", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"),
        # whole days are the calendar's: 23, 25, and 7 days with such a one among them
        (
            PartitionWindow(DAY, timezone="Europe/Berlin"),
            "2026-03-28T23:00+00:00",
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        ),
        (
            PartitionWindow(DAY, timezone="Europe/Berlin"),
            "2026-10-25T00:00+02:00",
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
        ),
        (
            PartitionWindow(7 * DAY, timezone="America/New_York"),
            "2026-03-02T05:00+00:00",
            "2026-03-02T05:00:00Z",
            "2026-03-09T04:00:00Z",
        ),
        # hours are lengths of time, over a clock change, too
        (
            PartitionWindow("PT1H", timezone="Europe/Berlin"),
            "2026-10-25T00:00+00:00",
            "2026-10-25T00:00:00Z",
            "2026-10-25T01:00:00Z",
        ),
        (
            PartitionWindow("PT36H", timezone="Europe/Berlin"),
            "2026-10-24T22:00+00:00",
            "2026-10-24T22:00:00Z",
            "2026-10-26T10:00:00Z",
        ),
    ],
)
def test_window_starts_at_the_partition_date(window: PartitionWindow, date: str, start: str, end: str) -> None:
    """The window begins at the partition date and is one width long."""
    assert ends(window, date) == (start, end)


def test_the_date_may_come_in_any_zone() -> None:
    date = datetime(2026, 11, 22, tzinfo=timezone.utc).astimezone(ZoneInfo("Asia/Kolkata")).isoformat()
    assert ends(PartitionWindow(DAY), date) == ("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z")


@pytest.mark.parametrize(
    ("run", "parts"),
    [
        (
            RunInterval(datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 2, tzinfo=timezone.utc), "sched"),
            ["Run 'sched' has no partition date, so", "window=DataIntervalWindow()"],
        ),
        (RunInterval(None, None, "manual"), ["Run 'manual' has no partition date, so"]),
        (
            RunInterval(None, None, "asset", partition_key="eu"),
            ["no partition date (its key 'eu' stands for no date)"],
        ),
    ],
)
def test_run_without_a_partition_date_is_refused(run: RunInterval, parts: list[str]) -> None:
    """A run without a partition date is refused with the timetable that gives one."""
    with pytest.raises(WindowError) as raised:
        PartitionWindow(DAY).resolve(run)
    named = [*parts, "Nothing was exported.", "CronPartitionTimetable('0 0 * * *', timezone='UTC', run_offset=-1)"]
    assert [part for part in named if part not in str(raised.value)] == []


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({}, "option 'width' of a window: must be a timedelta"),
        ({"width": 0}, "option 'width' of a window: 0 seconds is not above 0."),
        ({"width": -DAY}, "is not above 0."),
        ({"width": "daily"}, "Given: 'daily'."),
        ({"width": DAY, "timezone": "Berlin"}, "option 'timezone' of a window: there is no such time zone"),
        ({"width": DAY, "timezone": "America"}, "no such time zone"),
        ({"width": DAY, "timezone": ""}, "no such time zone"),
        ({"width": DAY, "timezone": "../etc/passwd"}, "no such time zone"),
        ({"width": DAY, "start": "x"}, "'start' is not an option of a window"),
    ],
)
def test_wrong_options_are_refused_while_parsing(options: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        PartitionWindow(**options)
    assert part in str(raised.value)


def test_it_survives_the_plain_form() -> None:
    window = PartitionWindow(DAY, timezone="Europe/Berlin", settle=0)
    stored = {"kind": "partition", "width": "P1D", "timezone": "Europe/Berlin", "settle": "PT0S"}
    assert plain_window(window) == stored
    assert parse_window(stored) == window
    check_window({"kind": "partition", "width": "{{ params.width }}"}, None)
    with pytest.raises(ConfigurationError, match="option 'width'"):
        check_window({"kind": "partition"}, None)
