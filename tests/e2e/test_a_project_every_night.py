"""The DAG that a user copies, run by real Airflow."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.e2e.stage import FIRST_DAY, NIGHTLY, NIGHTLY_BUCKET, Stage, ids_of

from demo.airflow_api import until
from demo.backfill import backfill
from demo.days import Night
from demo.landed import Landed, compare, read_night, strangers
from demo.progress import Progress

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

DAG = "labelbox_project_nightly"
DOWNSTREAM = "labelbox_to_duckdb"
NIGHTS = [
    Night(start, start + timedelta(days=1))
    for start in (datetime(2026, 5, day, 2, tzinfo=timezone.utc) for day in (5, 6, 7))
]


@pytest.fixture(scope="module")
def landed(stage: Stage) -> list[Landed]:
    """What a backfill of three nights of the example DAG has brought."""
    first = FIRST_DAY + timedelta(days=1)
    stage.airflow.api.wait_for_dag(DOWNSTREAM)
    stage.airflow.api.unpause(DOWNSTREAM)  # a paused DAG gets no run from an event
    nights = backfill(stage.airflow, DAG, first, first + timedelta(days=2), Progress(), timeout=300)
    assert nights == NIGHTS
    return [read_night(stage.nightly_store, "labelbox/", night) for night in nights]


def test_backfill_lands_every_row_exactly_once(stage: Stage, landed: list[Landed]) -> None:
    """A backfill lands every row of every night exactly once and byte for byte."""
    for night in landed:
        expected_rows = stage.labelbox.rows_for(NIGHTLY, night.night.start, night.night.end, like=night.export_id)
        assert expected_rows
        compare(night, expected_rows)
        assert night.faults == []
        assert night.state == "ok"
    assert len({row for night in landed for row in night.rows}) == sum(len(night.rows) for night in landed)


def test_only_data_rows_are_under_data(stage: Stage, landed: list[Landed]) -> None:
    """Nothing but data rows is under data and nothing is left open."""
    assert strangers(stage.nightly_store, "labelbox/", landed) == []


def test_a_reader_of_whole_directories_sees_exactly_the_rows(
    stage: Stage, landed: list[Landed], tmp_path: Path
) -> None:
    for key in stage.nightly_store.objects("labelbox/data/"):
        local = tmp_path / key
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(stage.nightly_store.read(key))
    seen = duckdb.execute(
        f"select json_extract_string(json, '$.data_row.id'), dt, source, id "
        f"from read_ndjson_objects('{tmp_path}/labelbox/data/**', hive_partitioning=true, compression='gzip')"
    ).fetchall()
    assert sorted(row[0] for row in seen) == ids_of(row for night in landed for row in night.rows)
    assert {str(row[1]) for row in seen} == {"2026-05-05", "2026-05-06", "2026-05-07"}
    assert {row[2:] for row in seen} == {("project", NIGHTLY)}


def test_each_night_is_exported_once_without_a_worker(stage: Stage, landed: list[Landed]) -> None:
    """Each night was exported once and its sensor held no worker."""
    exports = [export for export in stage.labelbox.exports if export.source_id == NIGHTLY]
    assert sorted(export.export_id for export in exports) == sorted(night.export_id for night in landed)


def test_result_and_asset_event_name_the_manifest(stage: Stage, landed: list[Landed]) -> None:
    """The return value and the asset event tell where the manifest is."""
    api = stage.airflow.api
    for run in api.runs(DAG, run_type="backfill"):
        described = api.xcoms(DAG, run["dag_run_id"], "land")["return_value"]
        assert len(json.dumps(described)) < 4096
        assert described["manifest_uri"].removeprefix("s3://nightly-lake/") in stage.nightly_store.objects(
            "labelbox/manifests/"
        )
        night = next(night for night in landed if night.export_id == described["export_id"])
        assert described["rows"] == len(night.rows)
    events = api.pages("/assets/events", "asset_events")
    assert sorted(event["extra"]["export_id"] for event in events) == sorted(night.export_id for night in landed)


def test_the_task_page_links_to_the_project_in_labelbox(stage: Stage, landed: list[Landed]) -> None:
    for run in stage.airflow.api.runs(DAG, run_type="backfill"):
        links = stage.airflow.api.links(DAG, run["dag_run_id"], "start")
        assert links == {"Labelbox": f"https://app.labelbox.com/projects/{NIGHTLY}"}


def test_landed_nights_are_loaded_by_the_dag_that_their_events_start(stage: Stage, landed: list[Landed]) -> None:
    """The example for DuckDB loads the manifests that events name; a run by hand brings the others, and no row twice.

    Airflow 3.3.2 hands an event that comes while a run waits to the run of the next event.
    """
    api = stage.airflow.api

    def ended() -> list[dict[str, Any]] | None:
        runs = api.runs(DOWNSTREAM)
        return runs if runs and all(run["state"] in {"success", "failed"} for run in runs) else None

    [run, *_] = until("the runs that events started", ended, timeout=120)
    assert (run["run_type"], run["state"]) == ("asset_triggered", "success"), stage.explain(
        DOWNSTREAM, run["dag_run_id"]
    )
    manifests = [f"s3://{NIGHTLY_BUCKET}/{key}" for key in stage.nightly_store.objects("labelbox/manifests/")]
    by_event = api.xcoms(DOWNSTREAM, run["dag_run_id"], "load")["return_value"]
    assert any(uri in str(by_event) for uri in manifests)
    by_hand = stage.run(DOWNSTREAM, manifest_uris=manifests)
    assert stage.states(DOWNSTREAM, by_hand) == {"load": "success"}, stage.explain(DOWNSTREAM, by_hand)
    with duckdb.connect(str(stage.home / "labels.duckdb"), read_only=True) as database:
        loaded = database.execute("select data_row_id from labelbox_rows").fetchall()
    assert sorted(row_id for (row_id,) in loaded) == ids_of(row for night in landed for row in night.rows)
