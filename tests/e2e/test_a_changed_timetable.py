"""Nights that a bare cron string refused land after the change of timetable that the message asks for."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.e2e.stage import FIRST, Stage, ids_of, lines_of

from demo.airflow_api import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

DAY = timedelta(days=1)
NIGHTS = [datetime.fromisoformat(f"2026-05-0{day}T00:00:00+00:00") for day in (5, 6, 7, 8)]
AFTER = NIGHTS[-1] + DAY
OLD, NEW = "refused_nights", "refused_nights_2"
DAG_FILE = """
import pendulum
from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from labelbox_export_provider import LabelboxExportToFileOperator, ParamsWindow, ProjectSource, window_params

with DAG(
    {dag_id!r},
    schedule={schedule},
    start_date=pendulum.parse({start!r}),
    end_date=pendulum.parse({end!r}),
    catchup=True,
    params=window_params(),
):
    LabelboxExportToFileOperator(
        task_id="land", source=ProjectSource(project_id={project!r}), window=ParamsWindow(), root={root!r}
    )
"""


def write_dag(stage: Stage, dag_id: str, schedule: str, start: datetime, end: datetime) -> Path:
    """Write the file of a DAG that lands into a directory of its own, and return that directory."""
    root = stage.home / dag_id
    root.mkdir(exist_ok=True)
    text = DAG_FILE.format(
        dag_id=dag_id, schedule=schedule, start=f"{start}", end=f"{end}", root=str(root), project=FIRST
    )
    (stage.home / "dags" / f"{dag_id}.py").write_text(text)
    return root


def windows_run(stage: Stage, dag_id: str, number: int, state: str) -> list[tuple[datetime, datetime]]:
    """Wait for so many ended runs with an interval, and return their intervals."""

    def look() -> list[dict[str, Any]]:
        runs = [run for run in stage.airflow.api.runs(dag_id) if run["data_interval_start"] and run["state"] == state]
        return runs if len(runs) >= number else []

    runs: list[dict[str, Any]] = until(f"{number} runs of {dag_id} to be {state}", look, timeout=240)
    return [
        (datetime.fromisoformat(run["data_interval_start"]), datetime.fromisoformat(run["data_interval_end"]))
        for run in runs
    ]


def backfills_ended(stage: Stage) -> bool:
    """Whether another backfill may be made; Airflow runs one at a time per DAG."""
    return all(each["completed_at"] for each in stage.airflow.api.get("/backfills", dag_id=OLD)["backfills"])


def landed(root: Path, start: datetime, end: datetime) -> list[str]:
    """The ids of the rows in the objects of one window."""
    objects = root.glob(f"data/**/{start:%Y%m%dT%H%M%SZ}_{end:%Y%m%dT%H%M%SZ}.*")
    return ids_of(lines_of(path.read_bytes() for path in objects))


def expected(stage: Stage, start: datetime, end: datetime) -> list[str]:
    """The ids of the rows whose activity lies in a window."""
    return ids_of(stage.labelbox.rows_for(FIRST, start, end))


@pytest.fixture(scope="module")
def message(stage: Stage) -> str:
    """What the last of four refused runs says; afterwards the DAG stays as it is."""
    write_dag(stage, OLD, "'0 0 * * *'", NIGHTS[0], NIGHTS[-1])
    stage.airflow.api.wait_for_dag(OLD)
    stage.airflow.api.unpause(OLD)
    assert windows_run(stage, OLD, 4, "failed") == [(night, night) for night in NIGHTS]
    run_id = stage.airflow.api.runs(OLD)[-1]["dag_run_id"]
    return " ".join("\n".join(stage.airflow.api.log(OLD, run_id, "land")).split())


def test_the_steps_of_the_message_land_every_refused_night_once(stage: Stage, message: str) -> None:
    """The message alone is followed: timetable, new dag_id, start_date, unpaused."""
    [schedule] = set(re.findall(r"schedule=(CronDataIntervalTimetable\(.*?\))", message))
    assert schedule == "CronDataIntervalTimetable('0 0 * * *', timezone='UTC')", "the DAG's own cron and zone"
    assert "with catchup=True" in message
    assert "a new dag_id, and start_date= one interval before the first refused run; then unpause" in message
    root = write_dag(stage, NEW, schedule, NIGHTS[0] - DAY, NIGHTS[-1])
    stage.airflow.api.wait_for_dag(NEW)
    stage.airflow.api.unpause(NEW)

    nights = [NIGHTS[0] - DAY, *NIGHTS]
    assert windows_run(stage, NEW, 5, "success") == [(night, night + DAY) for night in nights]
    assert [landed(root, night, night + DAY) for night in nights] == [
        expected(stage, night, night + DAY) for night in nights
    ]
    assert sum(1 for _ in root.glob("manifests/**/*.json")) == 5


def test_kept_dag_id_resumes_after_refused_nights(stage: Stage, message: str) -> None:
    """A DAG that keeps its dag_id goes on after its refused nights.

    The four nights get no run of their own; a run with both fields filled in lands them all.
    """
    del message
    root = write_dag(stage, OLD, "CronDataIntervalTimetable('0 0 * * *', timezone='UTC')", NIGHTS[0], AFTER)
    assert windows_run(stage, OLD, 1, "success") == [(AFTER, AFTER + DAY)]
    run_id = stage.run(OLD, start=NIGHTS[0].isoformat(), end=AFTER.isoformat())
    assert stage.states(OLD, run_id) == {"land": "success"}, stage.explain(OLD, run_id)
    assert landed(root, NIGHTS[0], AFTER) == expected(stage, NIGHTS[0], AFTER) != []


def test_backfill_makes_refused_nights_after_deletion(stage: Stage, message: str) -> None:
    """A backfill makes refused nights once their runs are deleted.

    Under the same dag_id, a window a night: the order is change, one run of the new timetable, delete, backfill.
    """
    del message
    root = write_dag(stage, OLD, "CronDataIntervalTimetable('0 0 * * *', timezone='UTC')", NIGHTS[0], AFTER)
    windows_run(stage, OLD, 1, "success")
    backfill = ("backfill", "create", "--dag-id", OLD, "--from-date", f"{NIGHTS[0]}", "--to-date", f"{NIGHTS[-1]}")
    stage.airflow.cli(*backfill)
    until("the backfill that makes no run to end", lambda: backfills_ended(stage), timeout=240)
    assert windows_run(stage, OLD, 4, "failed") == [(night, night) for night in NIGHTS], "they are left out"

    for run in stage.airflow.api.runs(OLD):
        if run["state"] == "failed":
            stage.airflow.api.send("DELETE", f"/dags/{OLD}/dagRuns/{run['dag_run_id']}")
    done = stage.airflow.cli(*backfill)
    assert done.returncode == 0, done.stderr[-3000:]
    nights = [*NIGHTS, AFTER]
    assert windows_run(stage, OLD, 5, "success") == [(night, night + DAY) for night in nights]
    assert [landed(root, night, night + DAY) for night in NIGHTS] == [
        expected(stage, night, night + DAY) for night in NIGHTS
    ]
