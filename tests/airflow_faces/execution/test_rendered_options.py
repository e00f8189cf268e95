"""Options that templates fill: text that holds JSON or a dict, and native rendering."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
from support.airflow.tasks import context_of, some_dag
from support.airflow.triggers import through_the_database
from support.stores.servers import files

from labelbox_export_provider import (
    DataIntervalWindow,
    ExportTaskSensor,
    LabelboxExportToFileOperator,
    LabelboxExportToGCSOperator,
    ProjectExportOperator,
    ProjectSource,
)
from labelbox_export_provider.airflow_compat import AirflowFailException, TaskDeferred
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.testing import FakeLabelbox

NATIVE = pytest.mark.parametrize("native", [False, True])


def rendered(make: Any, params: dict[str, Any], *, native: bool = False) -> Any:
    """The task of a DAG after Airflow has rendered it."""
    with some_dag(render_template_as_native_obj=native):
        made = make()
    made.render_template_fields(context_of(params=params))
    return made


@NATIVE
@pytest.mark.parametrize("template", ["{{ params.handle }}", "{{ params.handle | tojson }}"])
def test_a_handle_may_be_the_text_of_a_template(
    fake: FakeLabelbox, tmp_path: Path, template: str, native: bool
) -> None:
    """`export="{{ ti.xcom_pull(...) }}"` is read as what the start returned."""
    handle = ProjectExportOperator(task_id="start", project_id=fake.project_id).execute(context_of())
    params = {"handle": handle}
    wait = rendered(lambda: ExportTaskSensor(task_id="wait", export=template), params, native=native)
    params = {"handle": _waited(wait)}
    land = rendered(
        lambda: LabelboxExportToFileOperator(task_id="land", export=template, root=str(tmp_path)), params, native=native
    )
    assert land.execute(context_of("land"))["export_id"] == handle["export_id"]


def _waited(wait: ExportTaskSensor) -> Any:
    wait.deferrable = False
    wait.poke_interval = 0.01
    return wait.execute(context_of("wait"))


@NATIVE
@pytest.mark.parametrize("filter_", ["", " | tojson"])
def test_whole_options_may_be_the_text_of_a_template(fake: FakeLabelbox, filter_: str, native: bool) -> None:
    """`export_params`, `filters` and `window` as one template each, with and without native rendering."""
    params = {
        "params": {"attachments": True},
        "filters": {"workflow_status": "Done"},
        "window": {"kind": "data_interval", "trim": False},
    }
    start = rendered(
        lambda: ProjectExportOperator(
            task_id="start",
            project_id=fake.project_id,
            export_params=f"{{{{ params.params{filter_} }}}}",
            filters=f"{{{{ params.filters{filter_} }}}}",
            window=f"{{{{ params.window{filter_} }}}}",
        ),
        params,
        native=native,
    )
    handle = start.execute(context_of())
    assert handle["window"]["trim"] is False
    assert handle["query"]["params"]["includeAttachments"] is True
    assert handle["query"]["filters"]["searchQuery"]["query"][0]["status"] == "Done"


@pytest.mark.parametrize("option", ["export_params", "filters", "window"])
@pytest.mark.parametrize("text", ["{'a': Undefined}", "all of it"])
def test_unreadable_text_is_refused_before_the_first_call(fake: FakeLabelbox, option: str, text: str) -> None:
    """The message has the line to write."""
    start = rendered(
        lambda: ProjectExportOperator(task_id="start", project_id=fake.project_id, **{option: "{{ params.it }}"}),
        {"it": text},
    )
    with pytest.raises(AirflowFailException, match="tojson"):
        start.execute(context_of())
    assert fake.requests.api == []


@pytest.mark.parametrize("option", ["export_params", "filters", "window"])
@pytest.mark.parametrize("text", ["{}", " {} "])
def test_text_of_an_empty_mapping_is_not_taken_for_no_filter(fake: FakeLabelbox, option: str, text: str) -> None:
    """A template that gave nothing must not turn into an export of everything."""
    start = rendered(
        lambda: ProjectExportOperator(task_id="start", project_id=fake.project_id, **{option: "{{ params.it }}"}),
        {"it": text},
    )
    with pytest.raises(AirflowFailException, match=option):
        start.execute(context_of())
    nested = rendered(
        lambda: LabelboxExportToFileOperator(
            task_id="land", root="/d", source={"kind": "project", "project_id": "c", "filters": "{{ params.it }}"}
        ),
        {"it": text},
    )
    with pytest.raises(AirflowFailException, match="filters"):
        nested.execute(context_of())
    assert fake.requests.api == []


def test_an_empty_value_inside_text_is_refused(fake: FakeLabelbox) -> None:
    """A text that holds a mapping is searched for emptied values as the mapping itself is."""
    text = '{"data_row_ids": ["None"]}'
    start = rendered(
        lambda: ProjectExportOperator(task_id="start", project_id=fake.project_id, filters="{{ params.it }}"),
        {"it": text},
    )
    with pytest.raises(AirflowFailException, match=r"filters\['data_row_ids'\]\[0\] rendered to 'None'"):
        start.execute(context_of())
    assert fake.requests.api == []


def test_native_rendering_leaves_names_as_text(fake: FakeLabelbox) -> None:
    """`task_name="{{ ds_nodash }}"` becomes a number with native rendering, and a name again."""
    start = rendered(
        lambda: ProjectExportOperator(task_id="start", project_id=fake.project_id, task_name="{{ params.day }}"),
        {"day": 20261122},
        native=True,
    )
    start.execute(context_of())
    assert "20261122" in str(fake.exports[0].name)


def test_native_rendering_leaves_names_of_a_transfer_as_text(fake: FakeLabelbox, tmp_path: Path) -> None:
    """A date without dashes is a name in one task for all as well."""
    source = ProjectSource(project_id=fake.project_id)
    land = rendered(
        lambda: LabelboxExportToFileOperator(
            task_id="land", root=str(tmp_path), source=source, task_name="{{ params.day }}"
        ),
        {"day": 20261122},
        native=True,
    )
    with pytest.raises(TaskDeferred):
        land.execute(context_of("land"))
    assert str(fake.exports[0].name).endswith("] 20261122 2026-11-22")


@pytest.mark.parametrize("option", ["labelbox_conn_id", "task_name", "project_id"])
def test_native_rendering_to_none_is_refused(fake: FakeLabelbox, option: str) -> None:
    """A template that gives None does not fall back to a default that its author did not mean."""
    values = {"project_id": fake.project_id, option: "{{ params.it }}"}
    start = rendered(lambda: ProjectExportOperator(task_id="start", **values), {"it": None}, native=True)
    with pytest.raises(AirflowFailException, match=f"{option} rendered to None"):
        start.execute(context_of())


def test_none_means_the_default_connection_everywhere(fake: FakeLabelbox) -> None:
    """Operators and sensors take `labelbox_conn_id=None` as transfers do."""
    start = ProjectExportOperator(task_id="start", project_id=fake.project_id, labelbox_conn_id=None)
    handle = start.execute(context_of())
    assert handle["labelbox_conn_id"] == "labelbox_default"
    wait = ExportTaskSensor(task_id="wait", export=handle["export_id"], labelbox_conn_id=None)
    assert _waited(wait)["export_id"] == handle["export_id"]


def test_native_rendering_keeps_a_chain_of_accounts_a_list() -> None:
    """Of the options of transfers one may be a list, which text would break."""
    land = rendered(
        lambda: LabelboxExportToGCSOperator(
            task_id="land",
            export="{{ params.it }}",
            bucket_name="lake",
            object_prefix="labels",
            impersonation_chain=["a@x", "{{ params.it }}"],
        ),
        {"it": "b@x"},
    )
    land._read_rendered()
    assert land.impersonation_chain == ["a@x", "b@x"]


def test_arguments_for_the_store_may_be_the_text_of_a_template() -> None:
    """`sink_args` as one template is read like any other mapping."""
    land = rendered(
        lambda: LabelboxExportToGCSOperator(
            task_id="land", export="{{ params }}", bucket_name="lake", object_prefix="a", sink_args="{{ params.it }}"
        ),
        {"it": {"storage_class": "NEARLINE"}},
    )
    land._read_rendered()
    assert land.sink_args == {"storage_class": "NEARLINE"}


@pytest.mark.parametrize("name", ["project_id", "task_name", "labelbox_conn_id"])
def test_a_template_is_rendered_once(fake: FakeLabelbox, name: str) -> None:
    """What renders to another template is not sent to Labelbox."""
    options = {"project_id": fake.project_id, name: "{{ params.it }}"}
    start = rendered(lambda: ProjectExportOperator(task_id="start", **options), {"it": "{{ var.value.id }}"})
    with pytest.raises(AirflowFailException, match=f"{name}.*still a template"):
        start.execute(context_of())
    assert fake.requests.api == []


def test_models_with_templates_are_rendered(fake: FakeLabelbox, tmp_path: Path) -> None:
    """A source and a window that hold templates do what the plain dicts do."""
    land = rendered(
        lambda: LabelboxExportToFileOperator(
            task_id="land",
            root=str(tmp_path),
            source=ProjectSource(
                project_id="{{ params.project }}",
                export_params={"attachments": "{{ params.on }}"},
                filters={"workflow_status": "{{ params.status }}"},
            ),
            window=DataIntervalWindow(settle="{{ params.seconds }}"),
        ),
        {"project": fake.project_id, "on": True, "status": "Done", "seconds": 60},
    )
    with pytest.raises(TaskDeferred):
        land.execute(context_of("land"))
    [export] = fake.exports
    assert export.rows is not None


def test_a_source_that_a_task_returns_is_a_plain_dict(fake: FakeLabelbox, tmp_path: Path) -> None:
    """The form that docs/sources.md gives goes through XCom and is taken; a model does not come out of XCom."""
    page = (Path(__file__).parents[3] / "docs" / "sources.md").read_text()
    [code] = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "@task" in block]
    with some_dag() as dag:
        exec(code.replace("/data/labels", str(tmp_path)), {})
    land, pick = cast("Any", dag.get_task("land")), cast("Any", dag.get_task("pick"))
    assert land.upstream_task_ids == {"pick"}
    returned = pick.python_callable()
    through_xcom = through_the_database(returned)
    land.source = {**through_xcom, "project_id": fake.project_id}
    with pytest.raises(TaskDeferred):
        land.execute(context_of("land"))
    with pytest.raises(Exception, match="ProjectSource"):
        through_the_database(ProjectSource(project_id="clp1"))
    assert files(tmp_path) == {}


def test_what_is_no_handle_does_not_pass_the_parse() -> None:
    """Half a handle and a list are refused before a run, not after an export."""
    for export in (
        {"v": 1, "export_id": "x"},
        ["x"],
        [],
        {},
        {"export_id": "x"},
        ["{{ x }}"],
        {"export_id": "{{ x }}"},
    ):
        with pytest.raises(ConfigurationError, match="export"):
            ExportTaskSensor(task_id="wait", export=export)
        with pytest.raises(ConfigurationError, match="export"):
            LabelboxExportToFileOperator(task_id="land", export=export, root="/data")
