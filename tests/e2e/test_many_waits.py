"""A real triggerer carries many waits to their ends, through refusals, errors and a kill -9.

`LABELBOX_WAITS=500 pytest tests/e2e/test_many_waits.py -m e2e` lets 500 sensors wait instead of the 50 of every run;
500 take six minutes on two cores that do nothing else.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path

import pytest
from support.streaming.exports import landing_client

from demo.airflow_api import until
from demo.airflow_cluster import LOSSES_SEEN_SOON, AirflowCluster
from labelbox_export_provider.testing import FakeLabelbox, ManualClock, generate_rows
from labelbox_export_provider.testing.faults import CanceledExport, ErrorStatus, FailedExport, RateLimited, SlowExport

WAITS = int(os.environ.get("LABELBOX_WAITS", "50"))
OF_ONE_RUN = 25
SOON, LATER = 100.0, 1000.0
"""Seconds that an export runs, by the clock of the fake, which the test moves."""
FAILING, CANCELED = 2, 2

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300 + 15 * WAITS)]


@dataclass(frozen=True)
class Scene:
    airflow: AirflowCluster
    labelbox: FakeLabelbox
    clock: ManualClock
    exports: list[dict[str, object]]
    """Handles of running exports, of which every other one ends soon."""

    def start(self) -> list[str]:
        """Start the runs whose sensors wait for the exports, all of them before the first one is scheduled."""
        self.airflow.api.wait_for_dag("many_waits")
        parts = [self.exports[begin : begin + OF_ONE_RUN] for begin in range(0, WAITS, OF_ONE_RUN)]
        runs = [self.airflow.api.trigger("many_waits", conf={"exports": part}) for part in parts]
        self.airflow.api.unpause("many_waits")
        return runs

    def waits(self, runs: list[str]) -> list[tuple[str, int]]:
        """Return state and try of each sensor, in the order of the exports."""
        found = []
        for run_id in runs:
            tasks = [task for task in self.airflow.api.tasks("many_waits", run_id) if task["task_id"] == "wait"]
            tasks = sorted(tasks, key=lambda task: task["map_index"])
            found += [(task["state"] or "none", task["try_number"]) for task in tasks if task["map_index"] >= 0]
        return found

    def all_wait(self, runs: list[str]) -> bool:
        """Return whether all sensors are deferred; none may end before its export."""
        states = self.states(runs)
        assert not states["failed"] + states["success"], states
        return states["deferred"] == WAITS

    def explain(self, runs: list[str], ended: list[tuple[str, int]], expected: list[str]) -> str:
        """Return how many sensors ended otherwise, and the log of the first try of the first one."""
        others = [number for number, each in enumerate(ended) if each != (expected[number], 1)]
        run_id, index = runs[others[0] // OF_ONE_RUN], others[0] % OF_ONE_RUN
        log = "\n".join(self.airflow.api.log("many_waits", run_id, "wait", 1, index))
        return f"{len(others)} of {WAITS} ended otherwise; {ended[others[0]]}, and the log of its first try:\n{log}"

    def states(self, runs: list[str]) -> Counter[str]:
        """Count the sensors in each state."""
        return Counter(state for state, _ in self.waits(runs))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    home = tmp_path_factory.mktemp("many-waits")
    dags = home / "dags"
    shutil.copytree(Path(__file__).parent / "dags_many_waits", dags, ignore=shutil.ignore_patterns("__pycache__"))
    clock = ManualClock(datetime.now(timezone.utc))
    with FakeLabelbox(generate_rows(5, start=date(2026, 5, 4), days=1), clock=clock) as labelbox:
        labelbox.change(running_exports_per_project=None, running_exports_per_organization=None)
        labelbox.faults.add(FailedExport(times=FAILING), CanceledExport(times=CANCELED))
        with landing_client(labelbox) as client:
            exports = []
            for number in range(WAITS):
                labelbox.faults.add(SlowExport(seconds=LATER if number % 2 else SOON))
                exports.append(client.export().to_json())
        settings = {**LOSSES_SEEN_SOON, **labelbox.airflow_environment()}
        with AirflowCluster(home / "airflow", dags, env=settings, parallelism=4) as airflow:
            yield Scene(airflow, labelbox, clock, exports)
            airflow.check()


def test_many_waits_end_as_their_exports(scene: Scene) -> None:
    """Each sensor ends as its export did, at its first try, with every twentieth answer refused or an error.

    The triggerer is killed when half of the exports have ended and some of the sensors have heard of it.
    """
    faults = scene.labelbox.faults
    # The first are for the triggerer's own requests, which are few.
    for operation, every in (("CreatedTasksById", 20), (None, 38)):
        faults.add(RateLimited(operation=operation, retry_after=1, every=every, times=None))
        faults.add(ErrorStatus(operation=operation, status=502, every=every, after=every // 2, times=None))
    scene.labelbox.requests.clear()
    before, begun = len(faults.happened), time.monotonic()
    runs = scene.start()
    until("all sensors to wait", lambda: scene.all_wait(runs), timeout=120 + 6 * WAITS, every=2)
    deferred_after = time.monotonic() - begun
    scene.clock.advance(SOON)
    left = until(
        "sensors to be resumed",
        lambda: waiting if (waiting := scene.states(runs)["deferred"]) < WAITS else 0,
        timeout=60,
    )
    scene.airflow.kill("triggerer")
    assert left >= WAITS // 2
    print(f"{WAITS} sensors waited after {deferred_after:.0f} s; the triggerer was killed with {left} of them waiting")
    scene.airflow.start("triggerer")
    scene.clock.advance(LATER)
    for run_id in runs:
        scene.airflow.api.wait_for_run("many_waits", run_id, timeout=120 + 8 * WAITS)
    expected = ["failed"] * (FAILING + CANCELED) + ["success"] * (WAITS - FAILING - CANCELED)
    ended = scene.waits(runs)
    assert ended == [(state, 1) for state in expected], scene.explain(runs, ended, expected)
    refused = Counter(type(each).__name__ for each in faults.happened[before:])
    asked = scene.labelbox.requests.api
    share = sum(refused.values()) / len(asked)
    print(f"all ended after {time.monotonic() - begun:.0f} s; {len(asked)} requests, of which failed {dict(refused)}")
    assert min(refused["RateLimited"], refused["ErrorStatus"]) > 0
    assert share >= 0.05
    together = [each for each in asked if each.operation_name == "CreatedTasksById"]
    assert any(each.fault for each in together), "none of the triggerer's requests was refused"
