"""Models take text templates in every field, and refuse what is still one when the task runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, task

from labelbox_export_provider.domain.options.option_model import OptionModel, plain
from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.domain.request.export_params import (
    CatalogExportParams,
    ModelRunExportParams,
    ProjectExportParams,
)
from labelbox_export_provider.domain.request.filters import CatalogFilters, DatasetFilters, ProjectFilters
from labelbox_export_provider.domain.request.source_option import check_source, parse_source, plain_source
from labelbox_export_provider.domain.request.sources import SOURCES, DataRowsSource, ProjectSource
from labelbox_export_provider.domain.windows.windows import (
    DataIntervalWindow,
    FixedWindow,
    ParamsWindow,
    PartitionWindow,
    check_window,
    parse_window,
    plain_window,
)
from labelbox_export_provider.errors import ConfigurationError

LATER = "{{ params.later }}"
MODELS: list[type[OptionModel]] = [
    *SOURCES.values(),
    ProjectExportParams,
    CatalogExportParams,
    ModelRunExportParams,
    ProjectFilters,
    DatasetFilters,
    CatalogFilters,
    DataIntervalWindow,
    FixedWindow,
    ParamsWindow,
    PartitionWindow,
]
FIELDS = [
    (model, name) for model in MODELS for name in model.model_fields if name not in {"kind"} | model.never_templates
]


def built(model: type[OptionModel], **values: Any) -> OptionModel:
    needed: dict[str, Any] = {name: "x1" for name, field in model.model_fields.items() if field.is_required()}
    if model is FixedWindow:
        needed = {"start": "2026-11-22T00:00:00Z", "end": "2026-11-23T00:00:00Z"}
    if model is PartitionWindow:
        needed = {"width": timedelta(days=1)}
    if model is DataRowsSource and "global_keys" not in values:
        needed["data_row_ids"] = ["a"]
    return model(**{**needed, **values})


@pytest.mark.parametrize(("model", "name"), FIELDS)
@pytest.mark.parametrize("template", [LATER, "{% if params.later %}a{% endif %}"])
def test_every_field_takes_a_template(model: type[OptionModel], name: str, template: str) -> None:
    """Sources, params, filters and windows keep the template for Airflow to render."""
    assert plain(built(model, **{name: template}))[name] == template


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_a_template_left_over_is_refused(model: type[OptionModel], name: str) -> None:
    """Nothing is asked of Labelbox with a template in it."""
    with pytest.raises(ConfigurationError, match="still a template after rendering") as refusal:
        model.parse_rendered(built(model, **{name: LATER}))
    assert f"{model.keyword}[{name!r}]" in str(refusal.value)


def test_a_template_inside_a_list_is_taken() -> None:
    """Each bound of a date filter and each id may be a template of its own."""
    filters = ProjectFilters(last_activity_at=[LATER, None], batch_ids=["a", LATER])
    assert plain(filters) == {"last_activity_at": [LATER, None], "batch_ids": ["a", LATER]}


def test_a_source_holds_templates_at_any_depth() -> None:
    """Nested models and dicts take templates as well, and the plain form is what Airflow renders."""
    source = ProjectSource(
        project_id=LATER,
        export_params={"attachments": LATER},
        filters=ProjectFilters(workflow_status=LATER),
    )
    check_source(plain_source(source), DataIntervalWindow(settle=LATER))
    assert plain_source(source) == {
        "kind": "project",
        "project_id": LATER,
        "export_params": {"attachments": LATER},
        "filters": {"workflow_status": LATER},
    }


def test_what_is_known_beside_a_template_is_checked() -> None:
    """A template in one field does not hide a fault in another."""
    with pytest.raises(ConfigurationError, match="workflow_status"):
        ProjectSource(project_id=LATER, filters={"batch_ids": LATER, "workflow_status": "Finished"})
    with pytest.raises(ConfigurationError, match="lookback"):
        DataIntervalWindow(settle=LATER, lookback="three days")
    with pytest.raises(ConfigurationError, match="'project_id'"):
        check_source({"kind": "project", "project_id": "my project", "filters": {"batch_ids": LATER}}, None)


def test_the_kind_of_a_model_is_no_template() -> None:
    """The class says the kind, and names of params are looked up while the run is resolved."""
    with pytest.raises(ConfigurationError, match="kind"):
        ProjectSource(project_id="clp1", kind=LATER)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="name of a param"):
        ParamsWindow(start=LATER)


def test_what_templates_rendered_to_is_read() -> None:
    """Text becomes the flag, the length of time and the list that it stands for."""
    source = parse_source(
        {
            "kind": "project",
            "project_id": "clp1",
            "export_params": "{'attachments': True}",
            "filters": '{"batch_ids": ["b"]}',
        }
    )
    assert source.export_params == ProjectExportParams(attachments=True)
    assert source.filters == ProjectFilters(batch_ids=["b"])
    assert parse_window('{"kind": "data_interval", "lookback": "P1D"}') == DataIntervalWindow(
        lookback=timedelta(days=1)
    )


@pytest.mark.parametrize("text", ["{'last_activity_at': DateTime(2026, 11, 22)}", "{'batch_ids': ", "clp1"])
def test_text_that_cannot_be_read_is_refused_with_what_to_write(text: str) -> None:
    """The message has the filter that makes a template give JSON."""
    for read in (ProjectFilters.parse_rendered, parse_window, parse_source):
        with pytest.raises(ConfigurationError, match="tojson"):
            read(text)


def test_task_output_inside_a_model_is_refused() -> None:
    """The output of a task inside a model is refused with the plain dict.

    Airflow does not look into a model, so the task would run before the one whose output it takes.
    """
    with DAG("any", schedule=None):

        @task
        def pick() -> str:
            return "clp1"

        picked: Any = pick()
    cases: dict[str, Any] = {
        "source={'kind': 'project', 'project_id': pick.output}": lambda: ProjectSource(project_id=picked),
        "source={'kind': 'project', 'project_id': 'a', 'filters': {'batch_ids': [pick.output]}}": lambda: ProjectSource(
            project_id="a", filters={"batch_ids": [picked]}
        ),
        "filters={'workflow_status': pick.output}": lambda: ProjectFilters(workflow_status=picked),
        "export_params={'attachments': pick.output}": lambda: ProjectExportParams(attachments=picked),
        "window={'kind': 'fixed', 'start': pick.output, 'end': '{{ ds }}'}": lambda: FixedWindow(picked, "{{ ds }}"),
    }
    for line, make in cases.items():
        with pytest.raises(ConfigurationError, match="would run before") as refusal:
            make()
        assert line in str(refusal.value)
        assert is_template({"x": picked})
    check_source({"kind": "project", "project_id": picked, "filters": {"batch_ids": picked}}, None)
    check_window(plain_window({"kind": "fixed", "start": picked, "end": picked}), None)
