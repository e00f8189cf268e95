"""Filters: Labelbox's names in, `searchQuery.query` entries out, and a sentence for everything else."""

# ruff: noqa: DTZ001  naive moments are a part of what is specified here
from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pendulum
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from labelbox_export_provider.domain.options.option_model import plain
from labelbox_export_provider.domain.request.filters import MAX_IDS, ProjectFilters
from labelbox_export_provider.errors import ConfigurationError

UTC = timezone.utc


def rendered(filters: dict[str, Any], zone: str | None = "UTC") -> list[dict[str, object]]:
    return ProjectFilters.parse(filters).render(zone)


def refusal(filters: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as raised:
        ProjectFilters.parse(filters)
    return str(raised.value)


def date_entry(wire_name: str, operator: str, value: object) -> dict[str, object]:
    return {"type": wire_name, "value": {"operator": operator, "timezone": "UTC", "value": value}}


DAY = ["2024-01-10", "2024-01-11"]
DAY_VALUE = {"min": "2024-01-10T00:00:00+0000", "max": "2024-01-11T00:00:00+0000"}


@pytest.mark.parametrize(
    ("filters", "query"),
    [
        ({}, []),
        ({"last_activity_at": DAY}, [date_entry("data_row_last_activity_at", "BETWEEN", DAY_VALUE)]),
        ({"label_created_at": DAY}, [date_entry("labeled_at", "BETWEEN", DAY_VALUE)]),
        (
            {"last_activity_at": ["2024-01-10", None]},
            [date_entry("data_row_last_activity_at", "GREATER_THAN_OR_EQUAL", "2024-01-10T00:00:00+0000")],
        ),
        (
            {"label_created_at": [None, "2024-01-10"]},
            [date_entry("labeled_at", "LESS_THAN_OR_EQUAL", "2024-01-10T00:00:00+0000")],
        ),
        ({"last_activity_at": [None, None]}, []),
        ({"last_activity_at": None, "batch_ids": None, "workflow_status": None}, []),
        ({"data_row_ids": ["r1", "r2"]}, [{"type": "data_row_id", "operator": "is", "ids": ["r1", "r2"]}]),
        ({"global_keys": ["k é", "k2"]}, [{"type": "global_key", "operator": "is", "ids": ["k é", "k2"]}]),
        ({"batch_ids": ["b1"]}, [{"type": "batch", "operator": "is", "ids": ["b1"]}]),
        ({"workflow_status": "InReview"}, [{"type": "task_queue_status", "status": "InReview"}]),
        ({"workflow_status": "InRework"}, [{"type": "task_queue_status", "status": "InRework"}]),
        ({"workflow_status": "Done"}, [{"type": "task_queue_status", "status": "Done"}]),
        ({"workflow_status": "ToLabel"}, [{"type": "task_queue_not_exist"}]),
    ],
)
def test_each_filter_becomes_the_entry_of_the_protocol(filters: dict[str, Any], query: list[dict[str, Any]]) -> None:
    assert rendered(filters) == query


def test_filters_are_joined_by_and_into_one_query() -> None:
    filters = {"workflow_status": "Done", "batch_ids": ["b"], "global_keys": ["k"], "last_activity_at": DAY}
    assert [entry["type"] for entry in rendered(filters)] == [
        "data_row_last_activity_at",
        "global_key",
        "batch",
        "task_queue_status",
    ]


@pytest.mark.parametrize(
    ("bounds", "zone", "value"),
    [
        (
            ["2024-01-10T00:00:00+0530", "2024-01-11T00:00:00+0530"],
            "Europe/Berlin",
            {"min": "2024-01-09T18:30:00+0000", "max": "2024-01-10T18:30:00+0000"},
        ),
        (DAY, "Europe/Berlin", {"min": "2024-01-09T23:00:00+0000", "max": "2024-01-10T23:00:00+0000"}),
        (DAY, None, DAY_VALUE),
        (
            ["2024-01-10", "2024-01-11T00:00:00+0530"],  # a plain start in the owner's zone, an end with its own
            "America/New_York",
            {"min": "2024-01-10T05:00:00+0000", "max": "2024-01-10T18:30:00+0000"},
        ),
        (
            ["2024-01-10T00:00:00.400Z", "2024-01-10T00:00:00.600Z"],
            None,
            {"min": "2024-01-10T00:00:00+0000", "max": "2024-01-10T00:00:01+0000"},
        ),
        (
            (datetime(2024, 1, 10, tzinfo=UTC), pendulum.datetime(2024, 1, 11, tz="Asia/Tokyo")),
            None,
            {"min": "2024-01-10T00:00:00+0000", "max": "2024-01-10T15:00:00+0000"},
        ),
        (
            (date(2024, 1, 10), date(2024, 1, 11)),
            "Asia/Kolkata",
            {"min": "2024-01-09T18:30:00+0000", "max": "2024-01-10T18:30:00+0000"},
        ),
        (
            "['2024-01-10', '2024-01-11']",  # as a template without native rendering leaves a list
            None,
            DAY_VALUE,
        ),
        ('["2024-01-10", "2024-01-11"]', None, DAY_VALUE),
    ],
)
def test_dates_are_sent_in_utc_whatever_they_were_written_in(bounds: object, zone: str | None, value: object) -> None:
    assert rendered({"last_activity_at": bounds}, zone) == [date_entry("data_row_last_activity_at", "BETWEEN", value)]


def test_ambiguous_start_and_end_export_more() -> None:
    """A start and end that a clock change makes ambiguous export more."""
    night = {"last_activity_at": ["2024-10-27 02:30:00", "2024-10-27 02:30:00"]}
    assert rendered(night, "Europe/Berlin")[0]["value"] == {
        "operator": "BETWEEN",
        "timezone": "UTC",
        "value": {"min": "2024-10-27T00:30:00+0000", "max": "2024-10-27T01:30:00+0000"},
    }


@pytest.mark.parametrize(
    ("bounds", "needed"),
    [
        (DAY, True),
        (["2024-01-10", None], True),
        (["2024-01-10T00:00:00Z", "2024-01-11"], True),
        (["2024-01-10T00:00:00Z", "2024-01-11T00:00:00+0100"], False),
        ([None, None], False),
    ],
)
def test_owner_zone_is_needed_only_without_offset(bounds: list[str | None], needed: bool) -> None:
    """The key owner's zone is needed only for dates without offset."""
    assert ProjectFilters(last_activity_at=bounds).needs_owner_timezone() is needed
    assert ProjectFilters(label_created_at=bounds).needs_owner_timezone() is needed


MANY = [f"id-{number}" for number in range(MAX_IDS + 1)]


@pytest.mark.parametrize(
    ("filters", "parts"),
    [
        ({"last_activty_at": DAY}, ["'last_activty_at' is not a filter of project exports", "'last_activity_at'?"]),
        ({"workflow": "Done"}, ["Did you mean 'workflow_status'?"]),
        ({"batch_id": ["b"]}, ["Did you mean 'batch_ids'?"]),
        ({"workflow_status": "DONE"}, ["filter 'workflow_status'", "'ToLabel', 'InReview', 'InRework' or 'Done'"]),
        ({"workflow_status": ["Done"]}, ["filter 'workflow_status'", "Given: ['Done']."]),
        (
            {"data_row_ids": ["r"], "global_keys": ["k"]},
            ["'data_row_ids' and 'global_keys' exclude each other", "Keep"],
        ),
        ({"data_row_ids": MANY}, ["'data_row_ids'", "2001 entries", "at most 2,000", "chunks of 2,000", "expand()"]),
        ({"global_keys": MANY}, ["'global_keys'", "at most 2,000", "expand()"]),
        ({"batch_ids": MANY}, ["'batch_ids'", "at most 2,000"]),
        ({"batch_ids": []}, ["'batch_ids'", "an empty list is refused", "Leave the filter out"]),
        ({"batch_ids": "[]"}, ["'batch_ids'", "an empty list is refused"]),
        ({"batch_ids": ["b", " "]}, ["'batch_ids'", "an entry is empty"]),
        ({"batch_ids": "b1"}, ["'batch_ids'", "a list is needed", "['id1']", "Given: 'b1'."]),
        ({"batch_ids": '("b1")'}, ["'batch_ids'", "a list is needed"]),
        ({"batch_ids": "(5)"}, ["'batch_ids'", "a list is needed"]),
        ({"batch_ids": "[" * 5000}, ["'batch_ids'", "a list is needed"]),
        ({"batch_ids": [1]}, ["'batch_ids.0'", "string"]),
        (
            {"last_activity_at": ["yesterday", None]},
            ["'last_activity_at'", "'yesterday' is not a date", "It must be 'YYYY"],
        ),
        ({"label_created_at": ["2024-01-10", "10.1.2024"]}, ["'label_created_at'", "'10.1.2024' is not a date"]),
        ({"last_activity_at": list(reversed(DAY))}, ["'last_activity_at'", "the end is before the start"]),
        (
            {"last_activity_at": ["2024-01-10T00:00:00Z", "2024-01-10T00:00:00+0100"]},
            ["'last_activity_at'", "the end is before the start"],
        ),
        (
            {"last_activity_at": "2024-01-10"},
            ["'last_activity_at'", "two bounds, [start, end]", "Given: '2024-01-10'."],
        ),
        ({"last_activity_at": ["2024-01-10"]}, ["'last_activity_at'", "two bounds"]),
        ({"last_activity_at": [*DAY, None]}, ["'last_activity_at'", "two bounds"]),
        ({"last_activity_at": {"min": "2024-01-10"}}, ["'last_activity_at'", "two bounds"]),
        ({"last_activity_at": [datetime(2024, 1, 10), None]}, ["'last_activity_at'", "has no time zone"]),
        ({"last_activity_at": [None, pendulum.naive(2024, 1, 10)]}, ["'last_activity_at'", "has no time zone"]),
    ],
)
def test_other_filters_are_refused_with_advice(filters: dict[str, Any], parts: list[str]) -> None:
    """Anything else is refused with the name and what to write."""
    message = refusal(filters)
    assert [part for part in parts if part not in message] == []
    assert len(message) < 700


def test_two_thousand_ids_are_the_most_that_is_taken() -> None:
    assert rendered({"data_row_ids": MANY[:MAX_IDS]}) == [
        {"type": "data_row_id", "operator": "is", "ids": MANY[:MAX_IDS]}
    ]


def test_crossing_bounds_of_both_kinds_are_refused() -> None:
    """Bounds of both kinds that cross are refused once the owner's zone is known."""
    filters = ProjectFilters(last_activity_at=["2024-01-10", "2024-01-10T00:00:00+0900"])
    with pytest.raises(ConfigurationError, match=r"'last_activity_at': the end .* lies before the start '2024-01-10'"):
        filters.render("America/New_York")


@pytest.mark.parametrize("given_ids", [{"b", "c", "a", "d"}, frozenset({"d", "c", "b", "a"})])
def test_set_of_ids_is_sorted(given_ids: object) -> None:
    """A set of ids is sorted since a retry in another process has to ask the same."""
    assert rendered({"batch_ids": given_ids})[0]["ids"] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("text", ["['r1', 'r2']", '["r1", "r2"]', "('r1', 'r2')", "  ['r1', 'r2']\n"])
def test_a_list_may_be_the_text_that_a_template_renders_to(text: str) -> None:
    assert rendered({"data_row_ids": text})[0]["ids"] == ["r1", "r2"]


@given(st.text().filter(lambda name: name not in ProjectFilters.model_fields))
def test_every_unknown_name_is_refused_by_name(name: str) -> None:
    assert repr(name) in refusal({name: ["x"]})


moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.sampled_from([UTC]))


@given(
    moments, moments, st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))])
)
def test_a_range_encloses_what_was_asked_by_less_than_a_second(first: datetime, last: datetime, zone: timezone) -> None:
    assume(first <= last)
    filters = ProjectFilters(last_activity_at=(first.astimezone(zone), last.astimezone(zone)))
    value: Any = filters.render(None)[0]["value"]
    low, high = (datetime.strptime(value["value"][bound], "%Y-%m-%dT%H:%M:%S%z") for bound in ("min", "max"))
    assert timedelta() <= first - low < timedelta(seconds=1)
    assert timedelta() <= high - last < timedelta(seconds=1)


ids = st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=5)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "last_activity_at": st.tuples(moments, st.none()),
            "label_created_at": st.just(tuple(DAY)),
            "batch_ids": ids,
            "global_keys": ids,
            "workflow_status": st.sampled_from(["ToLabel", "Done"]),
        },
    )
)
def test_filters_survive_the_plain_form_that_airflow_stores(values: dict[str, Any]) -> None:
    filters = ProjectFilters.parse(values)
    again = ProjectFilters.parse(plain(filters))
    assert again == filters
    assert again.render("Europe/Berlin") == filters.render("Europe/Berlin")
