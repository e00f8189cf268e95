"""Never starts an export twice, whatever happens to a task under a real scheduler: kill -9, clears, crowds, pools.

`LABELBOX_KILLS=20 pytest tests/e2e/test_never_twice.py -m e2e` kills more often than the four times of every run, and
`LABELBOX_KILLS_SEED=...` repeats the plans of a run whose seed was printed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.e2e.kills import Plan, kill_task, plans

from demo.airflow_cluster import LOSSES_SEEN_SOON, AirflowCluster
from labelbox_export_provider.testing import FakeLabelbox, generate_rows
from labelbox_export_provider.testing.faults import SlowAnswer, SlowExport, SlowFile

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

KILLS = int(os.environ.get("LABELBOX_KILLS", "4"))
START = "exportDataRowsInProject"
WINDOW = (datetime(2026, 5, 4, 2, tzinfo=timezone.utc), datetime(2026, 5, 6, 2, tzinfo=timezone.utc))
CLEARED, MARKED, CROWDED, CODED, *POOLED = (
    f"clproject{name}0000000000000000000"[:25] for name in ("cleared", "marked", "crowd", "coded", *"abcdef")
)
HIT = [f"clprojecthit{number:013d}" for number in range(3 * KILLS)]
"""Every run that is to be hit has a project of its own, and some are left for those that were missed."""


class Cluster:
    """A fake whose every phase is long enough to be hit, and a cluster that soon notices what it has lost."""

    def __init__(self, airflow: AirflowCluster, labelbox: FakeLabelbox, home: Path) -> None:
        self.airflow = airflow
        self.labelbox = labelbox
        self.home = home

    def start(self, dag_id: str, **params: Any) -> str:
        """Start a run; where a busy server does not answer in time, look whether it is there before asking again."""
        run_id = f"manual__{uuid.uuid4().hex}"
        while True:
            try:
                return self.airflow.api.trigger(dag_id, conf=params, dag_run_id=run_id)
            except httpx.TimeoutException:
                if any(run["dag_run_id"] == run_id for run in self.airflow.api.runs(dag_id)):
                    return run_id

    def of_project(self, project_id: str) -> dict[str, Any]:
        """The params of a run that lands the window of one project in a folder of its own."""
        root = self.home / project_id
        root.mkdir(exist_ok=True)
        start, end = (moment.isoformat() for moment in WINDOW)
        return {"project_id": project_id, "start": start, "end": end, "root": str(root)}

    def exports(self, project_id: str) -> list[str]:
        return [export.export_id for export in self.labelbox.exports if export.source_id == project_id]

    def landed(self, project_id: str) -> list[bytes]:
        data = (self.home / project_id / "data").rglob("*.ndjson")
        return sorted(line for path in data for line in path.read_bytes().splitlines(keepends=True))

    def expected_rows(self, project_id: str) -> list[bytes]:
        rows = self.labelbox.rows_for(project_id, *WINDOW, params={"includeDataRowDetails": True})
        return sorted(row.rstrip(b"\n") + b"\n" for row in rows)

    def clear_count(self, dag_id: str, run_id: str, task_id: str) -> str:
        """Return the clear count in the start record of a task."""
        store = self.airflow.api.get(
            f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/state-store/labelbox_export"
        )
        value = store["value"]
        record = json.loads(value) if isinstance(value, str) else value
        return str(record["clear_count"])

    def log(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
        return "\n".join(self.airflow.api.log(dag_id, run_id, task_id, 1, map_index))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("never-twice")
    dags = home / "dags"
    shutil.copytree(Path(__file__).parent / "dags_never_twice", dags, ignore=shutil.ignore_patterns("__pycache__"))
    rows = [
        row
        for project_id in (*HIT, CLEARED, MARKED, CROWDED, CODED, *POOLED)
        for row in generate_rows(40, start=date(2026, 5, 4), days=3, project_id=project_id)
    ]
    with FakeLabelbox(rows) as labelbox:
        connection = json.loads(labelbox.airflow_connection())
        # The grace of an unanswered start is this time limit and half a minute.
        connection["extra"] = {"timeout": 5}
        settings = {**LOSSES_SEEN_SOON, "AIRFLOW_CONN_LABELBOX_DEFAULT": json.dumps(connection)}
        with AirflowCluster(home / "airflow", dags, env=settings, parallelism=4) as airflow:
            for dag_id in ("one_task", "three_tasks", "task_code", "crowd", "pooled"):
                airflow.api.wait_for_dag(dag_id)
                airflow.api.unpause(dag_id)
            yield Cluster(airflow, labelbox, home)
            airflow.check()


def slow(labelbox: FakeLabelbox) -> None:
    """Let each phase last some seconds."""
    labelbox.faults.clear()
    labelbox.change(seconds_per_export=5.0)
    labelbox.faults.add(SlowAnswer(operation=START, seconds=2.0, times=None), SlowFile(seconds=2.0, times=None))


def quick(labelbox: FakeLabelbox, seconds_per_export: float = 0.0) -> None:
    labelbox.faults.clear()
    labelbox.change(seconds_per_export=seconds_per_export)


def test_killed_task_starts_one_export_and_lands_once(scene: Cluster) -> None:
    """Never starts an export twice by accident.

    A task killed at any moment has started exactly one export and landed every row once.
    """
    seed = int(os.environ.get("LABELBOX_KILLS_SEED", random.randrange(10**6)))
    print(f"LABELBOX_KILLS={KILLS} LABELBOX_KILLS_SEED={seed}")
    slow(scene.labelbox)
    left, lock = iter(HIT), threading.Lock()

    def until_hit(plan: Plan) -> list[tuple[Plan, str, str, bool]]:
        done: list[tuple[Plan, str, str, bool]] = []
        while not done or (not done[-1][3] and len(done) < 3):
            with lock:  # SQLite takes one writer at a time
                project_id = next(left)
                run_id = scene.start(plan.dag_id, **scene.of_project(project_id))
            hit = kill_task(scene.airflow, run_id, plan, timeout=120)
            scene.airflow.api.wait_for_run(plan.dag_id, run_id, timeout=300)
            print(
                f"{'hit' if hit else 'missed'} {plan.describe()}, {len(scene.exports(project_id))} exports", flush=True
            )
            done.append((plan, run_id, project_id, hit))
            plan = replace(plan, seconds=plan.seconds / 2)  # it came too late
        return done

    with ThreadPoolExecutor(4) as pool:
        done = [each for runs in pool.map(until_hit, plans(KILLS, random.Random(seed))) for each in runs]
    quick(scene.labelbox)
    wrong = []
    for plan, run_id, project_id, hit in done:
        state = scene.airflow.api.run(plan.dag_id, run_id)["state"]
        exports = len(scene.exports(project_id))
        exact = scene.landed(project_id) == scene.expected_rows(project_id) != []
        line = f"{'hit' if hit else 'missed'} {plan.describe()}: {state}, {exports} exports, rows exact: {exact}"
        print(line)
        if (state, exports, exact) != ("success", 1, True):
            wrong.append(line)
    assert wrong == []
    assert sum(hit for *_, hit in done) >= KILLS, "some kills came too late every time"


def test_task_code_killed_while_it_starts_adopts(scene: Cluster) -> None:
    """Code of a task that is killed while its request is answered has started one export, and adopts it.

    A clear of the task with those after it starts a new one.
    """
    quick(scene.labelbox)
    scene.labelbox.faults.add(SlowAnswer(operation=START, seconds=10.0, times=1))
    run_id = scene.start("task_code", **scene.of_project(CODED))
    deadline = time.monotonic() + 120
    while not scene.exports(CODED):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert kill_task(scene.airflow, run_id, Plan("task_code", "start_in_code", False, "both", 0.0), timeout=10)
    assert scene.airflow.api.wait_for_run("task_code", run_id, timeout=300)["state"] == "success"
    tries = {task["task_id"]: task["try_number"] for task in scene.airflow.api.tasks("task_code", run_id)}
    assert (len(scene.exports(CODED)), tries["start_in_code"]) == (1, 2)
    assert scene.landed(CODED) == scene.expected_rows(CODED) != []
    scene.airflow.api.clear("task_code", run_id, ["start_in_code", "wait", "land"])
    assert scene.airflow.api.wait_for_run("task_code", run_id, timeout=300)["state"] == "success"
    assert len(scene.exports(CODED)) == 2


def test_cleared_success_starts_a_new_export(scene: Cluster) -> None:
    """A success that is cleared starts a new export and so does a run that is run again."""
    quick(scene.labelbox)
    run_id = scene.start("one_task", **scene.of_project(CLEARED))
    scene.airflow.api.wait_for_run("one_task", run_id)
    first = scene.clear_count("one_task", run_id, "land")
    assert len(scene.exports(CLEARED)) == 1
    scene.airflow.api.clear("one_task", run_id, ["land"])
    scene.airflow.api.wait_for_run("one_task", run_id)
    assert len(scene.exports(CLEARED)) == 2
    second = scene.clear_count("one_task", run_id, "land")
    path = f"/dags/one_task/dagRuns/{run_id}/clear"
    scene.airflow.api.send("POST", path, {"dry_run": False, "only_failed": False})
    scene.airflow.api.wait_for_run("one_task", run_id)
    assert len(scene.exports(CLEARED)) == 3
    third = scene.clear_count("one_task", run_id, "land")
    # Both numbers, max_tries and the run's clear_number, are raised by a clear under a real scheduler.
    numbers = [tuple(int(part) for part in each.split(".")) for each in (first, second, third)]
    assert numbers[0] < numbers[1] < numbers[2]
    assert [clears for _, clears in numbers] == [0, 1, 2]


@pytest.mark.parametrize("state", ["failed", "success"])
def test_waiting_task_marked_and_cleared_resumes(scene: Cluster, state: str) -> None:
    """A waiting task that is marked by hand and then cleared resumes its export."""
    quick(scene.labelbox)
    before = len(scene.exports(MARKED))
    scene.labelbox.faults.add(SlowExport(source_id=MARKED, seconds=15))
    run_id = scene.start("one_task", **scene.of_project(MARKED))
    scene.airflow.api.wait_for_task("one_task", run_id, "land", states={"deferred"})
    scene.airflow.api.set_task_state("one_task", run_id, "land", state)
    scene.airflow.api.wait_for_run("one_task", run_id)
    scene.airflow.api.clear("one_task", run_id, ["land"])
    ended = scene.airflow.api.wait_for_run("one_task", run_id)
    assert ended["state"] == "success"
    assert len(scene.exports(MARKED)) == before + 1


def test_forty_starts_at_a_limit_of_ten_all_succeed(scene: Cluster) -> None:
    """Forty starts at once against a limit of ten all end well without a retry."""
    quick(scene.labelbox, seconds_per_export=4.0)
    # Others keep eight of the ten places for the first half minute.
    scene.labelbox.faults.add(SlowExport(source_id=CROWDED, seconds=30, times=8))
    scene.labelbox.requests.clear()
    run_id = scene.start("crowd", projects=[CROWDED] * 40)
    ended = scene.airflow.api.wait_for_run("crowd", run_id, timeout=900)
    tasks = [task for task in scene.airflow.api.tasks("crowd", run_id) if task["task_id"] == "start"]
    assert ended["state"] == "success"
    assert {(task["state"], task["try_number"]) for task in tasks} == {("success", 1)}
    assert len(tasks) == len(scene.exports(CROWDED)) == 40
    sent = len(scene.labelbox.requests.asking(START))
    assert sent > 40, "no start was refused, so the test shows nothing"
    print(f"{sent} starts were sent for 40 exports")
    reported = [index for index in range(40) if "no retry is used up" in scene.log("crowd", run_id, "start", index)]
    assert reported


def test_pool_limits_exports_of_a_mapped_transfer(scene: Cluster) -> None:
    """A pool with deferred tasks bounds how many exports of a mapped transfer run at once."""
    quick(scene.labelbox, seconds_per_export=5.0)
    pool = {"name": "labelbox", "slots": 2, "include_deferred": True, "description": "exports at once"}
    scene.airflow.api.send("POST", "/pools", pool)
    root = scene.home / "pooled"
    root.mkdir()
    sources = [{"kind": "project", "project_id": project_id} for project_id in POOLED]
    run_id = scene.start("pooled", sources=sources, root=str(root))
    ended = scene.airflow.api.wait_for_run("pooled", run_id, timeout=400)
    assert ended["state"] == "success"
    begun = sorted(export.started_at for export in scene.labelbox.exports if export.source_id in POOLED)
    assert len(begun) == len(POOLED)
    together = [sum(moment <= other < moment + timedelta(seconds=5) for other in begun) for moment in begun]
    assert max(together) <= 2
    rows = [line for path in (root / "data").rglob("*.ndjson") for line in path.read_bytes().splitlines(keepends=True)]
    exports = [export.export_id for export in scene.labelbox.exports if export.source_id in POOLED]
    expected_rows = [
        row for export_id in exports for row in scene.labelbox.expected_rows(export_id).splitlines(keepends=True)
    ]
    assert sorted(rows) == sorted(expected_rows) != []
