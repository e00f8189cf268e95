"""How long many sources take at Labelbox's limit of running exports: `python -m benchmarks.many_sources --help`.

A real Airflow (scheduler, triggerer, LocalExecutor, SQLite) runs one DAG that maps transfers over all sources, without
retries, against the fake Labelbox, which lets `--limit` exports of `--seconds` run at once. The least possible time is
that of full rounds of exports; what is above it is Airflow's own share and the places that stay empty. A third of the
sources each is urgent, of tonight's window, and of an older one, so that the order in which they start can be checked.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.start_order import KINDS, TriggerLogs, moment_of, overtaken, read_starts
from demo.airflow_api import RUN_ENDED, until
from demo.airflow_cluster import AirflowCluster
from labelbox_export_provider.testing import FakeLabelbox, generate_rows

GOAL = 1.15
"""The wall time that is allowed, in shares of the least possible one."""
MAX_PHASES = 3
"""How often a worker may be needed for one source: a start that is refused, one that is carried out, the landing."""
_DAG = """
import json, os
from airflow.sdk import DAG
from labelbox_export_provider import FixedWindow, LabelboxExportToFileOperator
projects = json.loads(os.environ.get("LABELBOX_PROJECTS", "{}"))
windows = {
    "urgent": FixedWindow("2026-05-04T00:00:00Z", "2026-05-05T00:00:00Z"),
    "tonight": FixedWindow("2026-05-06T00:00:00Z", "2026-05-07T00:00:00Z"),
    "backfill": FixedWindow("2026-05-04T00:00:00Z", "2026-05-05T00:00:00Z"),
}
with DAG("many_sources", schedule=None, default_args={"retries": 0}, max_active_tasks=1000):
    for kind, window in windows.items():
        LabelboxExportToFileOperator.partial(
            task_id=kind,
            window=window,
            root=os.environ.get("LABELBOX_LAKE", "/"),
            priority_weight=10 if kind == "urgent" else 1,
        ).expand(source=[{"kind": "project", "project_id": each} for each in projects.get(kind, [])])
"""


_PHASE_BEGINS = "Worker startup parse complete"
"""What Airflow writes into a task's log when a worker begins."""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print a table, write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=60)
    parser.add_argument("--limit", type=int, default=6, help="exports that Labelbox lets run at once")
    parser.add_argument("--seconds", type=float, default=90, help="how long an export runs")
    parser.add_argument("--parallelism", type=int, default=4, help="tasks that Airflow runs at once in workers")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as work:
        measured = _measure(Path(work), given)
    report = {
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "settings": {name: getattr(given, name) for name in ("sources", "limit", "seconds", "parallelism")},
        "gate": {"of_least": GOAL, "phases": MAX_PHASES, "overtaken": 0},
        **measured,
    }
    _print(report)
    if given.output:
        given.output.write_text(json.dumps(report, indent=1) + "\n")
    return report


def missed(report: Mapping[str, Any]) -> list[str]:
    """Return what a report does not hold: its gates, and that every source lands with its only try."""
    figures = {**report, "phases": report["max_phases"]}
    faults = [f"{name}: {figures[name]}" for name, gate in report["gate"].items() if figures[name] > gate]
    if (report["states"].keys(), report["tries"]) != ({"success"}, 1):
        faults.append(f"states {report['states']} after {report['tries']} tries")
    return faults


def _measure(work: Path, given: argparse.Namespace) -> dict[str, Any]:
    dags, lake = work / "dags", work / "lake"
    dags.mkdir()
    lake.mkdir()
    (dags / "many_sources.py").write_text(_DAG)
    ids = [f"clproject{number:016d}" for number in range(given.sources)]
    projects = {kind: ids[number :: len(KINDS)] for number, kind in enumerate(KINDS)}
    rows = [row for each in ids for row in generate_rows(10, start=date(2026, 5, 4), days=3, project_id=each)]
    with FakeLabelbox(rows) as labelbox:
        labelbox.change(running_exports_per_organization=given.limit, seconds_per_export=given.seconds)
        settings = {
            **labelbox.airflow_environment(),
            "LABELBOX_LAKE": str(lake),
            "LABELBOX_PROJECTS": json.dumps(projects),
        }
        with AirflowCluster(work / "airflow", dags, env=settings, parallelism=given.parallelism) as airflow:
            logs = airflow.home / "logs" / "dag_id=many_sources"
            airflow.api.wait_for_dag("many_sources")
            airflow.api.unpause("many_sources")
            run_id = airflow.api.trigger("many_sources")
            least = math.ceil(given.sources / given.limit) * given.seconds
            triggers = TriggerLogs(logs)

            def ended() -> dict[str, Any] | None:
                triggers.read()
                found = airflow.api.run("many_sources", run_id)
                return found if found["state"] in RUN_ENDED else None

            run = until("the run to end", ended, timeout=4 * least + 300, every=2)
            tasks = airflow.api.tasks("many_sources", run_id)
            phases = max(log.read_text().count(_PHASE_BEGINS) for log in logs.rglob("attempt=*.log"))
        began = moment_of(run["start_date"])
        starts = read_starts(labelbox, triggers, projects, began)
    wall = (moment_of(run["end_date"]) - began).total_seconds()
    return {
        "wall": round(wall, 1),
        "least": least,
        "of_least": round(wall / least, 3),
        "refused_starts": sum(each.refusals for each in starts),
        "max_phases": phases,
        "overtaken": len(overtaken(starts)),
        "states": dict(Counter(str(task["state"]) for task in tasks)),
        "tries": max(task["try_number"] for task in tasks),
        "starts": [asdict(each) for each in starts],
    }


def _print(report: dict[str, Any]) -> None:
    settings = report["settings"]
    print(
        f"{settings['sources']} sources, {settings['limit']} exports of {settings['seconds']:g} s at once; goal: "
        f"{GOAL} of the least possible time, {MAX_PHASES} phases for each source\n"
    )
    print("| wall, s | least possible, s | ratio | refused starts | phases, at most | overtaken | task states |")
    print("|---|---|---|---|---|---|---|")
    states = ", ".join(f"{number} {state}" for state, number in report["states"].items())
    print(
        f"| {report['wall']:.0f} | {report['least']:.0f} | {report['of_least']:.2f} | {report['refused_starts']} | "
        f"{report['max_phases']} | {report['overtaken']} | {states} |"
    )


if __name__ == "__main__":
    raise SystemExit(1 if missed(main()) else 0)
