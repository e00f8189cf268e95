"""One task and three under a real scheduler and triggerer, into a directory: start, defer, land."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from support.landed_night import check_night

from demo.airflow_api import until
from demo.airflow_cluster import AirflowCluster

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(900)
def test_a_scheduled_night_lands(dag_environment: dict[str, str], landing: Path, tmp_path: Path) -> None:
    """The one scheduled run of each DAG succeeds; a task that started its export itself was deferred meanwhile."""
    with AirflowCluster(tmp_path / "airflow", Path(__file__).parent / "dags", env=dag_environment) as airflow:
        for dag_id in ("one_task", "three_tasks"):
            airflow.api.wait_for_dag(dag_id)
            airflow.api.unpause(dag_id)
            [run] = until("a scheduled run", functools.partial(airflow.api.runs, dag_id), timeout=240)
            run = airflow.api.wait_for_run(dag_id, run["dag_run_id"], timeout=400)
            log = "\n".join(airflow.api.log(dag_id, run["dag_run_id"], "land"))
            assert run["state"] == "success", log
            assert dag_id == "three_tasks" or "DEFERRED" in log, log
            check_night(landing / dag_id)
        airflow.check()
