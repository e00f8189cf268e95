"""The page of windows for the demo: a check of what was landed, which the page shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from demo.airflow_cluster import AirflowCluster

DAG_FILE = Path(__file__).parent / "airflow_dags" / "windows_check.py"
DAG_ID = "windows_check"


def show_windows(cluster: AirflowCluster, until: datetime) -> str:
    """Check the windows that end by then and return the address of the page; fails where a window is missing."""
    cluster.api.wait_for_dag(DAG_ID)
    cluster.api.unpause(DAG_ID)
    run_id = cluster.api.trigger(DAG_ID, conf={"until": until.isoformat()})
    state = cluster.api.wait_for_run(DAG_ID, run_id)["state"]
    if state != "success":
        log = "\n".join(cluster.api.log(DAG_ID, run_id, "check")[-30:])
        raise RuntimeError(f"the check of the windows ended as {state}:\n{log}")
    return f"{cluster.url}/plugin/labelbox-windows"
