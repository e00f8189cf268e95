"""Options of the export operators: templates, values that are refused, and forms that are taken."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
import pytest
from airflow.sdk import Param
from support.airflow.project_exports import failure_of, rendered, start_of
from support.airflow.tasks import context_of, some_dag

from labelbox_export_provider import DataIntervalWindow, ExportTaskSensor, FixedWindow, ProjectExportOperator
from labelbox_export_provider.airflow_compat import AirflowException
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.params import ProjectExportParams, ProjectFilters
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.accounts import FakeUser


def test_every_field_may_be_a_template(fake: FakeLabelbox) -> None:
    """Every field may be a template, also inside of export params and filters."""
    with some_dag(params={"project": fake.project_id, "details": True, "since": "2026-11-21"}):
        start = ProjectExportOperator(
            task_id="start",
            project_id="{{ params.project }}",
            export_params={"label_details": "{{ params.details }}"},
            filters={"label_created_at": ["{{ params.since }}", None], "workflow_status": "{{ 'Done' }}"},
            window=FixedWindow("{{ data_interval_start }}", "{{ data_interval_end }}"),
            labelbox_conn_id="labelbox_{{ 'default' }}",
            task_name="of {{ params.since }}",
        )
    params = {"project": fake.project_id, "details": True, "since": "2026-11-21"}
    handle = rendered(start, context_of(params=params)).execute(context_of())
    assert handle["window"]["start"] == "2026-11-22T02:00:00Z"
    query = handle["query"]["filters"]["searchQuery"]["query"]
    assert [entry["type"] for entry in query] == ["labeled_at", "task_queue_status", "data_row_last_activity_at"]
    assert handle["query"]["params"]["includeLabelDetails"] is True


@pytest.mark.parametrize("empty", ["", "None", "  "])
@pytest.mark.parametrize("option", ["project_id", "filters", "export_params", "window", "labelbox_conn_id"])
def test_a_template_that_renders_to_nothing_is_refused(fake: FakeLabelbox, option: str, empty: str) -> None:
    """A template that renders to an empty text or to None is refused before the first call."""
    values: dict[str, Any] = {
        "project_id": "{{ params.it }}",
        "filters": {"workflow_status": "{{ params.it }}"},
        "export_params": {"attachments": "{{ params.it }}"},
        "window": FixedWindow("{{ params.it }}", "2026-11-22T00:00:00Z"),
        "labelbox_conn_id": "{{ params.it }}",
    }
    start = start_of(fake, **{option: values[option]})
    text = failure_of(rendered(start, context_of(params={"it": empty})), context_of())
    assert "rendered to" in text
    assert option in text
    assert fake.requests.api == []


@pytest.mark.parametrize(
    "options",
    [
        {"filters": {"workflow_status": "{{ params.it }}"}},
        {"filters": {"last_activity_at": ["{{ params.it }}", None]}},
        {"filters": "{{ params.it }}"},
        {"export_params": {"attachments": "{{ params.it }}"}},
        {"project_id": "{{ params.it }}"},
    ],
)
def test_with_native_rendering_a_real_none_is_refused_as_well(fake: FakeLabelbox, options: dict[str, Any]) -> None:
    with some_dag(render_template_as_native_obj=True, params={"it": None}):
        start = start_of(fake, **options)
    text = failure_of(rendered(start, context_of(params={"it": None})), context_of())
    assert "rendered to None" in text
    assert fake.requests.api == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"export_params": {"atachments": True}}, ["'atachments'", "'attachments'", "project exports"]),
        ({"export_params": {"predictions": True}}, ["'predictions'", "project exports", "Valid names"]),
        ({"export_params": {"attachments": "perhaps"}}, ["'attachments'", "'perhaps'"]),
        ({"export_params": ["attachments"]}, ["mapping"]),
        ({"filters": {"status": "Done"}}, ["'status'", "workflow_status"]),
        ({"filters": {"workflow_status": "Finished"}}, ["'Finished'", "ToLabel"]),
        ({"filters": {"data_row_ids": ["a"], "global_keys": ["b"]}}, ["data_row_ids", "global_keys", "exclude"]),
        ({"filters": {"data_row_ids": []}}, ["data_row_ids", "empty"]),
        ({"filters": {"global_keys": [f"k{n}" for n in range(2001)]}}, ["2001", "2,000", "expand()"]),
        ({"filters": {"last_activity_at": ["10/01/2024", None]}}, ["'10/01/2024'", "YYYY-MM-DD"]),
        ({"filters": {"last_activity_at": ["2024-02-01", "2024-01-01"]}}, ["end is before the start"]),
        ({"filters": {"last_activity_at": ["2024-01-01", None]}, "window": DataIntervalWindow()}, ["Both window="]),
        ({"window": "nightly"}, ["DataIntervalWindow()", "'nightly'"]),
        ({"window": {"kind": "data_interval", "lookbak": 1}}, ["'lookbak'"]),
        ({"project_id": "my project"}, ["'project_id'", "'my project'"]),
        ({"project_id": ""}, ["'project_id'", "''"]),
        ({"limit_timeout": timedelta(0)}, ["limit_timeout"]),
        ({"on_denied": "ignore"}, ["on_denied='ignore'", "'fail', 'skip_task'"]),
    ],
)
def test_a_wrong_literal_fails_while_the_dag_is_parsed(options: dict[str, Any], words: list[str]) -> None:
    """A bad setting fails at parse time or before the first call."""
    with pytest.raises(ConfigurationError) as refusal:
        ProjectExportOperator(**{"task_id": "start", "project_id": "clp1", **options})
    assert [word for word in words if word not in str(refusal.value)] == []


@pytest.mark.parametrize("given", [{"attachments": True}, {"attachments": Param(True)}])
def test_params_given_by_mistake_are_refused_with_the_right_name(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="export_params="):
        ProjectExportOperator(task_id="start", project_id="clp1", params=given)


def test_a_model_given_as_params_fails_while_parsing() -> None:
    """A model given as Airflow's own `params` is refused while the DAG is parsed."""
    with pytest.raises((ConfigurationError, TypeError, ValueError, AirflowException)):
        ProjectExportOperator(task_id="start", project_id="clp1", params=ProjectExportParams(attachments=True))


def test_a_dag_may_have_params_named_like_export_params(fake: FakeLabelbox) -> None:
    with some_dag(params={"attachments": True, "project_details": Param(False, type="boolean")}):
        start = start_of(fake, export_params={"attachments": "{{ params.attachments }}"})
        sensor = ExportTaskSensor(task_id="wait", export=start.output)
    assert sensor.params["attachments"] is True
    handle = rendered(start, context_of(params={"attachments": True})).execute(context_of())
    assert handle["query"]["params"]["includeAttachments"] is True


def test_models_and_aware_dates_work_like_plain_values(fake: FakeLabelbox) -> None:
    """Models and dates with a time zone work as plain values do."""
    start = start_of(
        fake,
        export_params=ProjectExportParams(project_details=True),
        filters=ProjectFilters(last_activity_at=(pendulum.datetime(2026, 11, 21, tz="Europe/Berlin"), None)),
    )
    handle = start.execute(context_of())
    [entry] = handle["query"]["filters"]["searchQuery"]["query"]
    assert entry["value"]["value"] == "2026-11-20T23:00:00+0000"


def test_dates_without_offset_have_the_key_owners_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dates without an offset are read in the time zone of the key's owner."""
    with FakeLabelbox(user=FakeUser(timezone="America/New_York")) as fake:
        monkeypatch.setenv("AIRFLOW_CONN_LABELBOX_DEFAULT", fake.airflow_connection())
        handle = start_of(fake, filters={"last_activity_at": ["2026-07-01", "2026-07-02 12:00:00"]}).execute(
            context_of()
        )
    [entry] = handle["query"]["filters"]["searchQuery"]["query"]
    assert entry["value"] == {
        "operator": "BETWEEN",
        "timezone": "UTC",
        "value": {"min": "2026-07-01T04:00:00+0000", "max": "2026-07-02T16:00:00+0000"},
    }


@pytest.mark.parametrize("option", ["timeout", "poke_interval", "limit_timeout"])
@pytest.mark.parametrize("value", ["an hour", 0, -1, True, timedelta(0)])
def test_a_length_of_time_is_a_timedelta_or_seconds_above_0(option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{option}="):
        ProjectExportOperator(task_id="start", project_id="clp1", **{option: value})


def test_cancel_on_kill_needs_a_wait() -> None:
    """An operator that does not wait refuses `cancel_on_kill=True`, unless it came with the DAG's default_args."""
    with pytest.raises(ConfigurationError, match="wait_for_completion=True only"):
        ProjectExportOperator(task_id="start", project_id="clp1", cancel_on_kill=True)
    with some_dag(default_args={"cancel_on_kill": True}):
        assert ProjectExportOperator(task_id="start", project_id="clp1").cancel_on_kill


def test_an_option_of_no_operator_is_refused_by_name() -> None:
    """Airflow names an option that is misspelled, or that an older version had."""
    with pytest.raises(TypeError, match="adopt_within"):
        ProjectExportOperator(task_id="start", project_id="clp1", adopt_within=3600)
