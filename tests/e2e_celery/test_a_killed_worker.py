"""A landing under Celery outlives the worker that it runs in."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from support.e2e.celery_stage import CeleryStage

from demo.airflow_api import until
from labelbox_export_provider.testing.faults import SlowFile

pytestmark = [pytest.mark.e2e, pytest.mark.celery, pytest.mark.timeout(900)]


def test_other_worker_takes_the_retry(stage: CeleryStage) -> None:
    """A worker is killed while it lands; the other one takes the retry, and the landed bytes are right."""
    projects = list(stage.labelbox.projects)
    stage.labelbox.faults.add(SlowFile(file_index=10, seconds=15, times=None))
    workers = stage.start_workers()
    run_id = _start(stage, "two_projects", projects=projects)

    def uploading() -> bool:
        stage.airflow.check()
        return all(any(project_id in key for key in stage.store.open_uploads()) for project_id in projects)

    until("both projects to have open uploads", uploading, timeout=240)
    hit, spared = (stage.airflow.api.task("two_projects", run_id, "land", index) for index in (0, 1))
    killed, survivor = stage.worker_of(hit["id"]), stage.worker_of(spared["id"])
    assert {killed, survivor} == workers
    assert killed is not None
    assert survivor is not None
    stage.kill_worker(killed, hit["id"])
    stage.labelbox.faults.clear()

    assert stage.airflow.api.wait_for_run("two_projects", run_id, timeout=240)["state"] == "success"
    tries = [stage.airflow.api.task("two_projects", run_id, "land", index)["try_number"] for index in (0, 1)]
    assert tries == [2, 1]
    exports = {str(export.source_id): export.export_id for export in stage.labelbox.exports}
    assert len(stage.labelbox.exports) == len(projects), "a try started a second export"
    for project_id, export_id in exports.items():
        assert _landed(stage, project_id) == stage.labelbox.expected_rows(export_id) != b""
    assert stage.store.open_uploads() == []


def test_other_worker_takes_a_shard(stage: CeleryStage) -> None:
    """A worker is killed in a shard; the other takes that shard alone again, and the rows are right."""
    project_id = next(iter(stage.labelbox.projects))
    stage.labelbox.faults.add(SlowFile(file_index=10, seconds=15, times=None))
    workers = stage.start_workers()
    run_id = _start(stage, "one_project", project=project_id)

    def slow_shard() -> dict[str, Any] | None:
        stage.airflow.check()
        staged = [each for each in stage.airflow.api.tasks("one_project", run_id) if each["task_id"] == "land.stage"]
        running = [each for each in staged if each["state"] == "running"]
        return running[0] if len(running) == 1 and len(staged) == 2 else None

    # The other shard has no slow file, so it is over by then.
    hit = until("one shard to be left", slow_shard, timeout=240)
    worker = until("the worker of the shard", lambda: stage.worker_of(hit["id"]), timeout=30, every=0.1)
    assert worker in workers
    stage.kill_worker(worker, hit["id"])
    stage.labelbox.faults.clear()

    assert stage.airflow.api.wait_for_run("one_project", run_id, timeout=240)["state"] == "success"
    tries = {
        each["map_index"]: each["try_number"]
        for each in stage.airflow.api.tasks("one_project", run_id)
        if each["task_id"] == "land.stage"
    }
    assert sorted(tries.values()) == [1, 2]
    assert tries[hit["map_index"]] == 2
    [export_id] = [each.export_id for each in stage.labelbox.exports if each.source_id == project_id][-1:]
    assert _landed(stage, project_id, "shared") == stage.labelbox.expected_rows(export_id) != b""
    assert list(stage.store.objects("shared/_staging/")) == stage.store.open_uploads() == []


def _start(stage: CeleryStage, dag_id: str, **conf: Any) -> str:
    stage.airflow.api.wait_for_dag(dag_id)
    stage.airflow.api.unpause(dag_id)
    return stage.airflow.api.trigger(dag_id, conf={**conf, "bucket": stage.store.bucket})


def _landed(stage: CeleryStage, project_id: str, prefix: str = "lake") -> bytes:
    keys = sorted(key for key in stage.store.objects(f"{prefix}/data/") if project_id in key)
    assert len(keys) > 1
    return b"".join(gzip.decompress(stage.store.read(key)) for key in keys)
