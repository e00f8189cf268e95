"""The stage of the tests with Celery: which of its workers has a task, and the kill of one of them."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from support.e2e.kills import children_of

from demo.airflow_api import until

if TYPE_CHECKING:
    from support.e2e.three_stores import ThreeStores

    from demo.airflow_cluster import AirflowCluster
    from labelbox_export_provider.testing import FakeLabelbox


def celery_settings(broker: str, database: str) -> dict[str, str]:
    """Return the settings under which workers take no task ahead."""
    return {
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
        "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
    }


@dataclass(frozen=True)
class CeleryStage:
    """What a test with Celery works with."""

    airflow: AirflowCluster
    labelbox: FakeLabelbox
    three: ThreeStores

    def start_workers(self) -> set[str]:
        """Start workers until two are there, and return their names."""
        children = self.airflow.processes.children
        while len(names := {name for name in children if name.startswith("worker-")}) < 2:
            self.start_worker()
        return names

    def start_worker(self, slots: int = 1) -> str:
        """Start a worker that runs so many tasks at a time, and return its name."""
        name = f"worker-{secrets.token_hex(4)}"
        # All have one home, as far as Airflow knows: a log is read from there, without the worker's server.
        own = ("--celery-hostname", f"{name}@localhost", "--pid", str(self.airflow.home / f"{name}.pid"))
        self.airflow.start(name, "celery", "worker", "--skip-serve-logs", "--concurrency", str(slots), *own)

        def is_ready() -> bool:
            self.airflow.check()
            return f"{name}@localhost ready" in self.airflow.log_tail(name, 1000)

        until(f"the worker {name} to be ready", is_ready, timeout=90)
        return name

    def worker_of(self, ti_id: str) -> str | None:
        """Return the name of the worker in which a task instance runs now."""
        names = {child.pid: name for name, child in self.airflow.processes.children.items()}
        for process in children_of(ti_id):
            with contextlib.suppress(psutil.Error):
                return next((names[each.pid] for each in process.parents() if each.pid in names), None)
        return None

    def kill_worker(self, name: str, *ti_ids: str) -> None:
        """Kill a worker with its tasks, as a machine that is lost would end them."""
        tasks = [process for ti_id in ti_ids for process in children_of(ti_id)]
        os.killpg(self.airflow.processes.children[name].pid, signal.SIGKILL)
        for process in tasks:
            with contextlib.suppress(psutil.Error):
                process.kill()
        until("the tasks of the killed worker to end", lambda: not any(map(_lives, tasks)), timeout=30, every=0.1)
        self.airflow.kill(name)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
