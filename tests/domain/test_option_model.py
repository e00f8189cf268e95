"""Options while a DAG is parsed: what is a template, what can be checked already, what Airflow can store."""

# ruff: noqa: DTZ001  naive moments are a part of what is specified here
from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbox_export_provider.domain.options.option_model import plain
from labelbox_export_provider.domain.options.templates import is_template, refuse_empty_text
from labelbox_export_provider.domain.request.export_params import ProjectExportParams
from labelbox_export_provider.domain.request.filters import ProjectFilters
from labelbox_export_provider.domain.windows.windows import DataIntervalWindow
from labelbox_export_provider.errors import ConfigurationError

UTC = timezone.utc


class LaterValue:
    """Stands for an XComArg: a value that another task will give."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ ds }}", True),
        ("{% if x %}a{% endif %}", True),
        ("2024-{{ m }}-01", True),
        ({"a": {"b": ["x", "{{ y }}"]}}, True),
        (("x", "{{ y }}"), True),
        (LaterValue(), True),
        ({"a": LaterValue()}, True),
        ("plain", False),
        ("{ not one }", False),
        ("", False),
        (None, False),
        (True, False),
        (3, False),
        (1.5, False),
        (b"x", False),
        ({"a": [1, None, "b"]}, False),
        ({"x"}, False),
        (date(2024, 1, 1), False),
        (datetime(2024, 1, 1, tzinfo=UTC), False),
        (pendulum.datetime(2024, 1, 1), False),
        (timedelta(days=1), False),
        (ProjectExportParams(), False),
        (DataIntervalWindow(), False),
    ],
)
def test_a_template_is_what_is_filled_in_only_when_the_task_runs(value: object, expected: bool) -> None:
    assert is_template(value) is expected


@pytest.mark.parametrize(
    "options",
    [
        None,
        {},
        "{{ var.json.filters }}",
        LaterValue(),
        ProjectFilters(batch_ids=["b"]),
        {"batch_ids": "{{ params.batches }}"},
        {"batch_ids": LaterValue(), "workflow_status": "Done"},
        {"last_activity_at": ["{{ ds }}", None]},
    ],
)
def test_while_parsing_what_may_still_become_right_is_accepted(options: object) -> None:
    ProjectFilters.check_known(options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_id": "{{ x }}"}, "Did you mean 'batch_ids'?"),
        ({"batch_ids": "{{ x }}", "workflow_status": "done"}, "filter 'workflow_status'"),
        ({"batch_ids": []}, "an empty list is refused"),
        (
            "batch_ids",
            "filters of project exports must be a mapping such as {'last_activity_at': ...}, not str: 'batch_ids'.",
        ),
        (["batch_ids"], "must be a mapping"),
        (ProjectExportParams(), "ProjectExportParams holds export params of project exports; project exports take"),
    ],
)
def test_while_parsing_what_is_wrong_already_is_refused(options: object, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ProjectFilters.check_known(options)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ("", "filters"),
        ("  ", "filters"),
        ("None", "filters"),
        (" None ", "filters"),
        ("null", "filters"),
        ("undefined", "filters"),
        ({"batch_ids": "None"}, "filters['batch_ids']"),
        ({"last_activity_at": ["2024-01-10", ""]}, "filters['last_activity_at'][1]"),
        ({"data_row_ids": ("a", "")}, "filters['data_row_ids'][1]"),
    ],
)
def test_emptied_text_is_refused(value: object, where: str) -> None:
    """Text that a template left empty is not treated as no filter."""
    with pytest.raises(ConfigurationError) as raised:
        refuse_empty_text("filters", value)
    assert str(raised.value).startswith(f"{where} rendered to ")
    assert "leave the option out" in str(raised.value)


@pytest.mark.parametrize("value", [None, {}, [], 0, False, {"last_activity_at": ["2024-01-10", None]}, "Nonesuch"])
def test_what_is_no_empty_text_passes(value: object) -> None:
    refuse_empty_text("filters", value)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        ("{{ ds }}", "{{ ds }}"),
        (ProjectExportParams(attachments=True), {"attachments": True}),
        (ProjectFilters(batch_ids=["b"]), {"batch_ids": ["b"]}),
        ((1, 2), [1, 2]),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (date(2024, 1, 10), "2024-01-10"),
        (datetime(2024, 1, 10, tzinfo=UTC), "2024-01-10T00:00:00+00:00"),
        (pendulum.datetime(2024, 1, 10, tz="Asia/Kolkata"), "2024-01-10T00:00:00+05:30"),
        (
            {"last_activity_at": (datetime(2024, 1, 10, tzinfo=UTC), None)},
            {"last_activity_at": ["2024-01-10T00:00:00+00:00", None]},
        ),
    ],
)
def test_the_plain_form_is_what_json_can_hold(value: object, stored: object) -> None:
    assert plain(value) == stored
    assert json.loads(json.dumps(plain(value))) == stored


def test_output_of_another_task_is_kept() -> None:
    """A value that another task gives stays itself for Airflow to resolve."""
    later = LaterValue()
    assert plain({"batch_ids": later})["batch_ids"] is later


@pytest.mark.parametrize("naive", [datetime(2024, 1, 10), pendulum.naive(2024, 1, 10)])
def test_datetime_without_zone_is_not_serialized(naive: datetime) -> None:
    """A datetime without zone is not turned into text that some zone would claim."""
    with pytest.raises(ConfigurationError, match="has no time zone"):
        plain({"last_activity_at": [naive, None]})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_what_json_holds_already_stays_as_it_is(value: Any) -> None:
    assert plain(value) == value
