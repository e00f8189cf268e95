"""Operators, sensor and transfers in real DAGs: with params, mapped, templated, waiting, failing."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.e2e.stage import (
    FAILING,
    FIRST,
    SECOND,
    SLOW,
    TALKING,
    Stage,
    activity_of,
    ids_of,
    lines_of,
)

from labelbox_export_provider.testing.faults import FailedExport, SlowExport

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_every_templated_field_may_be_templated(stage: Stage) -> None:
    """Every templated field may be templated in a DAG that has params."""
    run_id = stage.run("chain", project_id=TALKING, prefix="chain/templated")
    assert set(stage.states("chain", run_id).values()) == {"success"}, stage.explain("chain", run_id)
    rows = stage.stored_rows("chain/templated/data/")
    assert rows
    assert all("2026-05-04T02" <= activity_of(row).isoformat() < "2026-05-06T02" for row in rows)
    assert stage.airflow.api.rendered("chain", run_id, "start")["project_id"] == TALKING
    export = stage.labelbox.exports[-1]
    assert export.params["includeLabelDetails"] is True
    assert export.name is not None
    assert f"chain of {TALKING}" in export.name


def test_every_operator_and_the_sensor_may_be_mapped(stage: Stage, tmp_path: Path) -> None:
    run_id = stage.run("mapped", projects=[FIRST, SECOND], root=str(tmp_path))
    assert set(stage.states("mapped", run_id).values()) == {"success"}, stage.explain("mapped", run_id)
    in_files = lines_of(path.read_bytes() for path in tmp_path.rglob("data/**/*") if path.is_file())
    in_objects = stage.stored_rows(f"mapped/{len(run_id)}/data/")
    assert in_files
    assert sorted(in_files) == sorted(in_objects)
    assert {row.split(b'"projects"')[1][:60].count(b"clproject") for row in in_files} == {1}
    for project in (FIRST, SECOND):
        assert any(project.encode() in row for row in in_files)


def test_operator_waits_in_the_triggerer(stage: Stage, tmp_path: Path) -> None:
    """An operator that waits by itself does so in the triggerer."""
    stage.labelbox.faults.add(SlowExport(source_id=FIRST, seconds=4))
    run_id = stage.start("single", project_id=FIRST, root=str(tmp_path))
    stage.airflow.api.wait_for_task("single", run_id, "start", states={"deferred"})
    stage.airflow.api.wait_for_run("single", run_id)
    assert set(stage.states("single", run_id).values()) == {"success"}, stage.explain("single", run_id)
    rows = lines_of(path.read_bytes() for path in tmp_path.rglob("data/**/*") if path.is_file())
    assert ids_of(rows) == sorted(stage.labelbox.row_ids(FIRST))


def test_sensor_waits_in_the_triggerer(stage: Stage) -> None:
    """A sensor waits in the triggerer and goes on when the export is complete."""
    stage.labelbox.faults.add(SlowExport(source_id=SLOW, seconds=6))
    run_id = stage.start("chain", project_id=SLOW, prefix="chain/slow")
    stage.airflow.api.wait_for_task("chain", run_id, "wait", states={"deferred"})
    assert stage.store.objects("chain/slow/") == {}
    stage.airflow.api.wait_for_run("chain", run_id)
    assert set(stage.states("chain", run_id).values()) == {"success"}, stage.explain("chain", run_id)
    assert stage.stored_rows("chain/slow/data/")


def test_a_start_that_is_refused_at_a_limit_logs_no_error(stage: Stage, tmp_path: Path) -> None:
    """A first refusal is not an error: no XCom is missing in the log. The landing's alias gets its event later."""
    stage.labelbox.change(running_exports_per_project=0)
    run_id = stage.start("single", project_id=FIRST, root=str(tmp_path))
    try:
        stage.airflow.api.wait_for_task("single", run_id, "start", states={"deferred"})
    finally:
        stage.labelbox.change(running_exports_per_project=10)
    stage.airflow.api.wait_for_run("single", run_id)
    assert set(stage.states("single", run_id).values()) == {"success"}, stage.explain("single", run_id)
    log = "\n".join(stage.airflow.api.log("single", run_id, "start"))
    assert "Nothing is started before" in log
    assert "XCom not found" not in log
    assert "Landed export" in "\n".join(stage.airflow.api.log("single", run_id, "land"))
    assert "XCom not found" not in "\n".join(stage.airflow.api.log("single", run_id, "land"))
    [event] = stage.airflow.api.get("/assets/events", source_dag_id="single", source_run_id=run_id)["asset_events"]
    assert event["uri"] == f"file://{tmp_path}/data/source=project/id={FIRST}"
    assert event["extra"]["rows"] > 0


def test_failed_export_fails_the_sensor_at_once(stage: Stage) -> None:
    """A failed export fails the sensor at once and leaves nothing in the bucket."""
    stage.labelbox.faults.add(FailedExport(source_id=FAILING))
    run_id = stage.run("chain", project_id=FAILING, prefix="chain/failing")
    assert stage.states("chain", run_id) == {"start": "success", "wait": "failed", "land": "upstream_failed"}
    assert stage.airflow.api.task("chain", run_id, "wait")["try_number"] == 1
    log = "\n".join(stage.airflow.api.log("chain", run_id, "wait"))
    assert "FAILED" in log
    assert "clear task" in log.lower()
    assert stage.store.objects("chain/failing/") == {}


def test_clearing_a_failed_start_lands_a_new_export(stage: Stage) -> None:
    """Clearing the start of a failed export starts a new one that lands."""
    stage.labelbox.faults.add(FailedExport(source_id=FAILING))
    run_id = stage.run("chain", project_id=FAILING, prefix="chain/recovered")
    before = len(stage.labelbox.exports)
    stage.airflow.api.clear("chain", run_id, ["start"])
    stage.airflow.api.wait_for_task("chain", run_id, "land", states={"success", "failed"})
    assert set(stage.states("chain", run_id).values()) == {"success"}, stage.explain("chain", run_id)
    assert len(stage.labelbox.exports) == before + 1
    assert stage.stored_rows("chain/recovered/data/")
