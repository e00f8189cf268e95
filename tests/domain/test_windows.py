"""Windows: the interval of a run, given ends, and trimming as an option."""

# ruff: noqa: DTZ001  naive moments are a part of what is specified here
from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest

from labelbox_export_provider.domain.windows.windows import (
    DataIntervalWindow,
    FixedWindow,
    ResolvedWindow,
    RunInterval,
    parse_window,
    plain_window,
)
from labelbox_export_provider.errors import ConfigurationError, WindowError

UTC = timezone.utc
NO_INTERVAL = RunInterval(None, None, "manual__1")


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def resolve(start: datetime | None, end: datetime | None, **options: Any) -> ResolvedWindow:
    return DataIntervalWindow(**options).resolve(RunInterval(start, end, "scheduled__1"))


@pytest.mark.parametrize(
    ("start", "end", "parts"),
    [
        (None, None, ["'scheduled__1' has no data interval", "without a logical date", "by an asset", "partitioned"]),
        (at("2026-11-22T02:00:00"), None, ["has no data interval"]),
        (None, at("2026-11-22T02:00:00"), ["has no data interval"]),
        (
            at("2026-11-22T02:00:00"),
            at("2026-11-22T02:00:00"),
            ["zero width (2026-11-22T02:00:00+00:00)", "in Airflow 3 a cron string"],
        ),
        (
            at("2026-11-22T02:00:00"),
            datetime(2026, 11, 22, 3, tzinfo=ZoneInfo("Europe/Berlin")),  # the same instant, spelt otherwise
            ["zero width"],
        ),
    ],
)
def test_run_without_an_interval_is_refused(start: datetime | None, end: datetime | None, parts: list[str]) -> None:
    """A run without a usable interval is refused with the timetable to use."""
    with pytest.raises(WindowError) as raised:
        resolve(start, end)
    message = str(raised.value)
    assert [part for part in parts if part not in message] == []
    assert "Nothing was exported." in message
    assert "schedule=CronDataIntervalTimetable('0 2 * * *', timezone='UTC')" in message
    assert "with catchup=True, a new dag_id" in message
    assert "FixedWindow(start, end)" in message


def test_an_interval_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(WindowError, match=r"ends .* before it starts"):
        resolve(at("2026-11-23T02:00:00"), at("2026-11-22T02:00:00"))


def test_an_interval_without_zone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has no time zone"):
        resolve(datetime(2026, 11, 22), datetime(2026, 11, 23))


@pytest.mark.parametrize(
    ("start", "end", "queried_start", "queried_end"),
    [
        ("2026-11-22T02:00:00", "2026-11-23T02:00:00", "2026-11-22T01:59:59", "2026-11-23T02:00:01"),
        ("2026-11-22T02:00:00.000001", "2026-11-22T02:00:00.000002", "2026-11-22T01:59:59", "2026-11-22T02:00:02"),
        ("2026-11-22T02:00:00.999999", "2026-11-23T02:00:00.500", "2026-11-22T01:59:59", "2026-11-23T02:00:02"),
        ("2023-12-31T23:59:59", "2024-01-01T00:00:00", "2023-12-31T23:59:58", "2024-01-01T00:00:01"),
    ],
)
def test_query_is_a_second_wider_at_both_ends(start: str, end: str, queried_start: str, queried_end: str) -> None:
    """The query is whole seconds and one second wider at both ends."""
    window = resolve(at(start), at(end))
    assert (window.start, window.end) == (at(start), at(end))
    assert (window.queried_start, window.queried_end) == (at(queried_start), at(queried_end))
    assert window.render() == {
        "operator": "BETWEEN",
        "timezone": "UTC",
        "value": {"min": f"{queried_start}+0000", "max": f"{queried_end}+0000"},
    }


def test_an_interval_in_another_zone_means_the_same_instants() -> None:
    window = resolve(
        pendulum.datetime(2026, 3, 29, tz="Europe/Berlin"), pendulum.datetime(2026, 3, 30, tz="Europe/Berlin")
    )
    assert (window.start, window.end) == (at("2026-03-28T23:00:00"), at("2026-03-29T22:00:00"))  # a day of 23 hours
    assert window.start.tzinfo is UTC


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-22T02:00:00Z", "2026-11-23T02:00:00+00:00"),
        ("2026-11-22T07:30:00+0530", "2026-11-22T18:00:00-08:00"),
        (at("2026-11-22T02:00:00"), at("2026-11-23T02:00:00")),
        (datetime(2026, 11, 22, 3, tzinfo=ZoneInfo("Europe/Berlin")), pendulum.datetime(2026, 11, 23, 2)),
    ],
)
def test_fixed_window_ignores_the_run(start: object, end: object) -> None:
    """A fixed window is the instants that were given whatever the run."""
    window = FixedWindow(start, end).resolve(NO_INTERVAL)
    assert (window.start, window.end) == (at("2026-11-22T02:00:00"), at("2026-11-23T02:00:00"))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-23T02:00:00Z", "2026-11-22T02:00:00Z"),
        ("2026-11-22T02:00:00Z", "2026-11-22T02:00:00Z"),
        ("2026-11-22T02:00:00Z", "2026-11-22T03:00:00+0100"),
    ],
)
def test_a_fixed_window_that_is_empty_or_backwards_is_refused(start: str, end: str) -> None:
    with pytest.raises(ConfigurationError, match=r"end \(.*\) must be after start \(.*\); the window is \[start, "):
        FixedWindow(start, end)


@pytest.mark.parametrize(
    ("start", "part"),
    [
        ("2026-11-22", "a window needs an instant: give an offset"),
        ("2026-11-22 02:00:00", "a window needs an instant"),
        (date(2026, 11, 22), "a window needs an instant"),
        ("tomorrow", "'tomorrow' is not a date"),
        ("", "'' is not a date"),
        (datetime(2026, 11, 22), "has no time zone"),
        (pendulum.naive(2026, 11, 22), "has no time zone"),
        (None, "a window needs both ends"),
        (7, "7 is not a date"),
    ],
)
def test_an_end_that_is_no_instant_is_refused_by_name(start: object, part: str) -> None:
    for values, option in (((start, "2030-01-01T00:00:00Z"), "start"), (("2020-01-01T00:00:00Z", start), "end")):
        with pytest.raises(ConfigurationError) as raised:
            FixedWindow(*values)
        assert f"option '{option}' of a window: " in str(raised.value)
        assert part in str(raised.value)


def test_templated_ends_wait_for_the_task_and_are_checked_then() -> None:
    window = FixedWindow("{{ params.start }}", "{{ params.end }}")
    assert plain_window(window) == {"kind": "fixed", "start": "{{ params.start }}", "end": "{{ params.end }}"}
    rendered = {"kind": "fixed", "start": "2026-11-22T00:00:00Z", "end": "2026-11-23"}
    with pytest.raises(ConfigurationError, match="option 'end' of a window: a window needs an instant"):
        parse_window(rendered)
    with pytest.raises(ConfigurationError, match="is not a date"):
        window.resolve(NO_INTERVAL)  # nobody has rendered it


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.5Z"])
def test_a_window_at_the_rim_of_the_calendar_is_refused_in_words(start: str) -> None:
    with pytest.raises(ConfigurationError, match="too near the end of the calendar"):
        FixedWindow(start, "2026-11-23T00:00:00Z").resolve(NO_INTERVAL)
    with pytest.raises(ConfigurationError, match="too near the end of the calendar"):
        FixedWindow("2026-11-23T00:00:00Z", "9999-12-31T23:59:59.5Z").resolve(NO_INTERVAL)


@pytest.mark.parametrize(
    ("options", "trim"),
    [
        ({}, True),
        ({"trim": None}, True),
        ({"trim": True}, True),
        ({"trim": False}, False),
        ({"field": "label_created_at"}, False),
        ({"field": "label_created_at", "trim": False}, False),
    ],
)
def test_only_windows_of_last_activity_are_trimmed(options: dict[str, Any], trim: bool) -> None:
    """A window of last activity is trimmed by default and one of labels never."""
    assert resolve(at("2026-11-22T02:00:00"), at("2026-11-23T02:00:00"), **options).trim is trim


def test_trimming_a_label_window_is_refused() -> None:
    """Trimming a window of labels is refused since a row has many labels."""
    with pytest.raises(ConfigurationError, match=r"cannot be trimmed.*many labels.*at least once"):
        DataIntervalWindow(field="label_created_at", trim=True)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (
            {"field": "created_at"},
            "option 'field' of a window: Input should be 'last_activity_at' or 'label_created_at'",
        ),
        ({"lookbak": 1}, "'lookbak' is not an option of a window"),
        ({"trim": "sometimes"}, "option 'trim' of a window"),
    ],
)
def test_other_options_are_refused_by_name(options: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        DataIntervalWindow(**options)
    assert part in str(raised.value)
