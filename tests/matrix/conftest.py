"""A fake Labelbox in a process of its own, as its command starts it, and an empty directory to land in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from support.landed_night import DAYS, FIRST_DAY, ROWS

DAGS = Path(__file__).parent / "dags"


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """The folder with a directory for each DAG to land in."""
    folder = tmp_path / "lake"
    for dag_id in ("one_task", "three_tasks"):
        (folder / dag_id).mkdir(parents=True)
    return folder


@pytest.fixture
def dag_environment(landing: Path) -> Iterator[dict[str, str]]:
    """What the DAGs read from their environment, while a fake Labelbox serves the rows."""
    rows = ["--generate", str(ROWS), "--start-date", date.isoformat(FIRST_DAY), "--days", str(DAYS)]
    command = [sys.executable, "-m", "labelbox_export_provider.testing", *rows, "--seconds-per-export", "2", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as fake:
        try:
            assert fake.stdout is not None
            facts = json.loads(fake.stdout.readline())
            yield {
                **facts["environment"],
                "LABELBOX_PROJECT_ID": next(iter(facts["projects"])),
                "LANDING_DIRECTORY": str(landing),
            }
        finally:
            fake.terminate()
