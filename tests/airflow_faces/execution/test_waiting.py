"""Waits of a task: short ones are slept in the worker, long ones deferred, and all slept with `deferrable=False`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk.execution_time.timeout import TimeoutPosix
from support.airflow.tasks import NIGHT, StateStore, context_of
from support.airflow.waiting_tasks import Make, starting, waiting
from support.airflow.worker_clock import WorkerClock

from labelbox_export_provider import DataIntervalWindow
from labelbox_export_provider.airflow_compat import (
    AirflowException,
    AirflowFailException,
    AirflowTaskTimeout,
    TaskDeferred,
)
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import ErrorStatus, RateLimited, SlowExport
from labelbox_export_provider.triggers.export_task import ExportTaskTrigger
from labelbox_export_provider.triggers.start_gate import StartGateTrigger

ENDED = NIGHT[1]


@pytest.fixture
def deferred(clock: WorkerClock) -> Callable[[Any], TaskDeferred]:
    """Execute a task that must be deferred, for no less than half a minute and soon enough."""

    def execute(task: Any) -> TaskDeferred:
        with pytest.raises(TaskDeferred) as deferred:
            task.execute(context_of(task.task_id, store=StateStore()))
        trigger = deferred.value.trigger
        wakes = trigger.moment if isinstance(trigger, DateTimeTrigger) else datetime.fromisoformat(trigger.not_before)
        assert wakes - clock.now >= timedelta(seconds=30)
        assert sum(clock.slept) <= 50
        return deferred.value

    return execute


# --- deferrable


@waiting
def test_a_short_export_needs_no_triggerer(fake: FakeLabelbox, clock: WorkerClock, tmp_path: Path, make: Make) -> None:
    """An export that ends within seconds is waited for in the worker."""
    fake.change(polls_per_export=2)
    task = make(fake, tmp_path)
    task.execute(context_of(task.task_id))
    assert 4 < sum(clock.slept) <= 20


@waiting
def test_a_long_export_gives_the_slot_back(
    fake: FakeLabelbox, clock: WorkerClock, tmp_path: Path, deferred: Callable[[Any], TaskDeferred], make: Make
) -> None:
    """After twenty seconds the task is deferred; the deadline counts from the beginning of the wait."""
    fake.faults.add(SlowExport(times=None))
    begun = clock.now
    trigger = deferred(make(fake, tmp_path, timeout=3600)).trigger
    assert isinstance(trigger, ExportTaskTrigger)
    assert sum(clock.slept) <= 20
    assert datetime.fromisoformat(trigger.deadline) - begun == timedelta(hours=1)


@waiting
@pytest.mark.parametrize("poke_interval", [0.5, 20])
@pytest.mark.parametrize("timeout", [1, 31, 49, 51, 90])
def test_no_deferral_is_short(  # noqa: PLR0917  fixtures and columns of the table
    fake: FakeLabelbox,
    clock: WorkerClock,
    tmp_path: Path,
    deferred: Callable[[Any], TaskDeferred],
    make: Make,
    poke_interval: float,
    timeout: float,
) -> None:
    """What is left of `timeout` is slept where it is less than the shortest deferral."""
    fake.change(polls_per_export=10**6)
    task = make(fake, tmp_path, poke_interval=poke_interval, timeout=timeout)
    if timeout >= 50:
        deferred(task)
        return
    with pytest.raises((AirflowException, TaskDeferred)) as ended:
        task.execute(context_of(task.task_id))
    if isinstance(ended.value, TaskDeferred):
        assert sum(clock.slept) + 30 <= timeout
    else:
        assert f"Waited {timedelta(seconds=timeout)} (timeout)" in str(ended.value)
        assert sum(clock.slept) == pytest.approx(timeout)


@starting
@pytest.mark.parametrize(("seconds", "is_deferred"), [(1, False), (29, False), (30, True), (900, True)])
def test_a_short_rest_before_the_start_is_slept(  # noqa: PLR0917  fixtures and columns of the table
    fake: FakeLabelbox,
    clock: WorkerClock,
    tmp_path: Path,
    deferred: Callable[[Any], TaskDeferred],
    make: Make,
    seconds: float,
    is_deferred: bool,
) -> None:
    clock.now = ENDED
    task = make(fake, tmp_path, window=DataIntervalWindow(settle=seconds))
    if is_deferred:
        assert deferred(task).trigger.moment == ENDED + timedelta(seconds=seconds)
        assert fake.exports == []
    else:
        task.execute(context_of(task.task_id))
        assert clock.slept[0] == seconds


@starting
@pytest.mark.parametrize("operation", ["WhoAmI", "CreatedTasks", "exportDataRowsInProject"])
def test_refused_requests_of_a_start_rest_deferred(
    fake: FakeLabelbox, deferred: Callable[[Any], TaskDeferred], tmp_path: Path, make: Make, operation: str
) -> None:
    """Too many requests, in a look before the start as in the start itself, do not hold the slot for minutes."""
    names = {"WhoAmI": "user", "CreatedTasks": "createdTasks"}
    fake.faults.add(RateLimited(operation=names.get(operation, operation), retry_after=None, times=None))
    deferred(make(fake, tmp_path))
    assert fake.exports == []


@starting
def test_a_start_at_the_limit_holds_no_slot(
    fake: FakeLabelbox, clock: WorkerClock, tmp_path: Path, deferred: Callable[[Any], TaskDeferred], make: Make
) -> None:
    """A start that is refused at the running-export limit is deferred at once; what is left of a minute is slept."""
    fake.change(running_exports_per_project=0)
    assert isinstance(deferred(make(fake, tmp_path)).trigger, StartGateTrigger)
    assert clock.slept == []
    task = make(fake, tmp_path, limit_timeout=29)
    with pytest.raises(AirflowException, match="longer than limit_timeout"):
        task.execute(context_of(task.task_id, store=StateStore()))
    assert sum(clock.slept) == pytest.approx(29)


@waiting
def test_an_outage_is_not_slept_through_in_the_slot(
    fake: FakeLabelbox, clock: WorkerClock, tmp_path: Path, deferred: Callable[[Any], TaskDeferred], make: Make
) -> None:
    """A poll that is not answered counts as one, and the next ones are the triggerer's."""
    fake.change(polls_per_export=9)
    task = make(fake, tmp_path)

    def outage() -> None:
        fake.faults.add(ErrorStatus(status=503, times=None))

    clock.meanwhile = outage
    deferred(task)
    assert sum(clock.slept) <= 20


# --- deferrable=False


@starting
@pytest.mark.parametrize("configured", ["True", "False"])
def test_without_deferral_every_wait_is_slept(  # noqa: PLR0917  fixtures and columns of the table
    fake: FakeLabelbox,
    clock: WorkerClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Make,
    configured: str,
) -> None:
    """Settling, a limit and the export itself are slept through, whatever Airflow's configuration says."""
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", configured)
    fake.change(polls_per_export=9, running_exports_per_project=0)
    clock.now = ENDED

    def lift_the_limit() -> None:
        if clock.now > ENDED + timedelta(hours=1):
            fake.change(running_exports_per_project=10)

    clock.meanwhile = lift_the_limit
    task = make(fake, tmp_path, deferrable=False)
    task.execute(context_of(task.task_id))
    assert clock.slept[0] == 900
    assert clock.now > ENDED + timedelta(hours=1)
    assert len(fake.exports) == 1


@starting
def test_without_deferral_limit_timeout_holds(
    fake: FakeLabelbox, clock: WorkerClock, tmp_path: Path, make: Make
) -> None:
    """Past `limit_timeout` the try fails, and the next one counts from 0."""
    fake.change(running_exports_per_project=0)
    for _ in range(2):
        begun = clock.now
        task = make(fake, tmp_path, deferrable=False, limit_timeout=600)
        with pytest.raises(AirflowException, match=r"longer than limit_timeout \(0:10:00\)"):
            task.execute(context_of(task.task_id))
        assert timedelta(minutes=10) <= clock.now - begun < timedelta(minutes=11)


@starting
def test_without_deferral_timeout_holds(fake: FakeLabelbox, clock: WorkerClock, tmp_path: Path, make: Make) -> None:
    fake.faults.add(SlowExport(times=None))
    begun = clock.now
    task = make(fake, tmp_path, deferrable=False, timeout=7200)
    with pytest.raises(AirflowException, match=r"Waited 2:00:00 \(timeout\)"):
        task.execute(context_of(task.task_id))
    assert clock.now - begun == timedelta(hours=2)


@pytest.mark.timeout(60, method="thread")  # its own alarm takes the place of that of pytest-timeout
@starting
def test_execution_timeout_counts_a_wait_without_deferral(
    fake: FakeLabelbox, tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without deferral `execution_timeout` ends a wait, and the log names the export that continues."""
    fake.faults.add(SlowExport(times=None))
    task = make(fake, tmp_path, deferrable=False, execution_timeout=timedelta(seconds=0.5))
    with pytest.raises(AirflowTaskTimeout), TimeoutPosix(0.5):
        task.execute(context_of(task.task_id))
    reported = capsys.readouterr().out
    assert "ran longer than its execution_timeout" in reported
    assert fake.exports[0].export_id in reported.split("ran longer than its execution_timeout")[1]


@starting
def test_a_wait_ends_where_the_alarm_of_execution_timeout_is_lost(
    fake: FakeLabelbox, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow raises its time-out once, and what it interrupts may drop it: the wait then ends by itself, to retry."""
    monkeypatch.setattr("labelbox_export_provider.execution.waiting.LOST_ALARM", timedelta(seconds=0.1))
    fake.faults.add(SlowExport(times=None))
    task = make(fake, tmp_path, deferrable=False, execution_timeout=timedelta(seconds=0.5))
    with pytest.raises(AirflowException, match=r"longer than its execution_timeout \(0:00:00.5") as stopped:
        task.execute(context_of(task.task_id))
    assert not isinstance(stopped.value, AirflowFailException)
    assert fake.exports[0].export_id in str(stopped.value)


@waiting
def test_only_true_and_false_are_deferrable(fake: FakeLabelbox, tmp_path: Path, make: Make) -> None:
    """A word is refused, and so is a cancellation that only a triggerer makes."""
    with pytest.raises(ConfigurationError, match="deferrable='no': must be True or False"):
        make(fake, tmp_path, deferrable="no")
    with pytest.raises(ConfigurationError, match="cancel_on_kill=True works with deferrable=True only"):
        make(fake, tmp_path, deferrable=False, cancel_on_kill=True)
