"""A landing under Celery outlives the worker that it runs in."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
from support.e2e.celery_stage import CeleryStage
from support.e2e.three_stores import NAMES

from demo.airflow_api import until
from labelbox_export_provider.testing.faults import SlowFile

pytestmark = [pytest.mark.e2e, pytest.mark.celery, pytest.mark.timeout(900)]
STAGES = [(f"{store}.stage", index) for store in NAMES for index in (0, 1)]


@pytest.fixture(autouse=True)
def no_fault_left(stage: CeleryStage) -> Iterator[None]:
    yield
    stage.labelbox.faults.clear()


def test_other_worker_takes_the_shards(stage: CeleryStage) -> None:
    """A worker is killed in a shard of each of three stores; the other resumes these three alone."""
    project_id = next(iter(stage.labelbox.projects))
    stage.labelbox.faults.add(SlowFile(file_index=10, seconds=60, times=None))
    # One slot more than there are shards with a slow file, so that the others end.
    killed = stage.start_worker(slots=len(NAMES) + 1)
    run_id = _start(stage, "three_stores", project=project_id, root=str(stage.three.root))

    def slow_shards() -> list[dict[str, Any]] | None:
        """The second shard of each store, once the first is over and an object of the second is stored."""
        shards = _shards(stage, run_id)
        states = {shard: each["state"] for shard, each in shards.items()}
        if states != {(task_id, index): ("success", "running")[index] for task_id, index in STAGES}:
            return None
        for store in NAMES:
            first = _staged(stage, run_id, f"{store}.stage", 0)["last"]
            if not any(name.endswith(f"{first:05d}.json") for name in stage.three.receipts(store)):
                return None
        return [shards[f"{store}.stage", 1] for store in NAMES]

    hit = until("a slow shard of each store", slow_shards, timeout=240)
    assert {stage.worker_of(each["id"]) for each in hit} == {killed}
    stage.start_worker()
    stage.kill_worker(killed, *(each["id"] for each in hit))
    stage.labelbox.faults.clear()

    assert stage.airflow.api.wait_for_run("three_stores", run_id, timeout=240)["state"] == "success"
    tries = {shard: each["try_number"] for shard, each in _shards(stage, run_id).items()}
    assert tries == {(task_id, index): (1, 2)[index] for task_id, index in STAGES}
    for store in NAMES:
        assert _staged(stage, run_id, f"{store}.stage", 1)["kept"] >= 1
    [export] = stage.labelbox.exports
    stage.three.check_landed(stage.labelbox.expected_rows(export.export_id))


def test_other_worker_takes_the_retry(stage: CeleryStage) -> None:
    """A worker is killed while it lands; the other one takes the retry, and the landed bytes are right."""
    projects = list(stage.labelbox.projects)
    before = len(stage.labelbox.exports)
    stage.labelbox.faults.add(SlowFile(file_index=10, seconds=15, times=None))
    workers = stage.start_workers()
    run_id = _start(stage, "two_projects", projects=projects, bucket=stage.three.s3.bucket)

    def uploading() -> bool:
        stage.airflow.check()
        return all(any(project_id in key for key in stage.three.s3.open_uploads()) for project_id in projects)

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
    exports = {str(export.source_id): export.export_id for export in stage.labelbox.exports[before:]}
    assert len(stage.labelbox.exports) == before + len(projects), "a try started a second export"
    for project_id, export_id in exports.items():
        assert _landed(stage, project_id) == stage.labelbox.expected_rows(export_id) != b""
    assert stage.three.s3.open_uploads() == []


def _start(stage: CeleryStage, dag_id: str, **conf: Any) -> str:
    stage.airflow.api.wait_for_dag(dag_id)
    stage.airflow.api.unpause(dag_id)
    return stage.airflow.api.trigger(dag_id, conf=conf)


def _shards(stage: CeleryStage, run_id: str) -> dict[tuple[str, int], dict[str, Any]]:
    stage.airflow.check()
    tasks = stage.airflow.api.tasks("three_stores", run_id)
    return {(each["task_id"], each["map_index"]): each for each in tasks if each["task_id"].endswith(".stage")}


def _staged(stage: CeleryStage, run_id: str, task_id: str, index: int) -> dict[str, Any]:
    staged: dict[str, Any] = stage.airflow.api.xcoms("three_stores", run_id, task_id, index)["return_value"]
    return staged


def _landed(stage: CeleryStage, project_id: str) -> bytes:
    objects = stage.three.s3.objects("lake/data/")
    keys = sorted(key for key in objects if project_id in key)
    assert len(keys) > 1
    return b"".join(gzip.decompress(stage.three.s3.read(key)) for key in keys)
