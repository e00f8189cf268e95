"""Twenty-four mapped sources at a limit of six under a real scheduler and triggerer: order, phases, no lost try."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

import pytest
from support.e2e.stage import ids_of, lines_of

from demo.airflow_api import until
from demo.airflow_cluster import AirflowCluster
from demo.interruption import pause
from labelbox_export_provider.client import flows
from labelbox_export_provider.client.graphql import START_PROJECT_EXPORT
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.execution.waiting import MIN_DEFERRAL
from labelbox_export_provider.testing import FakeLabelbox, generate_rows
from labelbox_export_provider.testing.faults import SlowExport

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

LIMIT, EACH = 6, 8
DAY = timedelta(days=1)
PROMISED = ("urgent", "tonight", "backfill")
BUSY = "clprojectbusy000000000000"
PROJECTS = {kind: [f"clproject{kind}{number}".ljust(25, "0") for number in range(EACH)] for kind in PROMISED}
KIND_OF = {project: kind for kind, projects in PROJECTS.items() for project in projects}


@dataclass(frozen=True)
class Cluster:
    airflow: AirflowCluster
    labelbox: FakeLabelbox
    lake: Path

    @property
    def client(self) -> LabelboxClient:
        """A client with the key of the connection."""
        return LabelboxClient(ConnectionSettings(api_key=self.labelbox.api_key, endpoint=self.labelbox.endpoint))

    def busy(self) -> list[str]:
        """Start as many exports as may run; they do not end by themselves."""
        self.labelbox.faults.add(SlowExport(source_id=BUSY, seconds=10_000, times=None))
        source = ProjectSource(project_id=BUSY)
        with self.client as client:
            for number in range(LIMIT):
                asked = source.render_input(task_name=f"busy {number}", owner_timezone=None, window=None)
                client.run(flows.start_once(START_PROJECT_EXPORT, asked))
        return [export.export_id for export in self.labelbox.exports]

    def end(self, exports: list[str]) -> None:
        """End exports by hand."""
        with self.client as client:
            assert all(client.run(flows.cancel_export(each)) for each in exports)

    def states(self, run_id: str) -> Counter[str]:
        """How many task instances are in which state."""
        return Counter(str(task["state"]) for task in self.airflow.api.tasks("start_gate", run_id))

    def phases(self, run_id: str) -> Counter[int]:
        """How many tasks needed a worker how often."""
        api = self.airflow.api
        logs = [api.log("start_gate", run_id, kind, 1, each) for kind in PROMISED for each in range(EACH)]
        return Counter(sum("Worker startup parse complete" in line for line in lines) for lines in logs)

    def explain(self, run_id: str) -> str:
        """The logs of what did not succeed."""
        api, text = self.airflow.api, []
        for task in api.tasks("start_gate", run_id):
            if task["state"] != "success":
                lines = api.log("start_gate", run_id, task["task_id"], max(1, task["try_number"]), task["map_index"])
                text += [f"--- {task['task_id']}[{task['map_index']}] {task['state']}", *lines[-30:]]
        return "\n".join(text)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("gate")
    dags, lake = home / "dags", home / "root"
    lake.mkdir()
    shutil.copytree(Path(__file__).parent / "dags_start_gate", dags, ignore=shutil.ignore_patterns("__pycache__"))
    projects = (BUSY, *KIND_OF)
    rows = [row for each in projects for row in generate_rows(12, start=date(2026, 5, 4), days=3, project_id=each)]
    with FakeLabelbox(rows) as labelbox:
        labelbox.change(running_exports_per_organization=LIMIT, seconds_per_export=2.0)
        settings = {
            **labelbox.airflow_environment(),
            "LABELBOX_PROJECTS": json.dumps(PROJECTS),
            "LABELBOX_LAKE": str(lake),
        }
        with AirflowCluster(home / "airflow", dags, env=settings, parallelism=4) as airflow:
            airflow.api.wait_for_dag("start_gate")
            airflow.api.unpause("start_gate")
            yield Cluster(airflow, labelbox, lake)
            airflow.check()


def test_starts_come_in_the_promised_order(cluster: Cluster) -> None:
    """By priority, then the newest window; each is refused once, and lands with its only try."""
    busy = cluster.busy()
    run_id = cluster.airflow.api.trigger("start_gate")
    until("all starts to rest", lambda: cluster.states(run_id)["deferred"] == 3 * EACH, timeout=180)
    # Who was deferred less than half a minute ago is not released yet, and others are meanwhile.
    pause(MIN_DEFERRAL.total_seconds() + 10)
    cluster.end(busy)
    cluster.airflow.api.wait_for_run("start_gate", run_id, timeout=300)
    assert cluster.states(run_id) == {"success": 3 * EACH}, cluster.explain(run_id)
    assert {task["try_number"] for task in cluster.airflow.api.tasks("start_gate", run_id)} == {1}

    phases = cluster.phases(run_id)
    assert set(phases) <= {2, 3}, phases
    starts = cluster.labelbox.requests.asking("StartProjectExport")
    sent = Counter(each.variables["input"]["filters"]["projectId"] for each in starts)
    assert {project: number for project, number in sent.items() if project != BUSY} == dict.fromkeys(KIND_OF, 2)
    started = [KIND_OF[str(export.source_id)] for export in cluster.labelbox.exports[LIMIT:]]
    for place, kind in enumerate(started):
        first = PROMISED.index(kind) * EACH
        # As many as may run are released together, and a worker may start the last of them first.
        assert first - LIMIT < place < first + EACH - 1 + LIMIT, started
    rows = lines_of(path.read_bytes() for path in cluster.lake.rglob("data/**/*") if path.is_file())
    days = {kind: date(2026, 5, 6 if kind == "tonight" else 4) for kind in PROMISED}
    starts_of = {kind: datetime.combine(day, time(), timezone.utc) for kind, day in days.items()}
    held = [cluster.labelbox.rows_for(each, starts_of[kind], starts_of[kind] + DAY) for each, kind in KIND_OF.items()]
    assert ids_of(rows) == ids_of(row for each in held for row in each)
