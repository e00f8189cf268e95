"""The stage of the end-to-end tests: real Airflow, a fake Labelbox, an S3 server."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from support.e2e.metrics import MetricsReceiver
    from support.e2e.three_stores import ThreeStores

    from demo.airflow_cluster import AirflowCluster
    from demo.object_store import ObjectStore
    from labelbox_export_provider.testing import FakeLabelbox

FIRST_DAY = date(2026, 5, 4)
DAYS = 5
BUCKET = "lake"
NIGHTLY_BUCKET = "nightly-lake"
API_KEY = "e2e-key-4fd1c27a90b64c3e8d55"
NAMES = ("nightly", "first", "second", "failing", "slow", "talking", "late", "large")
NIGHTLY, FIRST, SECOND, FAILING, SLOW, TALKING, LATE, LARGE = (
    f"clproject{name}00000000000000000000"[:25] for name in NAMES
)
ROWS = {NIGHTLY: 600, FIRST: 80, SECOND: 60, FAILING: 20, SLOW: 40, TALKING: 120, LATE: 10, LARGE: 9000}
"""Projects and how many rows are in each, spread over `DAYS` days from `FIRST_DAY`."""


@dataclass(frozen=True)
class Stage:
    """What an end-to-end test works with."""

    airflow: AirflowCluster
    labelbox: FakeLabelbox
    store: ObjectStore
    nightly_store: ObjectStore
    three: ThreeStores
    home: Path
    metrics: MetricsReceiver
    late_report: str
    """A run that was started with the stage, since it takes a minute (`late_report.py`)."""

    def run(self, dag_id: str, *, timeout: float = 180, **params: Any) -> str:
        """Run a DAG to its end, whichever, and return the run's id."""
        run_id = self.start(dag_id, **params)
        self.airflow.api.wait_for_run(dag_id, run_id, timeout=timeout)
        return run_id

    def start(self, dag_id: str, **params: Any) -> str:
        """Start a run of a DAG."""
        return start(self.airflow, dag_id, **params)

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the states of a run's tasks; those of mapped ones under `task[index]`."""
        return {
            task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]": task["state"]
            for task in self.airflow.api.tasks(dag_id, run_id)
        }

    def explain(self, dag_id: str, run_id: str) -> str:
        """Return the end of the log of every failed task, for the message of an assertion."""
        text = []
        for task in self.airflow.api.tasks(dag_id, run_id):
            if task["state"] not in {"success", None}:
                text.append(f"--- {task['task_id']}[{task['map_index']}] {task['state']}, try {task['try_number']}")
                if task["try_number"] and task["start_date"]:
                    lines = self.airflow.api.log(dag_id, run_id, task["task_id"], task["try_number"], task["map_index"])
                    text += [line for line in lines if not line.startswith("debug")][-25:]
        return "\n".join(text)

    def stored_rows(self, prefix: str) -> list[bytes]:
        """Return the lines of all objects below a prefix."""
        return lines_of(self.store.read(key) for key in self.store.objects(prefix))


def start(airflow: AirflowCluster, dag_id: str, **params: Any) -> str:
    """Start a run of a DAG, once Airflow has read it."""
    airflow.api.wait_for_dag(dag_id)
    airflow.api.unpause(dag_id)
    return airflow.api.trigger(dag_id, conf=params)


def lines_of(contents: Iterable[bytes]) -> list[bytes]:
    """Return the lines of some files, compressed or not."""
    rows: list[bytes] = []
    for content in contents:
        text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        assert text.endswith(b"\n")
        rows += text.removesuffix(b"\n").split(b"\n")
    return rows


def ids_of(rows: Iterable[bytes]) -> list[str]:
    """Return the data row ids of some lines, sorted."""
    return sorted(json.loads(row)["data_row"]["id"] for row in rows)


def activity_of(row: bytes) -> datetime:
    """Return when a row was last touched, as it says itself."""
    text: str = json.loads(row)["data_row"]["details"]["last_activity_at"]
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
