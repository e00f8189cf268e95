"""Every example DAG runs from start to bucket under real Airflow and lands the rows of its source."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.e2e.stage import ids_of, lines_of
from support.lineage.events import faults, receiver, without_nulls
from support.stores.servers import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
    gcs_client,
    gcs_emulator,
    gcs_objects,
    moto_server,
    objects,
    s3_client,
)

from labelbox_export_provider.domain.records.manifest import Manifest
from labelbox_export_provider.testing import DEMO_MODEL_RUN_ID, FakeLabelbox, generate_rows, generate_workspace
from labelbox_export_provider.testing.faults import ErrorRows

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]

EXAMPLES = Path(__file__).parents[2] / "dags_examples"
NIGHT = "2024-05-09T02:00:00+00:00"
"""A logical date whose last complete interval lies within the days of the fake's rows."""


class Theatre:
    """A fake with a whole workspace, two buckets, and an Airflow that has never run anything but these DAGs."""

    def __init__(self, labelbox: FakeLabelbox, endpoint: str, gcs_endpoint: str, home: Path) -> None:
        self.labelbox = labelbox
        self.client = s3_client(endpoint)
        self.client.create_bucket(Bucket=BUCKET)
        self.gcs_client = gcs_client(gcs_endpoint)
        self.gcs_client.create_bucket(BUCKET)
        google = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "test"}}
        aws = {
            "login": ACCESS_KEY,
            "password": SECRET_KEY,
            "extra": {"endpoint_url": endpoint, "region_name": "us-east-1"},
        }
        self.environment = {
            **os.environ,
            **labelbox.airflow_environment(),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({"conn_type": "aws", **aws}),
            "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps(google),
            "STORAGE_EMULATOR_HOST": gcs_endpoint,
            "LABELBOX_BUCKET": BUCKET,
            "LABELBOX_GCS_BUCKET": BUCKET,
            "LABELBOX_START_DATE": "2024-01-01",
            "LABELBOX_DUCKDB": str(home / "labels.duckdb"),
            # The trigger form of one example asks for an id; all others have theirs from the fake's first places.
            "LABELBOX_MODEL_RUN_ID": DEMO_MODEL_RUN_ID,
            "LABELBOX_IDS_PER_EXPORT": "20",
        }

    def airflow(self, *arguments: str, fails: bool = False, environment: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment | (environment or {}),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout[-6000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def run(self, dag_id: str, **params: Any) -> tuple[list[Any], dict[str, bytes]]:
        """Run an example to its end; give the exports that it started and the objects that it added."""
        exports, before = len(self.labelbox.exports), set(self.landed())
        output = self.airflow("dags", "test", dag_id, NIGHT, *(["--conf", json.dumps(params)] if params else []))
        added = {name: content for name, content in self.landed().items() if name not in before}
        assert added, output[-8000:]
        return self.labelbox.exports[exports:], added

    def landed(self) -> dict[str, bytes]:
        """Everything in both buckets."""
        in_s3 = {f"s3://{BUCKET}/{key}": content for key, content in objects(self.client).items()}
        return in_s3 | {f"gs://{BUCKET}/{name}": data for name, data in gcs_objects(self.gcs_client).items()}


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with FakeLabelbox(workspace=generate_workspace(120)) as labelbox, moto_server() as s3, gcs_emulator() as gcs:
        made = Theatre(labelbox, s3, gcs, tmp_path_factory.mktemp("examples"))
        made.airflow("db", "migrate")
        yield made


def manifests(added: dict[str, bytes]) -> list[Manifest]:
    return [Manifest.model_validate_json(content) for key, content in added.items() if "manifests/" in key]


def rows_of(added: dict[str, bytes]) -> list[bytes]:
    return lines_of(
        content for key, content in added.items() if ".ndjson" in key and not re.search("manifests|errors", key)
    )


@pytest.mark.parametrize(
    ("dag_id", "kind"),
    [
        ("labelbox_project_nightly", "project"),
        ("labelbox_project_one_task", "project"),
        ("labelbox_dataset_nightly", "dataset"),
        ("labelbox_catalog_nightly", "catalog"),
    ],
)
def test_a_nightly_example_lands_the_rows_of_its_night(theatre: Theatre, dag_id: str, kind: str) -> None:
    [export], added = theatre.run(dag_id)
    [manifest] = manifests(added)
    assert (export.source_kind, manifest.export.source.kind) == (
        kind if kind != "catalog" else export.source_kind,
        kind,
    )
    window = manifest.export.window
    assert window is not None
    expected_rows = theatre.labelbox.expected_rows(export.export_id).split(b"\n")[:-1]
    activity = [json.loads(row)["data_row"]["details"]["last_activity_at"] for row in expected_rows]
    inside = [
        row
        for row, at in zip(expected_rows, activity, strict=True)
        if window.start.isoformat() <= at.replace(".000", "") < window.end.isoformat()
    ]
    assert sorted(rows_of(added)) == sorted(inside)
    assert inside


@pytest.mark.parametrize(
    ("dag_id", "kind"), [("labelbox_slice_weekly", "slice"), ("labelbox_model_run_on_request", "model_run")]
)
def test_an_example_without_a_window_lands_all_rows_of_its_source(theatre: Theatre, dag_id: str, kind: str) -> None:
    [export], added = theatre.run(dag_id)
    [manifest] = manifests(added)
    assert manifest.export.source.kind == kind
    assert b"".join(row + b"\n" for row in rows_of(added)) == theatre.labelbox.expected_rows(export.export_id)
    assert rows_of(added)


def test_the_example_of_many_tasks_lands_in_shards(theatre: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two mapped tasks stage the objects of the project, and the last one makes them visible."""
    for name in ("LABELBOX_OBJECT_BYTES", "LABELBOX_SHARD_BYTES"):
        monkeypatch.setitem(theatre.environment, name, str(64 * 1024))
    project_id = "clprojecthuge000000000000"
    monkeypatch.setitem(theatre.environment, "LABELBOX_PROJECT_ID", project_id)
    theatre.labelbox.add_project(project_id, "All signs", generate_rows(200, project_id=project_id))
    try:
        [export], added = theatre.run("labelbox_huge_export")
    finally:
        theatre.labelbox.delete_project(project_id)
    [manifest] = manifests(added)
    assert manifest.export.source.id == project_id
    assert len(manifest.objects) > 1
    assert not any("_staging/" in address for address in added)
    assert b"".join(row + b"\n" for row in rows_of(added)) == theatre.labelbox.expected_rows(export.export_id)


def test_the_example_for_gcs_keeps_the_newest_export_of_its_model_run_alone(theatre: Theatre) -> None:
    for _ in range(2):
        [export], added = theatre.run("labelbox_model_run_to_gcs")
        folder = f"gs://{BUCKET}/labelbox/model-runs/"
        assert all(address.startswith(folder) for address in added)
        [manifest] = manifests(added)
        [rows] = manifest.objects
        assert rows.uri == f"{folder}{manifest.export.source.id}.ndjson.gz"
        expected_rows = theatre.labelbox.expected_rows(export.export_id)
        in_gcs = {name: content for name, content in theatre.landed().items() if name.startswith("gs:")}
        assert b"".join(row + b"\n" for row in rows_of(in_gcs)) == expected_rows != b""


def test_the_example_in_chunks_exports_each_chunk_by_itself_and_lands_every_row_once(theatre: Theatre) -> None:
    rows = theatre.labelbox.rows_for(dataset_id=theatre.labelbox.workspace.id_of("Clips and chats"))
    keys = [key for row in rows if (key := json.loads(row)["data_row"].get("global_key"))]
    exports, added = theatre.run("labelbox_data_rows_in_chunks", global_keys=keys)
    assert len(exports) == -(-len(keys) // 20) > 1
    assert len(manifests(added)) == len(exports)
    assert sorted(json.loads(row)["data_row"]["global_key"] for row in rows_of(added)) == sorted(keys)


def test_the_example_for_all_projects_lands_as_many_as_it_may(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts, since Airflow maps over so many items at most; those beyond the maximum are named and fail the run."""
    limits = {"AIRFLOW__CORE__MAX_MAP_LENGTH": 2, "LABELBOX_PROJECTS_PER_TASK": 2, "LABELBOX_MAX_PROJECTS": 4}
    for name, value in limits.items():
        monkeypatch.setitem(theatre.environment, name, str(value))
    exports, before = len(theatre.labelbox.exports), theatre.landed()
    output = theatre.airflow("dags", "test", "labelbox_all_projects_nightly", NIGHT, fails=True)
    added = {name: content for name, content in theatre.landed().items() if name not in before}
    first = [each.id for each in sorted(theatre.labelbox.workspace.projects, key=lambda each: each.name)[:4]]
    assert sorted(str(export.source_id) for export in theatre.labelbox.exports[exports:]) == sorted(first)
    assert sorted(manifest.export.source.id for manifest in manifests(added)) == sorted(first)
    assert "'projects': 8, 'landed': 4, 'skipped': 0, 'failed': 4" in output
    assert "beyond LABELBOX_MAX_PROJECTS (4)" in output


def test_the_check_prints_what_the_fill_takes(theatre: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night is landed and two after it are not: the check fails, the fill lands them, the check is green."""
    monkeypatch.setitem(theatre.environment, "LABELBOX_PREFIX", "checked")
    id_of = theatre.labelbox.workspace.id_of
    sources = [f"project:{id_of('Street scenes')}", f"dataset:{id_of('Pictures and reviews')}"]
    sources.append(f"catalog:{theatre.labelbox.organization_id}")
    theatre.labelbox.faults.add(ErrorRows())
    night = {"start": "2024-05-06T02:00:00Z", "end": "2024-05-07T02:00:00Z", "max_error_rows": 1}
    _, added = theatre.run("labelbox_fill_gaps", sources=sources, **night)
    assert sorted(manifest.errors.rows for manifest in manifests(added)) == [0, 0, 1]
    check = ("dags", "test", "labelbox_windows_check", "2024-05-09T09:00:00+00:00")
    output = theatre.airflow(*check, fails=True)
    [printed] = set(re.findall(r"airflow dags trigger labelbox_fill_gaps --conf '(\{.*?\})'", output))
    params = json.loads(printed)
    assert params == {"sources": sorted(sources), "start": "2024-05-07T02:00:00Z", "end": "2024-05-09T02:00:00Z"}
    exports, added = theatre.run("labelbox_fill_gaps", **params)
    assert len(manifests(added)) == len(exports) == 3
    theatre.airflow(*check)


def test_the_example_for_duckdb_loads_the_nights_that_are_landed(theatre: Theatre) -> None:
    """Every row of the newest manifest of each night is in the table once, also after all are loaded again."""
    landed = theatre.landed()
    nights = [uri for uri in landed if "/manifests/source=project/" in uri] or [
        uri for uri in theatre.run("labelbox_project_nightly")[1] if "/manifests/" in uri
    ]
    landed = theatre.landed()
    for _ in range(2):
        conf = json.dumps({"manifest_uris": nights})
        theatre.airflow("dags", "test", "labelbox_to_duckdb", NIGHT, "--conf", conf)
    of_night = {}
    for uri in nights:
        manifest = Manifest.model_validate_json(landed[uri])
        of_night[manifest.export.source, manifest.export.window] = manifest
    rows = lines_of(landed[each.uri] for manifest in of_night.values() for each in manifest.objects)
    with duckdb.connect(theatre.environment["LABELBOX_DUCKDB"], read_only=True) as database:
        loaded = database.execute("select data_row_id from labelbox_rows").fetchall()
        newest = database.execute("select data_row_id from labelbox_newest").fetchall()
    assert sorted(row_id for (row_id,) in loaded) == ids_of(rows) != []
    assert sorted(row_id for (row_id,) in newest) == sorted(set(ids_of(rows)))


def test_openlineage_is_told_of_a_landing(theatre: Theatre) -> None:
    """Its events, received over HTTP, follow the schemas that they name, and name source, rows, objects and counts."""
    before = theatre.landed()
    with receiver() as events:
        transport = json.dumps({"type": "http", "url": events.url})
        lineage = {"AIRFLOW__OPENLINEAGE__TRANSPORT": transport, "AIRFLOW__OPENLINEAGE__NAMESPACE": "tests"}
        theatre.airflow("dags", "test", "labelbox_project_one_task", NIGHT, environment=lineage)
        added = {name: content for name, content in theatre.landed().items() if name not in before}
        theatre.labelbox.faults.add(ErrorRows())
        theatre.airflow("dags", "test", "labelbox_project_one_task", NIGHT, environment=lineage, fails=True)
    [manifest] = manifests(added)
    assert [faults(event) for event in events] == [[]] * len(events)
    told = events.of_task("labelbox_project_one_task.land")
    assert [event["eventType"] for event in told] == ["START", "COMPLETE", "START", "FAIL"]
    source = {"namespace": "labelbox://127.0.0.1", "name": f"project/{manifest.export.source.id}"}
    assert [[{name: each[name] for name in source} for each in event["inputs"]] for event in told] == [[source]] * 4
    assert [len(event["outputs"]) for event in told] == [0, 1, 0, 0]
    _, complete, _, failed = told
    assert "error row" in failed["run"]["facets"]["errorMessage"]["message"]
    [output] = complete["outputs"]
    assert output["namespace"] == f"s3://{BUCKET}"
    assert output["name"] == f"labelbox/data/source=project/id={manifest.export.source.id}"
    statistics = output["outputFacets"]["outputStatistics"]
    sizes = [len(added[each.uri]) for each in manifest.objects]
    assert statistics["rowCount"] == len(rows_of(added)) > 0
    assert (statistics["size"], statistics["fileCount"]) == (sum(sizes), len(sizes))
    assert output["outputFacets"]["subset"]["outputCondition"]["locations"] == [each.uri for each in manifest.objects]
    facet = complete["run"]["facets"]["labelbox_export"]
    assert facet["exportId"] == manifest.export.export_id
    assert facet["query"] == without_nulls(manifest.query) != {}
    assert facet["manifest"] in added
    text = json.dumps(list(events))
    assert not any(secret in text for secret in (theatre.labelbox.api_key, SECRET_KEY, "X-Goog-Signature="))
