"""Dates: what may be written, which instant it means, and how it goes on the wire (UTC, whole seconds)."""

# ruff: noqa: DTZ001  naive moments are a part of what is specified here
from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labelbox_export_provider.domain.options.dates import (
    End,
    iso_utc,
    read_date,
    to_utc,
    whole_second,
    wire_range,
    wire_text,
)
from labelbox_export_provider.errors import ConfigurationError

UTC = timezone.utc
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Etc/GMT+12",
]


def instant(value: object, zone: str | None = None, end: End = "start") -> str:
    return wire_text(whole_second(to_utc(read_date(value), zone, end), end))


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        # The official client relabels this one as midnight UTC, 5.5 hours after the instant that was meant.
        ("2024-01-10T00:00:00+0530", "2024-01-09T18:30:00+0000"),
        ("2024-01-10T00:00:00+05:30", "2024-01-09T18:30:00+0000"),
        ("2024-01-10 00:00:00+0530", "2024-01-09T18:30:00+0000"),
        ("2024-01-10 00:00:00 +0530", "2024-01-09T18:30:00+0000"),
        ("2024-01-10T00:00:00-0800", "2024-01-10T08:00:00+0000"),
        ("2024-01-10T00:00:00+0000", "2024-01-10T00:00:00+0000"),
        ("2024-01-10T00:00:00-00:00", "2024-01-10T00:00:00+0000"),
        ("2024-01-10T00:00:00Z", "2024-01-10T00:00:00+0000"),
        ("2024-02-29T23:59:59+14:00", "2024-02-29T09:59:59+0000"),
        ("  2024-01-10T00:00:00Z ", "2024-01-10T00:00:00+0000"),
        (datetime(2024, 1, 10, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2024-01-09T18:30:00+0000"),
        (datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")), "2024-07-01T10:00:00+0000"),
        (pendulum.datetime(2024, 7, 1, 12, tz="America/New_York"), "2024-07-01T16:00:00+0000"),
        # The second 02:30 of the night in which clocks go back.
        (datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")), "2024-10-27T01:30:00+0000"),
        (datetime(2024, 10, 27, 2, 30, fold=0, tzinfo=ZoneInfo("Europe/Berlin")), "2024-10-27T00:30:00+0000"),
        ("0987-01-10T00:00:00Z", "0987-01-10T00:00:00+0000"),
    ],
)
def test_a_date_with_an_offset_is_converted_to_utc(written: object, sent: str) -> None:
    assert instant(written, "Asia/Tokyo") == sent  # the owner's zone does not matter to it


@pytest.mark.parametrize(
    ("written", "zone", "sent"),
    [
        ("2024-01-10", "UTC", "2024-01-10T00:00:00+0000"),
        ("2024-01-10", None, "2024-01-10T00:00:00+0000"),
        ("2024-01-10", "Europe/Berlin", "2024-01-09T23:00:00+0000"),
        ("2024-07-10", "Europe/Berlin", "2024-07-09T22:00:00+0000"),
        ("2024-01-10 07:08:09", "Asia/Kolkata", "2024-01-10T01:38:09+0000"),
        ("2024-01-10T07:08:09", "Asia/Kolkata", "2024-01-10T01:38:09+0000"),
        (date(2024, 1, 10), "Europe/Berlin", "2024-01-09T23:00:00+0000"),
        (pendulum.date(2024, 1, 10), "Europe/Berlin", "2024-01-09T23:00:00+0000"),
    ],
)
def test_date_without_offset_is_read_in_the_owners_zone(written: object, zone: str | None, sent: str) -> None:
    """A date without offset is read in the key owner's zone and in UTC where that is null."""
    assert instant(written, zone) == sent


@pytest.mark.parametrize(
    ("written", "zone", "earliest", "latest"),
    [
        ("2024-10-27 02:30:00", "Europe/Berlin", "2024-10-27T00:30:00+0000", "2024-10-27T01:30:00+0000"),  # twice
        ("2024-03-31 02:30:00", "Europe/Berlin", "2024-03-31T00:30:00+0000", "2024-03-31T01:30:00+0000"),  # never
        ("2024-04-07 01:45:00", "Australia/Lord_Howe", "2024-04-06T14:45:00+0000", "2024-04-06T15:15:00+0000"),
        ("2011-12-30", "Pacific/Apia", "2011-12-29T10:00:00+0000", "2011-12-30T10:00:00+0000"),  # a day that never was
        ("2024-10-27 03:00:00", "Europe/Berlin", "2024-10-27T02:00:00+0000", "2024-10-27T02:00:00+0000"),  # once
    ],
)
def test_clock_changes_use_the_reading_that_exports_more(written: str, zone: str, earliest: str, latest: str) -> None:
    """Where clocks change the reading that exports more is taken."""
    assert (instant(written, zone, "start"), instant(written, zone, "end")) == (earliest, latest)


@pytest.mark.parametrize(
    ("written", "start", "end"),
    [
        ("2024-01-10T00:00:00.999Z", "2024-01-10T00:00:00+0000", "2024-01-10T00:00:01+0000"),
        ("2024-01-10T00:00:00.000001Z", "2024-01-10T00:00:00+0000", "2024-01-10T00:00:01+0000"),
        ("2024-01-10T00:00:00.000Z", "2024-01-10T00:00:00+0000", "2024-01-10T00:00:00+0000"),
        ("2024-01-10 23:59:59.5", "2024-01-10T23:59:59+0000", "2024-01-11T00:00:00+0000"),
        (
            datetime(2024, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
            "2024-12-31T23:59:59+0000",
            "2025-01-01T00:00:00+0000",
        ),
    ],
)
def test_a_fraction_of_a_second_is_dropped_outwards(written: object, start: str, end: str) -> None:
    assert (instant(written, end="start"), instant(written, end="end")) == (start, end)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "yesterday",
        "2024",
        "2024-1-10",
        "2024-13-01",
        "2024-02-30",
        "20240110",
        "10.01.2024",
        "01/10/2024",
        "2024-01-10 24:00:00",
        "2024-01-10 12:00",
        "2024-01-10T12:00:00 UTC",
        "2024-01-10T12:00:00+5",
        "2024-01-10T12:00:00+2460",
        "2024-01-10T12:00:00+0560",
        "2024-01-10T12:00:00.Z",
        "0001-01-01T00:00:00+0100",
        "9999-12-31T23:59:59-0100",
        "２０２４-01-10",  # noqa: RUF001  digits, but not those of the form
        "2024-01-10+0100",
        None,
        1704844800,
        ["2024-01-10"],
    ],
)
def test_other_forms_are_refused_with_the_valid_ones(written: object) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_date(written)
    assert repr(written) in str(raised.value)
    assert "It must be 'YYYY-MM-DD', 'YYYY-MM-DD hh:mm:ss'" in str(raised.value)


@pytest.mark.parametrize("naive", [datetime(2024, 1, 10, 12), pendulum.naive(2024, 1, 10, 12)])
def test_datetime_without_zone_is_refused(naive: datetime) -> None:
    """A datetime without zone is refused since its zone would be a guess."""
    with pytest.raises(ConfigurationError, match=r"has no time zone. Give it one \(pendulum"):
        read_date(naive)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "America", "../etc/passwd", "x" * 300, " ", "a\0b"])
def test_unknown_owner_zone_is_refused_with_advice(zone: str) -> None:
    """An owner's zone that is unknown here is refused with the way around."""
    with pytest.raises(ConfigurationError, match=r"unknown here.*Write dates with an offset"):
        to_utc(read_date("2024-01-10"), zone, "start")
    assert instant("2024-01-10T00:00:00Z", zone) == "2024-01-10T00:00:00+0000"


@pytest.mark.parametrize(
    ("written", "zone", "end"),
    [
        ("0001-01-01", "Asia/Tokyo", "start"),
        ("9999-12-31 23:00:00", "America/New_York", "end"),
        ("9999-12-31T23:59:59.5Z", None, "end"),
    ],
)
def test_a_moment_outside_the_calendar_is_refused_in_words(written: str, zone: str | None, end: End) -> None:
    with pytest.raises(ConfigurationError, match="1 to 9999"):
        instant(written, zone, end)


START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "operator", "value"),
    [
        (START, END, "BETWEEN", {"min": "2024-01-01T00:00:00+0000", "max": "2024-01-02T03:04:05+0000"}),
        (START, None, "GREATER_THAN_OR_EQUAL", "2024-01-01T00:00:00+0000"),
        (None, END, "LESS_THAN_OR_EQUAL", "2024-01-02T03:04:05+0000"),
    ],
)
def test_the_bounds_that_are_given_choose_the_operator(
    start: datetime | None, end: datetime | None, operator: str, value: object
) -> None:
    assert wire_range(start, end) == {"operator": operator, "timezone": "UTC", "value": value}


def test_a_range_without_bounds_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one bound"):
        wire_range(None, None)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 22, 2, tzinfo=UTC), "2026-11-22T02:00:00Z"),
        (datetime(2026, 11, 22, 2, 0, 0, 120, tzinfo=UTC), "2026-11-22T02:00:00.000120Z"),
        (datetime(2026, 11, 22, 2, tzinfo=ZoneInfo("Asia/Kolkata")), "2026-11-21T20:30:00Z"),
    ],
)
def test_handles_and_manifests_write_instants_in_utc_with_z(moment: datetime, text: str) -> None:
    assert iso_utc(moment) == text


moments = st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1))
zones = st.sampled_from(ZONES)


@given(moments, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)), st.sampled_from(["%+03d%02d", "%+03d:%02d"]))
def test_text_with_an_offset_keeps_its_instant(moment: datetime, offset: timedelta, form: str) -> None:
    minutes = int(offset.total_seconds() // 60)
    sign, (hours, rest) = (-1 if minutes < 0 else 1), divmod(abs(minutes), 60)
    zone = timezone(timedelta(minutes=minutes))
    suffix = form % (sign * hours, rest) if hours else ("-" if sign < 0 else "+") + (form % (0, rest))[1:]
    assert read_date(f"{moment.isoformat()}{suffix}") == moment.replace(tzinfo=zone)


@given(moments, zones, st.integers(0, 1))
def test_aware_datetime_keeps_its_instant(moment: datetime, zone: str, fold: int) -> None:
    """An aware datetime keeps its instant in every zone and fold."""
    aware = moment.replace(tzinfo=ZoneInfo(zone), fold=fold)
    read = read_date(aware)
    assert read.utcoffset() == timedelta()
    assert read.timestamp() == aware.timestamp()


@given(moments, zones)
@example(datetime(2024, 10, 27, 2, 30), "Europe/Berlin")
@example(datetime(2024, 3, 31, 2, 30), "Europe/Berlin")
def test_a_naive_date_covers_every_instant_that_it_may_mean(moment: datetime, zone: str) -> None:
    text = moment.isoformat(sep=" ", timespec="microseconds")
    first, last = (to_utc(read_date(text), zone, end) for end in ("start", "end"))
    candidates = [moment.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)]
    assert first == min(candidates)
    assert last == max(candidates)
    # Where the clock shows this time just once, there is nothing to choose.
    shows = [each for each in candidates if each.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) == moment]
    if len(set(shows)) == 1:
        assert first == last == shows[0]


@given(moments)
def test_whole_seconds_enclose_the_moment_by_less_than_a_second(moment: datetime) -> None:
    low, high = whole_second(moment, "start"), whole_second(moment, "end")
    assert low <= moment <= high
    assert high - low in (timedelta(), timedelta(seconds=1))
    assert low.microsecond == high.microsecond == 0


@given(st.datetimes(timezones=st.sampled_from([ZoneInfo(zone) for zone in ZONES]), min_value=datetime(1, 1, 3)))
def test_what_goes_on_the_wire_reads_back_as_the_same_second(moment: datetime) -> None:
    assert wire_text(moment) == wire_text(read_date(wire_text(moment)))
    assert len(wire_text(moment)) == len("2024-01-10T00:00:00+0000")
