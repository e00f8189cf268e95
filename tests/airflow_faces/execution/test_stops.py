"""Waits of a task that Airflow stops: they end at once, in the worker, and no export is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.airflow.sigterm import sigterm_when
from support.airflow.tasks import NIGHT, StateStore, context_of
from support.airflow.waiting_tasks import Make, sensor, starting
from support.airflow.worker_clock import WorkerClock

from labelbox_export_provider import DataIntervalWindow
from labelbox_export_provider.airflow_compat import AirflowException
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import RateLimited, SlowAnswer

ENDED = NIGHT[1]


def stops() -> Iterator[Any]:
    """Where a task may be when Airflow stops it, with what makes it wait there; at a limit it may be deferred."""
    for deferrable in (True, False):
        yield pytest.param(deferrable, {"now": ENDED}, None, {}, id=f"settles-{deferrable}")
        limited = RateLimited(retry_after=9.0, times=None)
        yield pytest.param(deferrable, {}, limited, {}, id=f"between two tries of a request-{deferrable}")
        yield pytest.param(deferrable, {}, None, {"polls_per_export": 3}, id=f"waits for its export-{deferrable}")
    yield pytest.param(False, {}, None, {"running_exports_per_project": 0}, id="at a limit-False")


@starting
@pytest.mark.parametrize(("deferrable", "clocked", "fault", "behaviour"), list(stops()))
def test_a_stop_ends_every_wait(  # noqa: PLR0917  fixtures and columns of the table
    fake: FakeLabelbox,
    clock: WorkerClock,
    tmp_path: Path,
    make: Make,
    deferrable: bool,
    clocked: dict[str, datetime],
    fault: Any,
    behaviour: dict[str, Any],
) -> None:
    """The wait is over at once, and another try adopts what was started."""
    clock.now = clocked.get("now", clock.now)
    if fault is not None:
        fake.faults.add(fault)
    fake.change(**behaviour)
    store = StateStore()
    window = DataIntervalWindow(settle=20)
    task = make(fake, tmp_path, deferrable=deferrable, window=window)
    clock.meanwhile = task.on_kill
    with pytest.raises(AirflowException, match="Airflow stopped this task"):
        task.execute(context_of(task.task_id, store=store))
    assert len(clock.slept) == 1
    started = [each.export_id for each in fake.exports]
    clock.meanwhile = lambda: None
    fake.faults.clear()
    fake.change(running_exports_per_project=10)
    again = make(fake, tmp_path, deferrable=False, window=window)
    again.execute(context_of(task.task_id, store=store))
    assert [each.export_id for each in fake.exports][: len(started)] == started
    assert len(fake.exports) == 1


@starting
def test_a_stop_during_the_start_loses_no_export(fake: FakeLabelbox, tmp_path: Path, make: Make) -> None:
    """SIGTERM while the request that starts is under way ends it; another try finds the export that it had started."""
    fake.faults.add(SlowAnswer(operation="exportDataRowsInProject", seconds=20.0))
    store = StateStore()
    task = make(fake, tmp_path)
    begun = time.monotonic()
    with sigterm_when(task, lambda: fake.exports), pytest.raises(AirflowException, match="Airflow stopped this task"):
        task.execute(context_of(task.task_id, store=store))
    assert time.monotonic() - begun < 4
    make(fake, tmp_path, deferrable=False, poke_interval=0.01).execute(context_of(task.task_id, store=store))
    assert len(fake.exports) == 1


def test_a_stop_ends_the_wait_of_a_sensor(fake: FakeLabelbox, clock: WorkerClock, tmp_path: Path) -> None:
    """A sensor that polls in the worker ends, with soft_fail too: a stop is no time-out."""
    fake.change(polls_per_export=9)
    task = sensor(fake, tmp_path, soft_fail=True)
    clock.meanwhile = task.on_kill
    with pytest.raises(AirflowException, match="Airflow stopped this task"):
        task.execute(context_of("wait"))
    assert len(clock.slept) == 1
