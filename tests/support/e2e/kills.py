"""Kill -9 for the processes of a task under a real scheduler: its supervisor, the child that runs it, or both."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import psutil

if TYPE_CHECKING:
    from demo.airflow_cluster import AirflowCluster

Victim = Literal["supervisor", "child", "both"]


@dataclass(frozen=True)
class Plan:
    """Which form of the job is hit in which of its tasks, whom it hits, and how long into the task."""

    dag_id: Literal["one_task", "three_tasks", "task_code"]
    task_id: Literal["start", "start_in_code", "wait", "land"]
    resumed: bool
    victim: Victim
    seconds: float

    def describe(self) -> str:
        """Name the plan in one line, for the message of an assertion."""
        phase = "resumed " if self.resumed else ""
        return f"{self.victim} of {phase}{self.dag_id}.{self.task_id} after {self.seconds:.2f} s"


PHASES: tuple[tuple[Literal["one_task", "three_tasks"], Literal["start", "wait", "land"], bool], ...] = (
    ("one_task", "land", False),  # starts
    ("three_tasks", "wait", False),  # waits with a worker
    ("one_task", "land", True),  # lands
    ("three_tasks", "start", False),
    ("three_tasks", "land", False),
)


def plans(number: int, chance: random.Random) -> list[Plan]:
    """Make plans that go through all phases and all victims, each at a moment of chance."""
    victims: tuple[Victim, ...] = ("both", "child", "supervisor")
    return [
        Plan(
            *PHASES[index % len(PHASES)],
            victims[(index % len(PHASES) + index // len(PHASES)) % 3],
            chance.uniform(0.0, 3.0),
        )
        for index in range(number)
    ]


def children_of(ti_id: str) -> Iterator[psutil.Process]:
    """The processes that run a task instance, which Airflow titles so; the parent of each supervises it."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if f"airflow worker -- {ti_id}" in " ".join(process.cmdline()):
                yield process


def kill_task(airflow: AirflowCluster, run_id: str, plan: Plan, *, timeout: float) -> bool:
    """Wait until the task runs as planned, then kill; False where it had ended before it could be hit."""
    deadline = time.monotonic() + timeout
    was_deferred = False
    while time.monotonic() < deadline:
        found = [each for each in airflow.api.tasks(plan.dag_id, run_id) if each["task_id"] == plan.task_id]
        task: dict[str, Any] = found[0] if found else {"state": None}
        was_deferred = was_deferred or task["state"] == "deferred"
        if task["state"] in {"success", "failed"}:
            return False
        if task["state"] == "running" and was_deferred == plan.resumed:
            children = list(children_of(task["id"]))
            if children:
                time.sleep(plan.seconds)
                return _kill(children[0], plan.victim)
        time.sleep(0.4)
    return False


def _kill(child: psutil.Process, victim: Victim) -> bool:
    try:
        supervisor = child.parent()
        hit = [child] if victim == "child" else [supervisor] if victim == "supervisor" else [supervisor, child]
        if child.status() == psutil.STATUS_ZOMBIE or any(process is None for process in hit):
            return False
        for process in hit:
            assert process is not None
            process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True
