"""`ParamsWindow`: what a person filled into the trigger form, else the run's own window, and never half of either."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from labelbox_export_provider.domain.windows.windows import (
    DataIntervalWindow,
    FixedWindow,
    ParamsWindow,
    PartitionWindow,
    ResolvedWindow,
    RunInterval,
    check_window,
    parse_window,
    plain_window,
)
from labelbox_export_provider.errors import ConfigurationError, WindowError

NIGHT = (datetime(2026, 11, 22, 2, tzinfo=timezone.utc), datetime(2026, 11, 23, 2, tzinfo=timezone.utc))
EMPTY = {"start": None, "end": None}
GIVEN = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}


def resolve(params: dict[str, Any] | None, window: ParamsWindow | None = None, *, dated: bool = True) -> ResolvedWindow:
    start, end = NIGHT if dated else (None, None)
    return (window or ParamsWindow()).resolve(RunInterval(start, end, "manual__1", params=params))


def test_a_run_whose_form_was_left_empty_has_its_own_window() -> None:
    assert resolve(EMPTY) == DataIntervalWindow().resolve(RunInterval(*NIGHT))


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize(
    "params",
    [
        GIVEN,
        {"start": "2026-01-01T05:30:00+05:30", "end": "2026-01-31T16:00:00-08:00"},
        {"start": "2026-01-01T00:00:00.000Z", "end": "2026-02-01 00:00:00+0000", "project_id": "x"},
    ],
)
def test_filled_in_form_is_the_window(params: dict[str, str], dated: bool) -> None:
    """A filled in form is the window whether the run has an interval or not."""
    window = resolve(params, dated=dated)
    assert window.start == datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert window.end == datetime(2026, 2, 1, tzinfo=timezone.utc)
    assert window == FixedWindow(GIVEN["start"], GIVEN["end"]).resolve(RunInterval(None, None))


def test_form_has_options_but_no_look_back() -> None:
    """A filled in form has the options of the other window but neither look back nor first load."""
    otherwise = DataIntervalWindow(
        field="label_created_at", settle=60, lookback=86400, open_start_at="2026-06-01T00:00:00Z"
    )
    window = resolve(GIVEN, ParamsWindow(otherwise=otherwise))
    assert (window.field, window.trim) == ("label_created_at", False)
    assert window.ready_at == datetime(2026, 2, 1, 0, 1, tzinfo=timezone.utc)
    assert window.queried_start == datetime(2025, 12, 31, 23, 59, 59, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        (
            {"start": GIVEN["start"], "end": None},
            ["given 'start' and not 'end'", "half a window", "with both fields filled in, or with neither"],
        ),
        ({"start": None, "end": GIVEN["end"]}, ["given 'end' and not 'start'", "half a window"]),
        ({"start": "", "end": ""}, ["'' in the field 'start'", "is not a date"]),
        ({"start": " ", "end": GIVEN["end"]}, ["' ' in the field 'start'"]),
        ({"start": GIVEN["start"], "end": "None"}, ["'None' in the field 'end'"]),
        ({"start": GIVEN["end"], "end": GIVEN["start"]}, ["'end' (2026-01-01T00:00:00Z) not after 'start'"]),
        (
            {"start": GIVEN["start"], "end": GIVEN["start"]},
            ["not after 'start'", "with an end that lies after the start"],
        ),
        ({"start": "2026-01-01", "end": GIVEN["end"]}, ["'2026-01-01' in the field 'start'", "needs an instant"]),
        ({"start": "2026-01-01T00:00", "end": GIVEN["end"]}, ["in the field 'start'", "is not a date"]),
        ({"start": "2026-01-01 00:00:00", "end": GIVEN["end"]}, ["in the field 'start'", "needs an instant"]),
        ({"start": 7, "end": GIVEN["end"]}, ["7 in the field 'start'"]),
        ({"start": False, "end": GIVEN["end"]}, ["False in the field 'start'"]),
        ({"end": None}, ["has no param 'start' (there are: 'end')", "DAG(params=window_params('start', 'end'))"]),
        ({"strat": None, "end": None}, ["has no param 'start' (there are: 'end', 'strat')"]),
        ({}, ["has no param 'start' (there are: none)"]),
        (None, ["has no param 'start'"]),
    ],
)
@pytest.mark.parametrize("dated", [True, False])
def test_half_a_window_is_refused_by_field(params: dict[str, Any] | None, parts: list[str], dated: bool) -> None:
    """Half a window or a wrong one is refused by the names of the fields."""
    with pytest.raises(WindowError) as raised:
        resolve(params, dated=dated)
    assert [
        part for part in [*parts, "Run 'manual__1'", "Nothing was exported."] if part not in str(raised.value)
    ] == []


def test_empty_form_without_interval_is_refused() -> None:
    """An empty form of a run without interval is refused and says that the form would do."""
    with pytest.raises(WindowError) as raised:
        resolve(EMPTY, dated=False)
    assert "has no data interval" in str(raised.value)
    assert "with the fields 'start' and 'end' filled in" in str(raised.value)


def test_the_fields_may_have_other_names() -> None:
    window = ParamsWindow("since", "until", otherwise=PartitionWindow(timedelta(days=1)))
    assert resolve({"since": GIVEN["start"], "until": GIVEN["end"]}, window).start.year == 2026
    with pytest.raises(WindowError, match=r"window_params\('since', 'until'\)"):
        resolve(EMPTY, window)
    with pytest.raises(WindowError, match=r"no partition date.*fields 'since' and 'until' filled in"):
        resolve({"since": None, "until": None}, window)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"start": "x", "end": "x"}, "start and end both name the param 'x'"),
        ({"start": ""}, "option 'start' of a window from params: the name of a param"),
        ({"start": None}, "option 'start' of a window from params: the name of a param"),
        ({"end": "{{ params.end }}"}, "option 'end' of a window from params: the name of a param"),
        ({"otherwise": None}, "option 'otherwise' of a window from params: must be DataIntervalWindow()"),
        ({"otherwise": {}}, "must be DataIntervalWindow()"),
        ({"otherwise": {"kind": "params"}}, "must be DataIntervalWindow()"),
        ({"otherwise": ParamsWindow()}, "must be DataIntervalWindow()"),
        ({"otherwise": {"kind": "partition"}}, "option 'width' of a window"),
        ({"otherwise": {"kind": "data_interval", "lookbak": 1}}, "Did you mean 'lookback'?"),
        ({"settle": 5}, "'settle' is not an option of a window from params"),
    ],
)
def test_wrong_options_are_refused_while_parsing(options: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ParamsWindow(**options)
    assert part in str(raised.value)
    with pytest.raises(ConfigurationError):
        check_window(plain_window({"kind": "params"} | options), None)


@pytest.mark.parametrize(
    ("window", "stored"),
    [
        (ParamsWindow(), {"kind": "params", "start": "start", "end": "end"}),
        (
            ParamsWindow("a", "b", otherwise=DataIntervalWindow(lookback=60)),
            {"kind": "params", "start": "a", "end": "b", "otherwise": {"kind": "data_interval", "lookback": "PT1M"}},
        ),
        (
            ParamsWindow(otherwise=PartitionWindow("PT1H")),
            {"kind": "params", "start": "start", "end": "end", "otherwise": {"kind": "partition", "width": "PT1H"}},
        ),
    ],
)
def test_it_survives_the_plain_form(window: ParamsWindow, stored: dict[str, Any]) -> None:
    assert plain_window(window) == stored
    assert parse_window(stored) == window
    check_window(stored, None)


def test_the_other_window_may_hold_templates_in_the_plain_form() -> None:
    stored = {"kind": "params", "otherwise": {"kind": "data_interval", "open_start_at": "{{ dag.start_date }}"}}
    check_window(stored, None)
    with pytest.raises(ConfigurationError, match="Did you mean 'open_start_at'"):
        check_window({"kind": "params", "otherwise": {"kind": "data_interval", "open_start": "{{ x }}"}}, None)
    check_window({"kind": "params", "otherwise": {"kind": "partition", "width": "{{ x }}"}}, None)
    check_window({"kind": "params", "otherwise": "{{ x }}"}, None)


def test_a_filter_on_the_field_of_the_other_window_is_refused() -> None:
    filters = {"label_created_at": ["2024-01-10", None]}
    check_window(plain_window(ParamsWindow()), filters)
    by_labels = ParamsWindow(otherwise=DataIntervalWindow(field="label_created_at"))
    with pytest.raises(ConfigurationError, match=r"Both window= and filters\['label_created_at'\]"):
        check_window(plain_window(by_labels), filters)
