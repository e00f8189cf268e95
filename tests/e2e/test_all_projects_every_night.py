"""All projects of an organization land every night, whatever is created, deleted or fails: nothing is lost or hidden.

Twenty projects; `LABELBOX_PROJECTS_E2E=200` takes more, with exports that run for a while and meet Labelbox's limits.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from support.e2e.stage import ids_of, lines_of

from demo.airflow_api import until
from demo.airflow_cluster import AirflowCluster, clean_environment
from demo.object_store import ObjectStore
from demo.processes import Processes
from labelbox_export_provider.testing import DataRow, FakeLabelbox, generate_rows
from labelbox_export_provider.testing.faults import ErrorRows

NUMBER = int(os.environ.get("LABELBOX_PROJECTS_E2E", "20"))
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300 + 20 * NUMBER)]

DAG, CHECK, BUCKET = "labelbox_all_projects_nightly", "all_projects_check", "lake"
HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "dags_examples" / f"{DAG}.py"
FIRST, DAY = datetime(2026, 5, 4, 2, tzinfo=timezone.utc), timedelta(days=1)
PER_TASK = 12
"""What `max_map_length` allows here: fewer than there are projects."""
DELETED, FAILING, VANISHING, ADDED = 0, 1, NUMBER - 1, NUMBER


def id_of(number: int) -> str:
    return f"clproject{number:016}"


def name_of(number: int) -> str:
    return f"Team {number:04}"


def label(number: int) -> str:
    """What Airflow's UI and the summary call a project."""
    return f"{name_of(number)} ({id_of(number)})"


def rows_of(number: int) -> list[DataRow]:
    return generate_rows(20, start=date(2026, 5, 4), days=3, project_id=id_of(number), project_name=name_of(number))


@dataclass(frozen=True)
class Organization:
    """The fake with its projects, and what Airflow has landed of it."""

    airflow: AirflowCluster
    labelbox: FakeLabelbox
    store: ObjectStore

    def night(self, number: int, meanwhile: Callable[[str], None] = lambda _: None) -> str:
        """Run a night to its end and return the run's id; `meanwhile` is called once it was started."""
        start = (FIRST + number * DAY).isoformat()
        for each in self.airflow.api.pages("/backfills", "backfills", dag_id=DAG):
            if each["completed_at"] is None:  # it takes Airflow half a minute to see that the night before is over
                self.airflow.api.send("PUT", f"/backfills/{each['id']}/cancel")
        # A run before the `start_date` of a DAG, which keeps the scheduler from making nights of its own here.
        done = self.airflow.cli("backfill", "create", "--dag-id", DAG, "--from-date", start, "--to-date", start)
        assert done.returncode == 0, done.stderr[-3000:]
        run_id = str(self.airflow.api.runs(DAG)[number]["dag_run_id"])
        meanwhile(run_id)
        self.airflow.api.wait_for_run(DAG, run_id, timeout=120 + 15 * NUMBER)
        self.airflow.check()
        return run_id

    def states(self, run_id: str) -> dict[str, str]:
        """Return the state of each project's task by its name in Airflow's UI."""
        tasks = [each for each in self.airflow.api.tasks(DAG, run_id) if each["task_id"].startswith("land_")]
        return {each["rendered_map_index"]: each["state"] for each in tasks}

    def explain(self, run_id: str) -> str:
        """Return the end of the log of each task that has failed."""
        failed = [each for each in self.airflow.api.tasks(DAG, run_id) if each["state"] == "failed"]
        logs = [
            self.airflow.api.log(DAG, run_id, each["task_id"], each["try_number"], each["map_index"])[-12:]
            for each in failed[:3]
        ]
        return "\n".join(line for log in logs for line in log)

    def event(self, run_id: str) -> dict[str, Any]:
        """Return what the newest event of a run's summary holds."""
        found = self.airflow.api.get("/assets/events", source_run_id=run_id, order_by="-timestamp")["asset_events"]
        extra: dict[str, Any] = found[0]["extra"]
        return extra

    def landed(self, number: int, nights: int) -> bool:
        """Return whether exactly the rows of the first nights of a project are there."""
        keys = self.store.objects(f"labelbox/data/source=project/id={id_of(number)}/")
        rows = self.labelbox.rows_for(id_of(number), FIRST, FIRST + nights * DAY)
        return ids_of(lines_of(self.store.read(key) for key in keys)) == ids_of(rows) != []

    def check(self, nights: int) -> tuple[str, dict[str, Any]]:
        """Check the windows of so many nights against today's projects; return the task's state and the snapshot."""
        run_id = self.airflow.api.trigger(CHECK, conf={"until": (FIRST + nights * DAY).isoformat()})
        self.airflow.api.wait_for_run(CHECK, run_id)
        state = self.airflow.api.task(CHECK, run_id, "check")["state"]
        snapshot: dict[str, Any] = self.airflow.api.xcoms(CHECK, run_id, "check")["labelbox_windows"]
        return state, snapshot


@pytest.fixture(scope="module")
def organization(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organization]:
    home = tmp_path_factory.mktemp("organization")
    dags = home / "dags"
    shutil.copytree(HERE / "dags_all_projects", dags, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(EXAMPLE, dags)
    rows = [row for number in range(NUMBER) for row in rows_of(number)]
    with FakeLabelbox(rows) as labelbox, Processes(home / "servers") as servers:
        labelbox.change(seconds_per_export=0 if NUMBER < 100 else 25)
        store = ObjectStore(servers, clean_environment(home), BUCKET)
        store.wait()
        settings = {
            **labelbox.airflow_environment(),
            "AIRFLOW_CONN_AWS_DEFAULT": store.airflow_connection,
            "AIRFLOW__CORE__MAX_MAP_LENGTH": str(max(PER_TASK, NUMBER // 2)),
            "LABELBOX_PROJECTS_PER_TASK": str(max(PER_TASK, NUMBER // 2)),
            "LABELBOX_MAX_PROJECTS": str(2 * max(PER_TASK, NUMBER // 2)),
            "LABELBOX_ON_DENIED": "skip_task",
            "LABELBOX_BUCKET": BUCKET,
            "LABELBOX_START_DATE": "2100-01-01",
        }
        with AirflowCluster(home / "airflow", dags, env=settings, parallelism=6) as airflow:
            for dag_id in (DAG, CHECK):
                airflow.api.wait_for_dag(dag_id)
                airflow.api.unpause(dag_id)
            yield Organization(airflow, labelbox, store)


def test_two_nights_between_which_projects_come_and_go(organization: Organization) -> None:
    """One is deleted and one created between the nights, one vanishes after the look-up, and one fails.

    Each of the others lands in both nights, the new one from its first; what was landed of the deleted one stays; the
    vanished one is skipped, as asked; the failed one fails the run, which its summary tells; the check calls what was
    deleted no gap, and what failed one.
    """
    api, labelbox = organization.airflow.api, organization.labelbox
    everybody = {label(number) for number in range(NUMBER)}

    run_id = organization.night(0)
    assert organization.states(run_id) == dict.fromkeys(everybody, "success"), organization.explain(run_id)
    assert api.run(DAG, run_id)["state"] == "success"
    event = organization.event(run_id)
    assert (event["projects"], event["landed"], event["failed"], event["skipped"]) == (NUMBER, NUMBER, 0, 0)
    assert [number for number in range(NUMBER) if not organization.landed(number, 1)] == []
    assert event["rows"] == sum(len(labelbox.rows_for(id_of(each), FIRST, FIRST + DAY)) for each in range(NUMBER))
    assert len(labelbox.exports) == NUMBER
    assert organization.check(1)[0] == "success"

    before = organization.store.objects(f"labelbox/data/source=project/id={id_of(DELETED)}/")
    labelbox.delete_project(id_of(DELETED))
    labelbox.add_project(id_of(ADDED), name_of(ADDED), rows_of(ADDED))
    labelbox.faults.add(ErrorRows(source_id=id_of(FAILING)))

    def vanish(run_id: str) -> None:
        api.wait_for_task(DAG, run_id, "projects")
        labelbox.delete_project(id_of(VANISHING))

    run_id = organization.night(1, vanish)
    expected = dict.fromkeys(everybody | {label(ADDED)}, "success")
    del expected[label(DELETED)]
    expected |= {label(FAILING): "failed", label(VANISHING): "skipped"}
    assert organization.states(run_id) == expected
    assert api.run(DAG, run_id)["state"] == "failed"
    event = organization.event(run_id)
    assert (event["projects"], event["landed"], event["failed"], event["skipped"]) == (NUMBER, NUMBER - 2, 1, 1)
    assert (event["failed_projects"], event["skipped_projects"]) == ([label(FAILING)], [label(VANISHING)])
    assert [number for number in range(2, NUMBER - 1) if not organization.landed(number, 2)] == []
    rows = labelbox.rows_for(id_of(ADDED), FIRST + DAY, FIRST + 2 * DAY)
    keys = organization.store.objects(f"labelbox/data/source=project/id={id_of(ADDED)}/")
    assert ids_of(lines_of(organization.store.read(key) for key in keys)) == ids_of(rows) != []
    assert organization.store.objects(f"labelbox/data/source=project/id={id_of(DELETED)}/") == before != {}

    state, snapshot = organization.check(2)
    assert state == "failed"
    assert [(fill["state"], fill["sources"]) for fill in snapshot["fills"]] == [
        ("rejected", [f"project:{id_of(FAILING)}"])
    ]

    [failed] = [each for each in api.tasks(DAG, run_id) if each["rendered_map_index"] == label(FAILING)]
    task_ids: Any = [[failed["task_id"], failed["map_index"]]]
    api.clear(DAG, run_id, task_ids)
    until("the cleared run to succeed", lambda: api.run(DAG, run_id)["state"] == "success", timeout=180)
    assert organization.event(run_id)["failed"] == 0
    assert organization.landed(FAILING, 2)
    assert organization.check(2)[0] == "success"
