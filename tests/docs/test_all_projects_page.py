"""docs/all-projects.md: its samples run as they stand there, and its numbers are counted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.airflow.tasks import NIGHT, context_of
from support.airflow.versions import DagSerialization

from labelbox_export_provider import DataIntervalWindow, LabelboxExportToFileOperator, LabelboxHook
from labelbox_export_provider.client.lookups import PER_PAGE
from labelbox_export_provider.testing import FakeLabelbox, generate_rows

PAGE = (Path(__file__).parents[2] / "docs" / "all-projects.md").read_text()
CHECK, CATALOG = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
[READ] = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
CARS, CLIPS, OTHER = "clprojectcars000000000000", "clprojectclips00000000000", "clprojectother00000000000"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelbox]:
    rows = [
        row
        for project_id in (CARS, CLIPS, OTHER)
        for row in generate_rows(40, start=date(2026, 11, 20), days=5, project_id=project_id, project_name=project_id)
    ]
    with FakeLabelbox(rows) as running:
        for name, value in running.airflow_environment().items():
            monkeypatch.setenv(name, value)
        yield running


def ids_of(rows: list[bytes]) -> list[str]:
    return sorted(json.loads(row)["data_row"]["id"] for row in rows)


def test_the_check_of_the_page_is_a_dag_whose_sources_are_the_projects(fake: FakeLabelbox) -> None:
    names: dict[str, Any] = {}
    exec(CHECK, names)
    dag = names["dag"]
    assert DagSerialization.serialize_dag(dag)["dag_id"] == "labelbox_all_projects_check"
    assert dag.get_task("check").upstream_task_ids == {"sources"}
    found = dag.get_task("sources").python_callable()
    assert found == sorted(f"project:{each}" for each in fake.projects)


def test_the_catalog_of_the_page_lands_and_its_query_reads_one_project(fake: FakeLabelbox, tmp_path: Path) -> None:
    """Rows of all projects are there; labels of the two that are named."""
    names: dict[str, Any] = {}
    exec(CATALOG.replace('root="/data/labelbox"', f'root="{tmp_path}", deferrable=False'), names)
    summary = names["land"].execute(context_of("land"))
    of_each = {each: ids_of(fake.rows_for(each, *NIGHT)) for each in (CARS, CLIPS, OTHER)}
    assert summary["rows"] == sum(len(rows) for rows in of_each.values())
    read = duckdb.execute(READ.replace("/data/labelbox", str(tmp_path))).fetchall()
    assert sorted(row_id for row_id, _ in read) == of_each[CARS] != []
    assert all(isinstance(json.loads(labels), list) for _, labels in read)
    everything = duckdb.execute(f"select json from read_ndjson_objects('{tmp_path}/data/**/*.ndjson.gz')").fetchall()
    shown = {project for (row,) in everything for project in json.loads(row).get("projects", {})}
    assert shown == {CARS, CLIPS}


def test_the_numbers_of_calls_are_counted(fake: FakeLabelbox, tmp_path: Path) -> None:
    [project, of_thirty, look_up, catalog] = map(
        int, re.findall(r"^\| calls to Labelbox \| (\d+) .* so (\d+), and (\d+) .* \| (\d+) \|$", PAGE, re.MULTILINE)[0]
    )
    counted = {}
    for kind, given in (("project", {"project_id": CARS}), ("catalog", {"export_params": {"project_ids": [CARS]}})):
        before = len(fake.requests.api)
        options: dict[str, Any] = {"source": {"kind": kind, **given}, "window": DataIntervalWindow()}
        task = LabelboxExportToFileOperator(task_id="land", root=tmp_path, deferrable=False, **options)
        assert task.execute(context_of("land"))["rows"] > 0
        counted[kind] = len(fake.requests.api) - before
    before = len(fake.requests.api)
    LabelboxHook().get_projects()
    assert (counted, len(fake.requests.api) - before) == ({"project": project, "catalog": catalog}, look_up)
    assert of_thirty == 30 * project
    assert f"a call for each {PER_PAGE - 1} projects, and one more" in " ".join(PAGE.split())


def test_the_limits_of_the_page_are_those_of_the_fake(fake: FakeLabelbox) -> None:
    limits = (fake.behaviour.running_exports_per_organization, fake.behaviour.running_exports_per_project)
    assert re.search(r"runs (\d+) at a time in an organization \(and (\d+) in a project\)", PAGE) is not None
    assert limits == (20, 10)
    assert "20 at a time in an organization (and 10 in a project)" in PAGE
