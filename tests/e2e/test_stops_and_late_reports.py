"""Airflow's own processes: a landing that is stopped by a mark or a time limit, and an executor that reports late."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.e2e.kills import children_of
from support.e2e.stage import LARGE, Stage, ids_of

from demo.airflow_api import until
from labelbox_export_provider.testing.faults import DrippingFile

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

LAST_FILE = 8
"""Of the nine thousand rows, a MiB in each file: the first part, of five, is in the store long before."""


@pytest.fixture
def run_id(stage: Stage) -> Iterator[str]:
    """A run of two landings whose last file drips."""
    fault = DrippingFile(stream="RESULT", file_index=LAST_FILE, times=None)
    stage.labelbox.faults.add(fault)
    yield stage.start("stopped", project_id=LARGE)
    stage.labelbox.faults.clear()


def uploads(stage: Stage, task_id: str) -> list[str]:
    """The uploads that are open under a task's prefix."""
    answer = stage.store.client.list_multipart_uploads(Bucket=stage.store.bucket, Prefix=f"stopped/{task_id}/")
    return [each["Key"] for each in answer.get("Uploads", [])]


def log_of(stage: Stage, run_id: str, task_id: str) -> str:
    """The log of the first try."""
    return "\n".join(stage.airflow.api.log("stopped", run_id, task_id))


def test_a_landing_that_is_stopped_publishes_nothing(stage: Stage, run_id: str) -> None:
    """By a mark or `execution_timeout`: nothing is published, no upload stays open, another try lands."""
    api = stage.airflow.api
    until("a landing to upload", lambda: uploads(stage, "marked"), timeout=240, every=0.2)
    task = api.task("stopped", run_id, "marked")
    api.set_task_state("stopped", run_id, "marked", "failed")
    # Five seconds after the signal Airflow kills a process, so one that reports below has ended by itself before.
    until("the process to end", lambda: not list(children_of(task["id"])), timeout=60, every=0.1)
    api.wait_for_task("stopped", run_id, "late")
    for task_id, reason in (("marked", "Airflow stopped this task (SIGTERM)"), ("late", "its execution_timeout")):
        reported = log_of(stage, run_id, task_id)
        assert reason in reported, reported
        assert "in store:  nothing of this export" in reported.split(reason)[1]
        assert uploads(stage, task_id) == []
    assert stage.store.objects("stopped/") == {}
    stage.labelbox.faults.clear()
    api.wait_for_run("stopped", run_id)
    api.clear("stopped", run_id, ["marked", "late"])
    for task_id in ("marked", "late"):
        api.wait_for_task("stopped", run_id, task_id)
    assert set(stage.states("stopped", run_id).values()) == {"success"}, stage.explain("stopped", run_id)
    for task_id in ("marked", "late"):
        assert ids_of(stage.stored_rows(f"stopped/{task_id}/data/")) == sorted(stage.labelbox.row_ids(LARGE))
        assert uploads(stage, task_id) == []
    assert len([each for each in stage.labelbox.exports if " stopped " in (each.name or "")]) == 2


def test_a_deferral_outlasts_a_late_executor(stage: Stage) -> None:
    """An executor that reports a deferral twelve seconds late costs no try: the trigger's event comes later still."""
    api = stage.airflow.api
    api.wait_for_run("late_report", stage.late_report, timeout=240)
    assert stage.states("late_report", stage.late_report) == {"start": "success"}, stage.explain(
        "late_report", stage.late_report
    )
    assert api.task("late_report", stage.late_report, "start")["try_number"] == 1
    assert "Trigger fired event" in "\n".join(api.log("late_report", stage.late_report, "start"))
