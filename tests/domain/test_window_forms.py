"""Windows as operators keep them and check them while a DAG is parsed."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from labelbox_export_provider.domain.windows.windows import (
    DataIntervalWindow,
    FixedWindow,
    RunInterval,
    check_window,
    parse_window,
    plain_window,
    window_kind,
)
from labelbox_export_provider.errors import ConfigurationError

UTC = timezone.utc


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


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
