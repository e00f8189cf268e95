"""The rows of an answer that belong to a window."""

# ruff: noqa: DTZ001  naive moments are a part of what is specified here
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from labelbox_export_provider.domain.windows.windows import (
    DataIntervalWindow,
    RunInterval,
    TrimRule,
)

UTC = timezone.utc


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


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
    window = DataIntervalWindow().resolve(RunInterval(start, end, "scheduled__1"))
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
