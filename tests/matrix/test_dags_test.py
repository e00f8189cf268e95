"""`airflow dags test`, the first thing that anybody tries, from an installed package into a directory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.landed_night import check_night

from demo.airflow_cluster import clean_environment

pytestmark = pytest.mark.thorough


@pytest.mark.timeout(600)
@pytest.mark.parametrize("dag_id", ["one_task", "three_tasks"])
def test_dags_test_lands_one_night(dag_id: str, dag_environment: dict[str, str], landing: Path, tmp_path: Path) -> None:
    """The export is started, awaited in the same process, and landed: the rows of one day, whole."""
    home = tmp_path / "airflow"
    environment = clean_environment(home) | dag_environment
    environment |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    for arguments in (["db", "migrate"], ["dags", "test", dag_id, "2024-05-08T02:00:00+00:00"]):
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    check_night(landing / dag_id)
