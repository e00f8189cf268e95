"""Export operators with `wait_for_completion`: deferred, resumed, retried and cleared."""

from __future__ import annotations

from typing import Any

import pytest
from support.airflow.project_exports import start_of
from support.airflow.tasks import StateStore, TaskInstance, context_of
from support.airflow.triggers import resume

from labelbox_export_provider.airflow_compat import AirflowException, AirflowFailException, TaskDeferred
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import FailedExport, SlowExport


def test_it_defers_and_returns_the_handle_with_totals(fake: FakeLabelbox) -> None:
    """With `wait_for_completion` the operator defers and returns the handle with the totals."""
    fake.change(polls_per_export=2)
    start = start_of(fake, wait_for_completion=True, poke_interval=0.01)
    context = context_of(store=StateStore())
    with pytest.raises(TaskDeferred) as deferred:
        start.execute(context)
    handle = resume(start, deferred.value, context)
    assert handle["totals"]["result"]["rows"] == len(fake.rows_for())
    assert ExportHandle.parse(handle).export_id == fake.exports[0].export_id


def test_a_retry_replaces_a_failed_export(fake: FakeLabelbox) -> None:
    """A retry of a waiting operator starts a new export after a FAILED one."""
    fake.faults.add(FailedExport())
    store, start = StateStore(), start_of(fake, wait_for_completion=True, poke_interval=0.01)
    context = context_of(store=store)
    with pytest.raises(TaskDeferred) as deferred:
        start.execute(context)
    with pytest.raises(AirflowException) as failure:
        resume(start, deferred.value, context)
    assert not isinstance(failure.value, AirflowFailException)
    assert "retry:     starts a new export" in str(failure.value)
    second = context_of(store=store, ti=TaskInstance(try_number=2))
    with pytest.raises(TaskDeferred) as deferred:
        start.execute(second)
    assert resume(start, deferred.value, second)["export_id"] == fake.exports[1].export_id


def test_cleared_before_success_it_adopts_the_export(fake: FakeLabelbox) -> None:
    """Cleared while it waits, or after its wait failed, a waiting operator adopts its export."""
    fake.faults.add(SlowExport())
    store, start = StateStore(), start_of(fake, wait_for_completion=True)
    with pytest.raises(TaskDeferred):
        start.execute(context_of(store=store))
    with pytest.raises(TaskDeferred):
        start.execute(context_of(store=store, ti=TaskInstance(try_number=2, max_tries=4)))
    assert len(fake.exports) == 1


def test_cleared_after_success_it_starts_a_new_export(fake: FakeLabelbox) -> None:
    """Cleared after its success, a waiting operator starts a new export."""
    store, start = StateStore(), start_of(fake, wait_for_completion=True, poke_interval=0.01)
    for number, max_tries in ((1, 3), (2, 4)):
        context = context_of(store=store, ti=TaskInstance(try_number=number, max_tries=max_tries))
        with pytest.raises(TaskDeferred) as deferred:
            start.execute(context)
        resume(start, deferred.value, context)
    assert len(fake.exports) == 2


@pytest.mark.parametrize("event", [None, {"outcome": "PAUSED", "export_id": "x"}])
def test_an_unknown_event_has_the_task_poll_for_itself(fake: FakeLabelbox, event: Any) -> None:
    """An event that this version does not know is neither success nor failure of the export."""
    fake.change(polls_per_export=3)
    start = start_of(fake, wait_for_completion=True, poke_interval=0.01)
    context = context_of(store=StateStore())
    with pytest.raises(TaskDeferred):
        start.execute(context)
    with pytest.raises(TaskDeferred) as again:
        start.execute_complete(context, event)
    assert resume(start, again.value, context)["export_id"] == fake.exports[0].export_id
    assert len(fake.exports) == 1
