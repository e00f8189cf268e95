"""Airflow's own backfill of a DAG, watched to its end."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from demo.airflow_api import RUN_ENDED, AirflowApi, TookTooLongError
from demo.days import Night
from demo.interruption import pause

if TYPE_CHECKING:
    from datetime import date

    from demo.airflow_cluster import AirflowCluster
    from demo.progress import Progress


class BackfillFailedError(RuntimeError):
    """Not every run of a backfill was successful."""


def backfill(
    cluster: AirflowCluster,
    dag_id: str,
    first: date,
    last: date,
    progress: Progress,
    *,
    timeout: float,
    at_a_time: int = 3,
) -> list[Night]:
    """Have Airflow run a daily DAG for every logical date from `first` to `last`; return the data intervals.

    The end of the log of every failed try is shown. Fails with `BackfillFailedError`, with `TookTooLongError` when it
    has not ended within `timeout` seconds, and with `ComponentEndedError` when Airflow itself breaks.
    """
    api = cluster.api
    api.wait_for_dag(dag_id)
    api.unpause(dag_id)
    command = ["backfill", "create", "--dag-id", dag_id, "--from-date", f"{first}T00:00:00+00:00"]
    command += ["--to-date", f"{last}T23:59:59+00:00", "--max-active-runs", str(at_a_time)]
    progress.say("airflow " + " ".join(command))
    created = cluster.cli(*command)
    if created.returncode:
        raise BackfillFailedError(f"airflow backfill create ended with {created.returncode}:\n{created.stderr[-3000:]}")
    expected = (last - first).days + 1
    deadline = time.monotonic() + timeout
    shown: set[_Try] = set()
    with progress:
        while True:
            cluster.check()
            runs = {_night(run): run for run in api.runs(dag_id, run_type="backfill")}
            tasks = {night: api.tasks(dag_id, run["dag_run_id"]) for night, run in runs.items()}
            progress.show(
                {night: {task["task_id"]: task["state"] or "none" for task in tasks[night]} for night in runs}
            )
            for failure in _failures(tasks):
                if failure not in shown:
                    shown.add(failure)
                    _show(api, failure, progress)
            if len(runs) >= expected and all(run["state"] in RUN_ENDED for run in runs.values()):
                break
            if time.monotonic() > deadline:
                raise TookTooLongError(f"the backfill did not end within {timeout:.0f} s")
            pause(1)
    failed = [str(night) for night, run in runs.items() if run["state"] != "success"]
    if failed or len(runs) != expected:
        names = ", ".join(failed) or "none"
        raise BackfillFailedError(f"the backfill made {len(runs)} runs, {expected} were asked for; failed: {names}")
    return list(runs)


def _night(run: dict[str, str]) -> Night:
    ends = (run[name].replace("Z", "+00:00") for name in ("data_interval_start", "data_interval_end"))
    return Night(*map(datetime.fromisoformat, ends))


class _Try(NamedTuple):
    dag_id: str
    run_id: str
    task_id: str
    number: int


def _failures(tasks: dict[Night, list[dict[str, Any]]]) -> list[_Try]:
    """Return the tries that have failed, whether or not Airflow will try again."""
    return [
        _Try(task["dag_id"], task["dag_run_id"], task["task_id"], task["try_number"])
        for found in tasks.values()
        for task in found
        if task["state"] in {"failed", "up_for_retry"}
    ]


def _show(api: AirflowApi, failure: _Try, progress: Progress) -> None:
    progress.say(f"{failure.run_id} {failure.task_id} failed in try {failure.number}; its log ends:")
    lines = api.log(*failure)
    # The error lines hold the reason; without any (a killed process) the end of the log is shown.
    telling = [line for line in lines if line.startswith(("error", "critical"))] or lines
    for line in telling[-25:]:
        progress.say(f"    {line}")
