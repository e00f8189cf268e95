"""Windows: which interval a run asks for, how it goes on the wire, and which rows of the answer belong to it."""

# ruff: noqa: DTZ001  naive moments are a part of what is specified here
from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from labelbox_export_provider.domain.windows.windows import (
    DataIntervalWindow,
    FixedWindow,
    ResolvedWindow,
    RunInterval,
    TrimRule,
    check_window,
    parse_window,
    plain_window,
    window_kind,
)
from labelbox_export_provider.errors import ConfigurationError, WindowError

UTC = timezone.utc
NO_INTERVAL = RunInterval(None, None, "manual__1")


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def resolve(start: datetime | None, end: datetime | None, **options: Any) -> ResolvedWindow:
    return DataIntervalWindow(**options).resolve(RunInterval(start, end, "scheduled__1"))


# --- the run's interval


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


# --- given ends


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


# --- trimming as an option


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


# --- the form that an operator keeps


@pytest.mark.parametrize(
    ("window", "stored"),
    [
        (DataIntervalWindow(), {"kind": "data_interval"}),
        (DataIntervalWindow(trim=False), {"kind": "data_interval", "trim": False}),
        (
            FixedWindow(at("2026-11-22T02:00:00"), "2026-11-23T02:00:00Z", field="label_created_at"),
            {
                "kind": "fixed",
                "start": "2026-11-22T02:00:00+00:00",
                "end": "2026-11-23T02:00:00Z",
                "field": "label_created_at",
            },
        ),
    ],
)
def test_a_window_survives_the_plain_form(window: DataIntervalWindow | FixedWindow, stored: dict[str, Any]) -> None:
    assert plain_window(window) == stored
    again = parse_window(stored)
    interval = RunInterval(at("2026-11-22T02:00:00"), at("2026-11-23T02:00:00"))
    assert type(again) is type(window)
    assert again.resolve(interval) == window.resolve(interval)
    assert parse_window(window) is window


@pytest.mark.parametrize("value", ["daily", 5, {}, {"kind": "weekly"}, {"kind": None}, {"start": "x"}, ["fixed"]])
def test_what_is_no_window_is_refused_with_the_kinds_there_are(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"window= takes DataIntervalWindow\(\), .* or None, not"):
        window_kind(value)


@pytest.mark.parametrize(
    ("window", "filters"),
    [
        (None, {"last_activity_at": ["2024-01-10", None]}),
        ({"kind": "data_interval"}, None),
        ({"kind": "data_interval"}, {"last_activity_at": None}),
        ({"kind": "data_interval"}, {"label_created_at": ["2024-01-10", None]}),
        ({"kind": "data_interval"}, "{{ params.filters }}"),
        ({"kind": "data_interval", "field": "label_created_at"}, {"last_activity_at": ["2024-01-10", None]}),
        ({"kind": "fixed", "start": "{{ a }}", "end": "{{ b }}"}, None),
        ({"kind": "fixed", "start": object(), "end": "{{ b }}"}, None),
        ({"kind": "fixed", "start": "{{ a }}", "end": "2024-01-10T00:00:00Z", "trim": "{{ c }}"}, None),
        ("{{ params.window }}", None),
    ],
)
def test_while_parsing_what_may_still_become_right_is_accepted(window: object, filters: object) -> None:
    check_window(window, filters)


@pytest.mark.parametrize(
    ("window", "filters", "part"),
    [
        ({"kind": "data_interval"}, {"last_activity_at": ["2024-01-10", None]}, "Both window= and filters['last_a"),
        ({"kind": "data_interval"}, {"last_activity_at": "{{ x }}"}, "Both window= and filters['last_activity_at']"),
        (
            {"kind": "data_interval", "field": "label_created_at"},
            {"label_created_at": [None, "2024-01-10"]},
            "Both window= and filters['label_created_at']",
        ),
        ({"kind": "fixed", "start": "2024-01-10", "end": "{{ b }}"}, None, "option 'start' of a window"),
        ({"kind": "fixed", "start": "{{ a }}"}, None, "option 'end' of a window: a window needs both ends"),
        ({"kind": "fixed", "strat": "{{ a }}"}, None, "Did you mean 'start'?"),
        ({"kind": "data_interval", "start": "2024-01-10"}, None, "'start' is not an option of a window"),
        ({"kind": "hourly"}, None, "window= takes"),
        ("daily", None, "window= takes"),
    ],
)
def test_while_parsing_what_is_wrong_already_is_refused(window: object, filters: object, part: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        check_window(window, filters)
    assert part in str(raised.value)


# --- which rows belong to the window

RULE = TrimRule(
    start=at("2026-11-22T02:00:00"),
    end=at("2026-11-23T02:00:00"),
    queried_start=at("2026-11-22T01:59:59"),
    queried_end=at("2026-11-23T02:00:01"),
)
FIRST_LOAD = TrimRule(RULE.start, RULE.end, None, RULE.queried_end)
OFF_SECOND = TrimRule(  # [02:00:00.25, 02:00:00.75): both ends lie inside one second
    start=at("2026-11-22T02:00:00.250"),
    end=at("2026-11-22T02:00:00.750"),
    queried_start=at("2026-11-22T01:59:59"),
    queried_end=at("2026-11-22T02:00:02"),
)
LOOK_BACK = TrimRule(RULE.start, RULE.end, at("2026-11-19T01:59:59"), RULE.queried_end)


@pytest.mark.parametrize(
    ("rule", "moment", "position"),
    [
        (RULE, "2026-11-22T02:00:00", "inside"),
        (RULE, "2026-11-22T02:00:00.000001", "inside"),
        (RULE, "2026-11-23T01:59:59.999", "inside"),
        (RULE, "2026-11-23T01:59:59.999999", "inside"),
        (RULE, "2026-11-22T01:59:59.999999", "margin"),
        (RULE, "2026-11-22T01:59:59.999", "margin"),
        (RULE, "2026-11-22T01:59:59", "margin"),
        (RULE, "2026-11-22T01:59:58.000001", "margin"),  # an index that rounds up answers with it
        (RULE, "2026-11-22T01:59:58", "before_start"),
        (RULE, "2026-11-23T02:00:00", "margin"),
        (RULE, "2026-11-23T02:00:00.001", "margin"),
        (RULE, "2026-11-23T02:00:01", "margin"),
        (RULE, "2026-11-23T02:00:01.999999", "margin"),  # an index that cuts fractions off answers with it
        (RULE, "2026-11-23T02:00:02", "after_end"),
        (RULE, "2027-01-01T00:00:00", "after_end"),
        (RULE, "1999-01-01T00:00:00", "before_start"),
        (RULE, None, "unknown"),
        (FIRST_LOAD, "2026-11-22T02:00:00", "inside"),
        (FIRST_LOAD, "2026-11-22T01:59:59.999999", "before_start"),
        (FIRST_LOAD, "1999-01-01T00:00:00", "before_start"),
        (FIRST_LOAD, "2026-11-23T02:00:00", "margin"),
        (FIRST_LOAD, "2026-11-23T02:00:02.001", "after_end"),
        (FIRST_LOAD, None, "unknown"),
        (OFF_SECOND, "2026-11-22T02:00:00.250", "inside"),
        (OFF_SECOND, "2026-11-22T02:00:00.749999", "inside"),
        (OFF_SECOND, "2026-11-22T02:00:00.249999", "margin"),
        (OFF_SECOND, "2026-11-22T02:00:00.750", "margin"),
        (OFF_SECOND, "2026-11-22T02:00:02", "margin"),
        (OFF_SECOND, "2026-11-22T02:00:03", "after_end"),
        (OFF_SECOND, "2026-11-22T01:59:58", "before_start"),
        (LOOK_BACK, "2026-11-22T01:59:59.999", "before_start"),  # asked for on purpose
        (LOOK_BACK, "2026-11-19T02:00:00", "before_start"),
        (LOOK_BACK, "2026-11-19T01:59:59.500", "margin"),
    ],
)
def test_a_row_is_placed_by_its_own_timestamp(rule: TrimRule, moment: str | None, position: str) -> None:
    assert rule.position(None if moment is None else at(moment)) == position


def test_a_rows_timestamp_may_be_in_any_zone() -> None:
    moment = at("2026-11-22T02:00:00").astimezone(ZoneInfo("Asia/Kolkata"))
    assert RULE.position(moment) == "inside"
    assert RULE.position(moment - timedelta(milliseconds=1)) == "margin"


moments = st.datetimes(datetime(2000, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC))
widths = st.timedeltas(timedelta(microseconds=1), timedelta(days=40)) | st.timedeltas(
    timedelta(microseconds=1), timedelta(seconds=3)
)
offsets = st.floats(-0.2, 1.2, allow_nan=False)


def rule_of(start: datetime, end: datetime) -> TrimRule:
    window = resolve(start, end)
    return TrimRule(window.start, window.end, window.queried_start, window.queried_end)


@given(moments, widths, offsets)
def test_no_row_inside_the_window_is_ever_dropped(start: datetime, width: timedelta, place: float) -> None:
    moment = start + width * place
    rule = rule_of(start, start + width)
    assert (rule.position(moment) == "inside") is (start <= moment < start + width)


@given(moments, widths, widths, offsets)
def test_instant_is_in_one_of_two_adjacent_windows(
    start: datetime, width: timedelta, next_width: timedelta, place: float
) -> None:
    """Windows have no gap. An instant lies inside exactly one of two adjacent windows and is never dropped by both."""
    border, end = start + width, start + width + next_width
    moment = start + (width + next_width) * place
    assume(start <= moment < end)
    positions = [rule_of(start, border).position(moment), rule_of(border, end).position(moment)]
    assert positions.count("inside") == 1
    assert positions != ["margin", "margin"]


@given(moments, widths, st.timedeltas(timedelta(seconds=-3), timedelta(seconds=3)), st.booleans())
def test_only_rows_of_the_margins_are_dropped(
    start: datetime, width: timedelta, beside: timedelta, at_end: bool
) -> None:
    """Only what the margins and rounding can add to the answer is dropped."""
    moment = (start + width if at_end else start) + beside
    rule = rule_of(start, start + width)
    assert rule.queried_start is not None
    if rule.position(moment) == "margin":
        rounding = timedelta(seconds=1)
        assert rule.queried_start - rounding < moment < rule.queried_end + rounding
        assert not rule.start <= moment < rule.end
