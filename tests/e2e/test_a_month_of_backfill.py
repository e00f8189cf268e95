"""A backfill of thirty days lands thirty windows, and running it again adds generations and loses nothing."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.airflow_api import until
from demo.airflow_cluster import AirflowCluster
from labelbox_export_provider.testing import FakeLabelbox, generate_rows

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

PROJECT = "clprojectofamonth00000000"
FIRST, NIGHTS = date(2026, 4, 1), 30


@dataclass(frozen=True)
class Cluster:
    airflow: AirflowCluster
    labelbox: FakeLabelbox
    lake: Path

    def backfill(self, *options: str) -> None:
        """Have Airflow run all nights, four at a time, and wait until it says that they are done."""
        last = FIRST + timedelta(days=NIGHTS - 1)
        command = ["backfill", "create", "--dag-id", "a_month", "--from-date", f"{FIRST}T00:00:00+00:00"]
        self.run_backfill([*command, "--to-date", f"{last}T23:59:59+00:00", "--max-active-runs", "4", *options])
        assert self.states() == ["success"] * NIGHTS

    def run_backfill(self, command: list[str]) -> None:
        """Run a command that creates a backfill, and wait until it is done."""
        before = {each["id"] for each in self._backfills()}
        created = self.airflow.cli(*command)
        assert created.returncode == 0, created.stderr[-3000:]

        def done() -> bool:
            self.airflow.check()
            new = [each for each in self._backfills() if each["id"] not in before]
            return bool(new) and all(each["completed_at"] for each in new)

        until("the backfill to be completed", done, timeout=500, every=2)

    def states(self) -> list[str]:
        """Return the states of all runs."""
        return [run["state"] for run in self.airflow.api.runs("a_month")]

    def windows(self) -> subprocess.CompletedProcess[str]:
        """Ask which windows are landed, up to the end of the month."""
        until_then = f"{FIRST + timedelta(days=NIGHTS)}T02:00:00Z"
        return self.airflow.cli("labelbox", "windows", str(self.lake), "--dag-id", "a_month", "--until", until_then)

    def lose(self, number: int, *, state: str | None = None, deleted_run: bool = False) -> None:
        """Remove what a night landed; its run is deleted, put into a state, or stays a success."""
        start = f"{FIRST + timedelta(days=number):%Y%m%d}T020000Z"
        for path in self.lake.rglob(f"{start}_*"):
            path.unlink()
        [run] = [
            each
            for each in self.airflow.api.runs("a_month")
            if each["logical_date"].startswith(f"{FIRST + timedelta(days=number)}T02:00:00")
        ]
        place = f"/dags/a_month/dagRuns/{run['dag_run_id']}"
        if deleted_run:
            self.airflow.api.send("DELETE", place)
        elif state is not None:
            self.airflow.api.send("PATCH", place, {"state": state})

    def _backfills(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.airflow.api.pages("/backfills", "backfills", dag_id="a_month")
        return found

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.lake)): path.read_bytes() for path in self.lake.rglob("*") if path.is_file()}

    def generations(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Return the manifests of each window."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for name, content in self.files().items():
            if name.startswith("manifests/"):
                manifest = json.loads(content)
                window = manifest["export"]["window"]
                found[window["start"], window["end"]].append(manifest)
        return found

    def rows(self, manifest: dict[str, Any]) -> list[bytes]:
        """Read what a manifest names."""
        paths = [Path(named["uri"].removeprefix("file://")) for named in manifest["objects"]]
        return sorted(line for path in paths for line in path.read_bytes().splitlines(keepends=True))

    def expected_rows(self, window: tuple[str, str]) -> list[bytes]:
        """What Labelbox holds for a window."""
        start, end = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in window)
        rows = self.labelbox.rows_for(PROJECT, start, end, params={"includeDataRowDetails": True})
        return sorted(row.rstrip(b"\n") + b"\n" for row in rows)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("month")
    dags, lake = home / "dags", home / "root"
    lake.mkdir()
    shutil.copytree(Path(__file__).parent / "dags_a_month", dags, ignore=shutil.ignore_patterns("__pycache__"))
    rows = generate_rows(900, start=FIRST - timedelta(days=1), days=NIGHTS + 2, project_id=PROJECT)
    with FakeLabelbox(rows) as labelbox:
        settings = {
            **labelbox.airflow_environment(),
            "LABELBOX_PROJECT_ID": PROJECT,
            "LABELBOX_LAKE": str(lake),
        }
        with AirflowCluster(home / "airflow", dags, env=settings, parallelism=4) as airflow:
            airflow.api.wait_for_dag("a_month")
            airflow.api.unpause("a_month")
            yield Cluster(airflow, labelbox, lake)
            airflow.check()


def test_thirty_windows_land_and_land_again(scene: Cluster) -> None:
    """Thirty windows land each with the rows that Labelbox holds and again beside the first.

    G4 and G8 under a real scheduler, four runs at a time.
    """
    scene.backfill()
    first = scene.generations()
    starts = sorted(first)
    assert len(starts) == NIGHTS
    assert [end for _, end in starts[:-1]] == [start for start, _ in starts[1:]]
    for window, manifests in first.items():
        (manifest,) = manifests
        assert scene.rows(manifest) == scene.expected_rows(window), window
    assert sum(manifests[0]["result"]["rows"] for manifests in first.values()) > 500
    assert len(scene.labelbox.exports) == NIGHTS
    before = scene.files()

    scene.backfill("--reprocess-behavior", "completed")
    second = scene.generations()
    after = scene.files()
    assert {name: after[name] for name in before} == before
    assert len(scene.labelbox.exports) == 2 * NIGHTS
    for window, manifests in second.items():
        assert len({manifest["generation"] for manifest in manifests}) == 2, window
        assert all(scene.rows(manifest) == scene.expected_rows(window) for manifest in manifests), window


def test_gaps_are_filled_by_what_is_printed(scene: Cluster) -> None:
    """G13: a deleted run, four failed nights and a night marked success, filled with nothing else known.

    It comes after the test above, over the nights that it landed.
    """
    scene.lose(4, deleted_run=True)
    for number in (10, 11, 12, 13):
        scene.lose(number, state="failed")
    scene.lose(20)
    done = scene.windows()
    assert done.returncode == 3, done.stderr[-2000:]
    assert re.findall(r"^- missing: \[(\S+)T02:00:00Z, .*, (\d) windows? of", done.stdout, re.MULTILINE) == [
        ("2026-04-21", "1"),
        ("2026-04-11", "4"),
        ("2026-04-05", "1"),
    ]
    commands = re.findall(r"^  airflow (backfill create .*)$", done.stdout, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        scene.run_backfill(shlex.split(command))
    after = scene.windows()
    assert (after.returncode, "Gaps" in after.stdout) == (0, False), after.stdout
    assert len(scene.labelbox.exports) == 2 * NIGHTS + 6
    assert scene.states() == ["success"] * NIGHTS
