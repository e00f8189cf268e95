"""`estimate`: the exports that a DAG would start, their windows, and the request, without a call or a database."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.providers_manager import ProvidersManager
from support.airflow.tasks import context_of

from labelbox_export_provider import DataIntervalWindow, ProjectExportOperator
from labelbox_export_provider.__main__ import main
from labelbox_export_provider.testing import FakeLabelbox, generate_rows

FROM_3_2 = pytest.mark.skipif(
    not hasattr(ProvidersManager, "cli_command_functions"), reason="providers have commands from Airflow 3.2 on"
)
HEAD = """
from datetime import datetime
from airflow.sdk import DAG, Param, task
from airflow.timetables.interval import CronDataIntervalTimetable
from labelbox_export_provider import *

DAILY = CronDataIntervalTimetable("0 2 * * *", timezone="UTC")
with DAG("nightly", schedule=DAILY, start_date=datetime(2026, 1, 1), params={**window_params(), "project": "clp1"}):
"""
NIGHTLY = """
    ProjectExportOperator(
        task_id="start", project_id="clprojectdemo000000000000", window=DataIntervalWindow(),
        filters={"workflow_status": "Done", "label_created_at": ["2026-01-01", None]},
        export_params={"label_details": True},
    )
"""
OCTOBER = ("--start", "2026-10-01", "--end", "2026-10-31")


@pytest.fixture
def dag_file(tmp_path: Path) -> Any:
    def write(body: str, head: str = HEAD) -> str:
        path = tmp_path / "nightly.py"
        path.write_text(head + body)
        return str(path)

    return write


def estimated(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    """The one estimate that the command prints as JSON."""
    capsys.readouterr()
    assert main(["estimate", *arguments, "--json"]) == code
    [estimate] = json.loads(capsys.readouterr().out)
    return dict(estimate)


def test_a_month_is_counted_window_by_window(dag_file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Its windows are those of the runs, without a gap; ten at once take four turns of a quarter of an hour."""
    found = estimated(capsys, dag_file(NIGHTLY), *OCTOBER, "--minutes-per-export", "15")
    windows = [start["window"] for start in found["starts"]]
    assert (found["runs"], found["exports"], len(windows), found["hours"]) == (31, 31, 31, 1.0)
    assert windows[0]["start"] == "2026-10-01T02:00:00Z"
    assert all(before["end"] == after["start"] for before, after in itertools.pairwise(windows))
    assert windows[-1]["end"] == "2026-11-01T02:00:00Z"
    assert estimated(capsys, dag_file(NIGHTLY), *OCTOBER, "--minutes-per-export", "15", "--limit", "1")["hours"] == 7.75


def test_the_request_is_what_is_sent(
    dag_file: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the one that the task sends in that run, but for the digest in the name, which needs the key's account."""
    found = estimated(capsys, dag_file(NIGHTLY), *OCTOBER)["first_request"]
    with FakeLabelbox(generate_rows(5, start=date(2026, 10, 1), days=1)) as fake:
        for name, value in fake.airflow_environment().items():
            monkeypatch.setenv(name, value)
        night = (datetime(2026, 10, 1, 2, tzinfo=timezone.utc), datetime(2026, 10, 2, 2, tzinfo=timezone.utc))
        ProjectExportOperator(
            task_id="start",
            project_id=fake.project_id,
            window=DataIntervalWindow(),
            filters={"workflow_status": "Done", "label_created_at": ["2026-01-01", None]},
            export_params={"label_details": True},
        ).execute(context_of(interval=night))
        [sent] = fake.requests.asking("exportDataRowsInProject")
    given = dict(sent.variables["input"])
    name, planned = given.pop("taskName"), found["variables"]["input"].pop("taskName")
    assert found == {"query": sent.query, "variables": {"input": given}}
    assert (planned[:19], planned[18:]) == ("[????????????????] ", name[18:])


def test_text_names_tasks_windows_hours_and_command(dag_file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The text holds what a person decides by, and the command that would start it."""
    assert main(["estimate", dag_file(NIGHTLY), *OCTOBER, "--minutes-per-export", "3"]) == 0
    text = capsys.readouterr().out
    assert "would start 31 exports\n" in text
    window = "31 windows of last_activity_at [2026-10-01T02:00:00Z, 2026-11-01T02:00:00Z)"
    assert f"  start: project clprojectdemo000000000000, 31 exports, {window}\n" in text
    assert "0.2 hours of exports at 3 minutes each and 10 at once" in text
    assert "--dag-id nightly --from-date 2026-10-01T02:00:00Z --to-date 2026-10-31T02:00:00Z" in text
    assert '"query": "mutation StartProjectExport(' in text


@pytest.mark.parametrize(
    ("body", "exports", "reason"),
    [
        ("""
    @task
    def projects(): return ["clp1"]
    ProjectExportOperator.partial(task_id="start").expand(project_id=projects())
""", 0, "a list that is known only when it runs"),
        ("""
    @task
    def project(): return "clp1"
    ProjectExportOperator(task_id="start", project_id=project())
""", 0, "known only when it runs"),
        ("""
    ProjectExportOperator(task_id="start", project_id="{{ var.value.some_project }}")
""", 0, "set AIRFLOW_VAR_SOME_PROJECT"),
        ("""
    ProjectExportOperator(task_id="start", project_id="{{ params.nothing }}")
""", 0, "no attribute 'nothing'"),
        ("""
    ProjectExportOperator(task_id="start", project_id="clp1", window=PartitionWindow(width="P1D"))
""", 0, "partition"),
    ],
)  # fmt: skip
def test_what_is_refused_or_unknown_is_named(
    dag_file: Any, capsys: pytest.CaptureFixture[str], body: str, exports: int, reason: str
) -> None:
    """Nothing is guessed: the start is named with why, and the exit code is another."""
    found = estimated(capsys, dag_file(body), *OCTOBER, code=1)
    assert found["exports"] == exports
    assert {each["task_id"] for each in found["not_known"]} == {"start"}
    assert reason in found["not_known"][0]["reason"]
    assert main(["estimate", dag_file(body), *OCTOBER]) == 1
    assert reason in capsys.readouterr().out


def test_lists_of_mapped_tasks_are_multiplied(dag_file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A list in the DAG file is one export for each of its items and each run, whatever the operator."""
    body = """
    LabelboxExportToFileOperator.partial(task_id="land", root="/data", window=DataIntervalWindow()).expand(
        source=[{"kind": "project", "project_id": "clp1"}, {"kind": "dataset", "dataset_id": "cld1"}])
    LabelboxExportToFileOperator(task_id="other", export="{{ x }}", root="/data")
"""
    found = estimated(capsys, dag_file(body), "--start", "2026-10-01", "--end", "2026-10-02")
    assert (found["runs"], found["exports"]) == (2, 4)
    assert {(each["task_id"], each["source"]["id"]) for each in found["starts"]} == {("land", "clp1"), ("land", "cld1")}


def test_one_run_of_the_trigger_form(dag_file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`--triggered` is the one export that a person starts instead of a backfill; `--conf` fills in other params."""
    body = """
    ProjectExportOperator(task_id="start", project_id="{{ params.project }}", window=ParamsWindow())
"""
    found = estimated(capsys, dag_file(body), *OCTOBER, "--triggered", "--conf", '{"project": "clp2"}')
    [start] = found["starts"]
    assert start["source"]["id"] == "clp2"
    assert (start["window"]["start"], start["window"]["end"]) == ("2026-10-01T00:00:00Z", "2026-10-31T23:59:59Z")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.py", *OCTOBER), "There is no file nowhere.py"),
        (("no_such_dag", *OCTOBER), "[core] dags_folder"),
        (("x.py", "--start", "2026-10-02", "--end", "2026-10-01"), "is after --end"),
    ],
)
def test_what_cannot_be_estimated(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["estimate", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("    raise ZeroDivisionError('broken')", "broken"),
        ("    LabelboxExportToFileOperator(task_id='land', export='{{ x }}', root='/data')", "no task of this DAG"),
    ],
)
def test_a_dag_without_a_start(dag_file: Any, capsys: pytest.CaptureFixture[str], body: str, message: str) -> None:
    assert main(["estimate", dag_file(body), *OCTOBER]) == 2
    assert message in capsys.readouterr().err


def test_a_dag_without_a_schedule(dag_file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Its runs are triggered, which the message names."""
    assert main(["estimate", dag_file(NIGHTLY, HEAD.replace("schedule=DAILY", "schedule=None")), *OCTOBER]) == 2
    assert "--triggered" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [("--start", "soon"), ("--limit", "0"), ("--minutes-per-export", "nan"), ("--conf", "[]")]
)
def test_a_wrong_option_is_named(capsys: pytest.CaptureFixture[str], wrong: tuple[str, str]) -> None:
    with pytest.raises(SystemExit):
        main(["estimate", "x.py", *OCTOBER, *wrong])
    assert f"argument {wrong[0]}" in capsys.readouterr().err


@pytest.mark.thorough
@pytest.mark.parametrize("by", ["file", "id", pytest.param("airflow", marks=FROM_3_2)])
def test_it_needs_no_network_and_no_database(dag_file: Any, tmp_path: Path, by: str) -> None:
    """In a process without sockets, with a database that cannot be opened, and without a connection."""
    path = Path(dag_file(NIGHTLY))
    program = (
        "import socket, sys\n"
        "def refuse(*_): raise SystemExit('a socket was connected')\n"
        "socket.socket.connect = refuse\n"
        f"from {'airflow' if by == 'airflow' else 'labelbox_export_provider'}.__main__ import main\n"
        "sys.exit(main())"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////nowhere/at/all.db",
    }
    named = "nightly" if by == "id" else str(path)
    group = ["labelbox"] if by == "airflow" else []
    command = [sys.executable, "-c", program, *group, "estimate", named, *OCTOBER, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)[0]["exports"] == 31
