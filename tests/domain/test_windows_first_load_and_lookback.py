"""`open_start_at`, which makes the first window reach all the way back, and `lookback`, which asks for late rows."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.records.handle import HandleWindow
from labelbox_export_provider.domain.windows.windows import (
    DataIntervalWindow,
    PartitionWindow,
    ResolvedWindow,
    RunInterval,
    TrimRule,
    check_window,
    parse_window,
    plain_window,
)
from labelbox_export_provider.errors import ConfigurationError, WindowError

UTC = timezone.utc
OPENING = "2026-11-01T02:00:00Z"


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def resolve(start: str, end: str, **options: Any) -> ResolvedWindow:
    run = RunInterval(at(f"2026-{start}"), at(f"2026-{end}"), "scheduled__1")
    return DataIntervalWindow(**options).resolve(run)


# --- the first load


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("11-01T02:00:00", "11-02T02:00:00"),  # starts there
        ("10-31T03:00:00", "11-01T03:00:00"),  # has it inside, and so is the only one that may reach back
        ("11-01T01:59:59", "11-01T02:00:01"),
        ("10-31T02:00:00", "11-01T02:00:00.000001"),
    ],
)
def test_the_window_that_reaches_the_opening_has_no_lower_bound(start: str, end: str) -> None:
    window = resolve(start, end, open_start_at=OPENING)
    assert window.queried_start is None
    assert window.start == at(f"2026-{start}")  # the window keeps its name
    assert window.render()["operator"] == "LESS_THAN_OR_EQUAL"
    rule = HandleWindow.of(window).trim_rule()
    assert rule is not None
    assert rule.position(at("1999-01-01T00:00:00")) == "before_start"  # kept
    assert rule.position(window.end) == "margin"


@pytest.mark.parametrize("start", ["11-01T02:00:00.000001", "11-01T02:00:01", "11-02T02:00:00"])
def test_windows_that_start_later_are_bounded_as_ever(start: str) -> None:
    assert resolve(start, "11-05T02:00:00", open_start_at=OPENING) == resolve(start, "11-05T02:00:00")


@pytest.mark.parametrize(("start", "end"), [("10-31T02:00:00", "11-01T02:00:00"), ("10-01T02:00:00", "10-02T02:00:00")])
def test_windows_before_the_opening_are_refused(start: str, end: str) -> None:
    """Windows before the opening are refused since the first load has their rows."""
    with pytest.raises(WindowError) as raised:
        resolve(start, end, open_start_at=OPENING)
    for part in (
        f"Run 'scheduled__1' has the window [2026-{start}Z, 2026-{end}Z)",
        f"before open_start_at={OPENING}",
        "Its rows are in the first load",
        "Nothing was exported.",
        "set open_start_at earlier",
    ):
        assert part in str(raised.value)


def test_a_look_back_does_not_give_the_first_load_a_lower_bound() -> None:
    window = resolve("11-01T02:00:00", "11-02T02:00:00", open_start_at=OPENING, lookback=timedelta(days=3))
    assert window.queried_start is None
    later = resolve("11-02T02:00:00", "11-03T02:00:00", open_start_at=OPENING, lookback=timedelta(days=3))
    assert later.queried_start == at("2026-10-30T01:59:59")


def test_the_opening_is_an_instant_in_any_zone_or_a_template() -> None:
    same = "2026-11-01T03:00:00+01:00"
    assert resolve("11-01T02:00:00", "11-02T02:00:00", open_start_at=same).queried_start is None
    check_window({"kind": "data_interval", "open_start_at": "{{ dag.start_date }}"}, None)
    rendered = {"kind": "data_interval", "open_start_at": "2026-11-01 02:00:00+00:00"}
    interval = RunInterval(at("2026-11-01T02:00:00"), at("2026-11-02T02:00:00"))
    assert parse_window(rendered).resolve(interval).queried_start is None


@pytest.mark.parametrize("value", ["2026-11-01", "", "soon", datetime(2026, 11, 1)])  # noqa: DTZ001  refused
def test_an_opening_that_is_no_instant_is_refused_while_parsing(value: object) -> None:
    with pytest.raises(ConfigurationError, match="option 'open_start_at' of a window: "):
        DataIntervalWindow(open_start_at=value)


def test_partitions_have_a_first_load_too() -> None:
    window = PartitionWindow(timedelta(days=1), open_start_at="2026-11-01T00:00:00Z")
    first, later = (
        window.resolve(RunInterval(None, None, "run", partition_date=at(f"2026-11-0{day}T00:00:00"))) for day in (1, 2)
    )
    assert first.queried_start is None
    assert later.queried_start == at("2026-11-01T23:59:59")
    with pytest.raises(WindowError, match="before open_start_at"):
        window.resolve(RunInterval(None, None, "run", partition_date=at("2026-10-31T00:00:00")))


# --- the look-back


@pytest.mark.parametrize(
    ("lookback", "queried_start"),
    [
        (timedelta(0), "2026-11-22T01:59:59"),
        (timedelta(hours=6), "2026-11-21T19:59:59"),
        (timedelta(days=3), "2026-11-19T01:59:59"),
        (90, "2026-11-22T01:58:29"),
        ("P3D", "2026-11-19T01:59:59"),
        ("PT90S", "2026-11-22T01:58:29"),
        ("P3650D", "2016-11-24T01:59:59"),
    ],
)
def test_a_look_back_widens_what_is_asked_and_nothing_else(lookback: object, queried_start: str) -> None:
    plainly = resolve("11-22T02:00:00", "11-23T02:00:00")
    window = resolve("11-22T02:00:00", "11-23T02:00:00", lookback=lookback)
    assert window.queried_start == at(queried_start)
    assert (window.start, window.end, window.queried_end) == (plainly.start, plainly.end, plainly.queried_end)
    assert window.ready_at == plainly.ready_at


@pytest.mark.parametrize(
    ("moment", "position"),
    [
        ("2026-11-22T02:00:00.250", "inside"),
        ("2026-11-22T02:00:00.249999", "before_start"),
        ("2026-11-19T02:00:00.250", "before_start"),  # the first moment that the look-back is for
        ("2026-11-19T02:00:00.249", "margin"),
        ("2026-11-19T01:59:59", "margin"),
        ("2026-11-19T01:59:58.001", "margin"),
        ("2026-11-19T01:59:58", "before_start"),
        ("2026-11-23T02:00:00.250", "margin"),
    ],
)
def test_look_back_rows_are_kept(moment: str, position: str) -> None:
    """What a look back brings is kept and its margin is dropped."""
    window = resolve("11-22T02:00:00.250", "11-23T02:00:00.250", lookback=timedelta(days=3))
    rule = HandleWindow.of(window).trim_rule()
    assert rule is not None
    assert rule.position(at(moment)) == position


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(timedelta(microseconds=1), timedelta(days=40)),
    st.integers(0, 10**7),
    st.floats(-0.2, 1.2, allow_nan=False),
)
def test_no_row_of_the_look_back_or_the_window_is_ever_dropped(
    start: datetime, width: timedelta, seconds: int, place: float
) -> None:
    lookback = timedelta(seconds=seconds)
    window = DataIntervalWindow(lookback=lookback).resolve(RunInterval(start, start + width))
    rule = TrimRule(window.start, window.end, window.queried_start, window.queried_end)
    moment = start - lookback + (lookback + width) * place
    if start - lookback <= moment < start + width:
        assert rule.position(moment) in {"inside", "before_start"}


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"lookback": timedelta(seconds=-1)}, "option 'lookback' of a window: -1 seconds is below 0."),
        ({"lookback": timedelta(milliseconds=1500)}, "option 'lookback' of a window: whole seconds are needed"),
        ({"lookback": "three days"}, "must be a timedelta, a number of seconds, or ISO 8601"),
        ({"lookback": "P1M"}, "in days and smaller units"),
        ({"lookback": True}, "Given: True."),
        ({"lookback": None}, "must be a timedelta"),
        ({"lookback": float("nan")}, "must be a timedelta"),
        ({"lookback": float("inf")}, "must be a timedelta"),
        ({"settle": -300}, "option 'settle' of a window: -300 seconds is below 0."),
        ({"settle": "5 minutes"}, "Given: '5 minutes'."),
    ],
)
def test_a_length_of_time_that_is_none_is_refused_while_parsing(options: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        DataIntervalWindow(**options)
    assert part in str(raised.value)


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        ({"lookback": timedelta(days=3)}, {"lookback": "P3D"}),
        ({"lookback": timedelta(hours=1, seconds=1)}, {"lookback": "PT1H1S"}),
        ({"settle": timedelta(0)}, {"settle": "PT0S"}),
        ({"settle": timedelta(milliseconds=1500)}, {"settle": "PT1.5S"}),
        ({"open_start_at": at("2026-11-01T02:00:00")}, {"open_start_at": "2026-11-01T02:00:00+00:00"}),
        ({"open_start_at": None}, {"open_start_at": None}),
    ],
)
def test_the_plain_form_holds_lengths_of_time_in_iso_8601(options: dict[str, Any], stored: dict[str, Any]) -> None:
    window = DataIntervalWindow(**options)
    assert plain_window(window) == {"kind": "data_interval"} | stored
    assert plain_window({"kind": "data_interval"} | options) == {"kind": "data_interval"} | stored
    assert parse_window(plain_window(window)) == window


def test_durations_may_be_templates() -> None:
    """Lengths of time may come out of a template in the plain form."""
    check_window({"kind": "data_interval", "lookback": "{{ params.lookback }}", "settle": "PT{{ params.m }}M"}, None)
    rendered = parse_window({"kind": "data_interval", "lookback": "259200", "settle": "PT7M"})
    assert rendered == DataIntervalWindow(lookback=timedelta(days=3), settle=timedelta(minutes=7))
    with pytest.raises(ConfigurationError, match="option 'settle'"):
        check_window({"kind": "data_interval", "lookback": "{{ params.lookback }}", "settle": "soon"}, None)


def test_a_look_back_beyond_the_calendar_is_refused_in_words() -> None:
    with pytest.raises(ConfigurationError, match="too near the end of the calendar"):
        resolve("11-22T02:00:00", "11-23T02:00:00", lookback="P800000D")


def test_the_names_of_windows_do_not_depend_on_the_look_back() -> None:
    assert iso_utc(resolve("11-22T02:00:00", "11-23T02:00:00", lookback=86400).start) == "2026-11-22T02:00:00Z"
