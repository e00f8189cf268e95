"""Starts that are deferred: a window that has not settled, and too many running exports."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pendulum
import pytest
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from support.airflow.one_task import START, Run, expected_rows, landed
from support.airflow.tasks import NIGHT

from labelbox_export_provider import DataIntervalWindow, ProjectExportOperator
from labelbox_export_provider.airflow_compat import AirflowException, AirflowFailException, TaskDeferred
from labelbox_export_provider.execution.waiting import SAFETY
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import GraphQLErrorAnswer, RateLimited
from labelbox_export_provider.triggers.export_task import ExportTaskTrigger
from labelbox_export_provider.triggers.start_gate import StartGateTrigger


def test_a_start_is_deferred_until_its_window_has_settled(
    fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A start before its window has settled is deferred until then, and logs it."""
    one = run(window=DataIntervalWindow(settle=timedelta(minutes=30)))
    one.now = NIGHT[1] + timedelta(seconds=10)
    with pytest.raises(TaskDeferred) as deferred:
        one.execute()
    assert isinstance(deferred.value.trigger, DateTimeTrigger)
    assert deferred.value.trigger.moment >= NIGHT[1] + timedelta(minutes=30)
    pause = deferred.value.trigger.moment - pendulum.instance(one.now)
    assert isinstance(deferred.value.timeout, timedelta)
    assert pause < deferred.value.timeout < pause + timedelta(days=1), "without a triggerer the task ends some day"
    assert fake.exports == []
    reported = capsys.readouterr().out
    assert "2026-11-23T02:30:00" in reported
    assert "settles" in reported
    one.to_the_end()
    assert landed(tmp_path) == expected_rows(fake)


def test_an_operator_is_deferred_for_its_window_as_well(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export operator is deferred until its window has settled, as a transfer is."""
    make = lambda: ProjectExportOperator(  # noqa: E731  one of two ways to make the task of a run
        task_id="start", project_id=fake.project_id, window=DataIntervalWindow(settle=timedelta(hours=1))
    )
    one = Run(make, monkeypatch)
    one.now = NIGHT[1]
    handle = one.to_the_end()
    assert one.deferred_until == [max(NIGHT[1] + timedelta(hours=1), one.deferred_until[0])]
    assert handle["window"]["end"] == "2026-11-23T02:00:00Z"
    assert len(fake.exports) == 1


def test_a_window_a_day_ahead_is_refused_without_a_retry(fake: FakeLabelbox, run: Callable[..., Run]) -> None:
    """A window whose end is more than a day ahead is refused without a retry."""
    one = run()
    one.now = NIGHT[1] - timedelta(days=2)
    with pytest.raises(AirflowFailException, match="more than a day"):
        one.to_the_end()
    assert fake.exports == []


@pytest.mark.parametrize("form", ["graphql", "http", "not_allowed"])
def test_a_start_rests_while_too_many_exports_run(
    fake: FakeLabelbox,
    run: Callable[..., Run],
    form: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While too many exports run, the start rests until it is released; one that comes back keeps its arrival."""
    fake.change(running_exports_per_project=0, running_limit_form=form)
    one = run(priority_weight=7)
    one.rests = timedelta(minutes=5)
    arrived = one.now
    phase = one.execute
    for times in range(4):
        with pytest.raises(TaskDeferred) as deferred:
            phase()
        trigger = deferred.value.trigger
        assert isinstance(trigger, StartGateTrigger)
        assert trigger.arrived_at == arrived.isoformat()
        assert trigger.refused_at == (arrived + times * one.rests).isoformat() == one.now.isoformat()
        assert trigger.deadline == (arrived + timedelta(hours=6)).isoformat()
        assert deferred.value.timeout == timedelta(hours=6) - times * one.rests + SAFETY
        phase = functools.partial(one.resumed, deferred.value)
    assert (trigger.priority_weight, trigger.window_start) == (7, NIGHT[0].isoformat())
    assert (trigger.source, trigger.in_project) == (f"project {fake.project_id}", True)
    assert "no retry is used up" in capsys.readouterr().out
    assert "XCom not found" not in caplog.text
    assert fake.exports == []
    fake.change(running_exports_per_project=10)
    with pytest.raises(TaskDeferred) as waiting:
        phase()
    assert isinstance(waiting.value.trigger, ExportTaskTrigger)
    assert [each.name for each in fake.exports] == [trigger.name]


def test_a_limit_of_the_organization_names_no_project(fake: FakeLabelbox, run: Callable[..., Run]) -> None:
    fake.change(running_exports_per_organization=0)
    with pytest.raises(TaskDeferred) as deferred:
        run().execute()
    assert isinstance(deferred.value.trigger, StartGateTrigger)
    assert not deferred.value.trigger.in_project


def test_pauses_grow_while_too_many_requests_are_made(fake: FakeLabelbox, run: Callable[..., Run]) -> None:
    """While Labelbox refuses requests, the start is deferred and tried again with growing pauses."""
    fake.faults.add(RateLimited(operation=START, retry_after=21.0, times=None))
    one = run(poke_interval=20)
    refused = []
    phase = one.execute
    for _ in range(4):
        with pytest.raises(TaskDeferred) as deferred:
            phase()
        assert isinstance(deferred.value.trigger, DateTimeTrigger)
        refused.append((deferred.value.trigger.moment - pendulum.instance(one.now)).total_seconds())
        phase = functools.partial(one.resumed, deferred.value)
    assert refused[3] > refused[0]


def test_starts_refused_together_do_not_return_together(fake: FakeLabelbox, run: Callable[..., Run]) -> None:
    """Starts that were refused together are not tried again together."""
    fake.faults.add(RateLimited(operation=START, retry_after=21.0, times=None))
    pauses = set()
    for index in range(5):
        one = run(poke_interval=200)
        one.ti.map_index = index
        with pytest.raises(TaskDeferred) as deferred:
            one.execute()
        pauses.add(round((deferred.value.trigger.moment - one.now).total_seconds(), 3))
    assert len(pauses) == 5
    assert all(99 < pause < 301 for pause in pauses)


def test_past_limit_timeout_the_try_fails(fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path) -> None:
    """Past `limit_timeout` the try fails with the whole message, and the next one waits again."""
    fake.change(running_exports_per_project=0)
    one = run(limit_timeout=timedelta(minutes=10))
    began = one.now
    with pytest.raises(AirflowException) as failure:
        one.to_the_end()
    assert not isinstance(failure.value, AirflowFailException)
    assert timedelta(minutes=10) <= one.now - began < timedelta(minutes=11)
    message = str(failure.value)
    for word in ("limit_timeout", "source:", "window:", "link:", "try:", "retry:", "to do:"):
        assert word in message
    fake.change(running_exports_per_project=10)
    one.retried().to_the_end()
    assert landed(tmp_path) == expected_rows(fake)


def test_a_retry_after_a_refusal_starts_at_once(
    fake: FakeLabelbox, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry after a refusal does not wait for an export that was never started."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    fake.faults.add(GraphQLErrorAnswer(operation=START, code="RESOURCE_CONFLICT", message="no"))
    one = run()
    with pytest.raises(AirflowFailException):
        one.to_the_end()
    with pytest.raises(TaskDeferred):
        one.cleared().execute()
    assert slept == []
    assert len(fake.exports) == 1


def test_too_many_requests_defer_the_start_as_well(
    fake: FakeLabelbox, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many requests, for longer than one call retries, defer the start as well."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    fake.faults.add(RateLimited(operation=START, retry_after=400.0))
    one = run()
    with pytest.raises(TaskDeferred) as deferred:
        one.execute()
    assert deferred.value.trigger.moment - one.now >= timedelta(seconds=400)


def test_starts_that_were_refused_together_come_back_apart(
    fake: FakeLabelbox, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause that Labelbox asks for is lengthened by a share of it, so that deferred starts do not return together."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    random.seed(14)
    fake.faults.add(RateLimited(operation=START, retry_after=400.0, times=None))
    pauses = []
    for _ in range(12):
        one = run()
        with pytest.raises(TaskDeferred) as deferred:
            one.execute()
        pauses.append((deferred.value.trigger.moment - one.now).total_seconds())
    assert 400 <= min(pauses) < 450
    assert 550 < max(pauses) <= 600
