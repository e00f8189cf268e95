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
    from demo.airflow_cluster import AirflowCluster
    from demo.object_store import ObjectStore
    from labelbox_export_provider.testing import FakeLabelbox


def celery_settings(broker: str, database: str) -> dict[str, str]:
    """Return the settings under which workers take a task each, and no second one ahead."""
    return {
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
        "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
    }


@dataclass(frozen=True)
class CeleryStage:
    """What a test with Celery works with."""

    airflow: AirflowCluster
    labelbox: FakeLabelbox
    store: ObjectStore

    def start_workers(self) -> set[str]:
        """Start workers until two are there, and return their names."""
        children = self.airflow.processes.children
        while len(names := {name for name in children if name.startswith("worker-")}) < 2:
            self._start_worker(f"worker-{secrets.token_hex(4)}")
        return names

    def _start_worker(self, name: str) -> None:
        # Both have one home, as far as Airflow knows: a log is read from there, without the worker's server.
        own = ("--celery-hostname", f"{name}@localhost", "--pid", str(self.airflow.home / f"{name}.pid"))
        self.airflow.start(name, "celery", "worker", "--skip-serve-logs", *own)

        def is_ready() -> bool:
            self.airflow.check()
            return f"{name}@localhost ready" in self.airflow.log_tail(name, 1000)

        until(f"the worker {name} to be ready", is_ready, timeout=90)

    def worker_of(self, ti_id: str) -> str | None:
        """Return the name of the worker in which a task instance runs now."""
        names = {child.pid: name for name, child in self.airflow.processes.children.items()}
        for process in children_of(ti_id):
            with contextlib.suppress(psutil.Error):
                return next((names[each.pid] for each in process.parents() if each.pid in names), None)
        return None

    def kill_worker(self, name: str, ti_id: str) -> None:
        """Kill the process group of a worker, as a machine that is lost would end it; its task ends with it."""
        orphans = list(children_of(ti_id))
        os.killpg(self.airflow.processes.children[name].pid, signal.SIGKILL)
        until("the task of the killed worker to end", lambda: not any(map(_lives, orphans)), timeout=30, every=0.1)
        self.airflow.kill(name)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
