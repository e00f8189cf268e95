"""A landing under Celery outlives the worker that it runs in."""

from __future__ import annotations

import gzip

import pytest
from support.e2e.celery_stage import CeleryStage

from demo.airflow_api import until
from labelbox_export_provider.testing.faults import SlowFile

pytestmark = [pytest.mark.e2e, pytest.mark.celery, pytest.mark.timeout(900)]


def test_other_worker_takes_the_retry(stage: CeleryStage) -> None:
    """A worker is killed while it lands; the other one takes the retry, and the landed bytes are right."""
    projects = list(stage.labelbox.projects)
    stage.labelbox.faults.add(SlowFile(file_index=10, seconds=15, times=None))
    for name in ("first", "second"):
        stage.start_worker(name)
    run_id = _start(stage, projects)

    def uploading() -> bool:
        stage.airflow.check()
        return all(any(project_id in key for key in stage.store.open_uploads()) for project_id in projects)

    until("both projects to have open uploads", uploading, timeout=240)
    hit, spared = (stage.airflow.api.task("two_projects", run_id, "land", index) for index in (0, 1))
    killed, survivor = stage.worker_of(hit["id"]), stage.worker_of(spared["id"])
    assert {killed, survivor} == {"first", "second"}
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


def _start(stage: CeleryStage, projects: list[str]) -> str:
    stage.airflow.api.wait_for_dag("two_projects")
    stage.airflow.api.unpause("two_projects")
    return stage.airflow.api.trigger("two_projects", conf={"projects": projects, "bucket": stage.store.bucket})


def _landed(stage: CeleryStage, project_id: str) -> bytes:
    keys = sorted(key for key in stage.store.objects("lake/data/") if project_id in key)
    assert len(keys) > 1
    return b"".join(gzip.decompress(stage.store.read(key)) for key in keys)
