"""When an export of a window may be started: `settle` after its end, and never for an end in the far future."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from labelbox_export_provider.domain.windows.windows import (
    AnyWindow,
    DataIntervalWindow,
    FixedWindow,
    ParamsWindow,
    PartitionWindow,
    ResolvedWindow,
    RunInterval,
    wait_until,
)
from labelbox_export_provider.errors import WindowError

UTC = timezone.utc
END = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def window(**options: Any) -> ResolvedWindow:
    return DataIntervalWindow(**options).resolve(RunInterval(END - DAY, END))


@pytest.mark.parametrize(
    ("settle", "now", "until"),
    [
        # seconds after the end, None where the start may be made at once
        (300, 0, 300),
        (300, 299.999999, 300),
        (300, 300, None),
        (300, 300.000001, None),
        (300, 10**8, None),
        (300, -3600, 300),
        (300, -86400, 300),
        (0, 0, None),
        (0, -0.000001, 0),
        (0, -86400, 0),
        (0, 1, None),
        (2 * 86400, 0, 2 * 86400),  # a slow index: only the end's own distance is bounded
        (2 * 86400, -86400, 2 * 86400),
    ],
)
def test_an_export_waits_until_its_window_has_settled(settle: float, now: float, until: float | None) -> None:
    expected = None if until is None else END + timedelta(seconds=until)
    assert wait_until(window(settle=settle), END + timedelta(seconds=now)) == expected


@pytest.mark.parametrize("ahead", [timedelta(days=1, microseconds=1), timedelta(days=365 * 50)])
def test_an_end_more_than_a_day_ahead_is_refused(ahead: timedelta) -> None:
    with pytest.raises(WindowError) as raised:
        wait_until(window(), END - ahead)
    for part in ("[2026-11-22T02:00:00Z, 2026-11-23T02:00:00Z) ends in", "more than a day", "Nothing was exported."):
        assert part in str(raised.value)


PARTITION = RunInterval(None, None, partition_date=END - DAY)
GIVEN = RunInterval(None, None, params={"start": "2026-11-22T02:00:00Z", "end": "2026-11-23T02:00:00Z"})


@pytest.mark.parametrize(
    ("kind", "run", "settle"),
    [
        (DataIntervalWindow(), RunInterval(END - DAY, END), 900),
        (FixedWindow(END - DAY, END), RunInterval(None, None), 900),
        (FixedWindow(END - DAY, END, settle=7), RunInterval(None, None), 7),
        (PartitionWindow(DAY), PARTITION, 900),
        (PartitionWindow(DAY, settle="PT1H"), PARTITION, 3600),
        (ParamsWindow(), GIVEN, 900),
        (ParamsWindow(otherwise=DataIntervalWindow(settle=60)), GIVEN, 60),
        (ParamsWindow(otherwise=PartitionWindow(DAY, settle=0)), GIVEN, 0),
    ],
)
def test_every_kind_of_window_settles(kind: AnyWindow, run: RunInterval, settle: int) -> None:
    assert kind.resolve(run).ready_at == END + timedelta(seconds=settle)


def test_look_back_does_not_change_the_start() -> None:
    """A look back and a first load do not change when it may start."""
    assert window(lookback=DAY).ready_at == window(open_start_at=END - DAY).ready_at == END + timedelta(minutes=15)


def test_a_window_written_out_by_hand_need_not_wait() -> None:
    by_hand = ResolvedWindow("last_activity_at", END - DAY, END, END - DAY, END, trim=True)
    assert wait_until(by_hand, END - timedelta(hours=1)) is None
