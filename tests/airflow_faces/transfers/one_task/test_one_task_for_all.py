"""A transfer with source=: one task starts or adopts an export, is deferred while time has to pass, and lands it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.airflow.one_task import Run, expected_rows, landed

from labelbox_export_provider import FixedWindow, ProjectExportOperator
from labelbox_export_provider.airflow_compat import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import CanceledExport, ErrorRows, FailedExport, SlowExport, TruncatedFile
from labelbox_export_provider.triggers.export_task import ExportTaskTrigger


def test_one_task_starts_waits_and_lands_the_night(fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path) -> None:
    """One task starts the export, waits for it without a worker, and lands it."""
    one = run()
    with pytest.raises(TaskDeferred) as deferred:
        one.execute()
    assert isinstance(deferred.value.trigger, ExportTaskTrigger)
    assert landed(tmp_path) == []
    summary = one.to_the_end()
    assert landed(tmp_path) == expected_rows(fake)
    assert summary["rows"] == len(expected_rows(fake)) > 0
    assert summary["export_id"] == fake.exports[0].export_id
    assert len(fake.exports) == 1


def test_the_link_to_the_source_is_there_while_the_task_waits(fake: FakeLabelbox, run: Callable[..., Run]) -> None:
    one = run()
    with pytest.raises(TaskDeferred):
        one.execute()
    assert one.ti.xcoms["labelbox_source_link"].endswith(fake.project_id)


@pytest.mark.parametrize("ending", [FailedExport(), CanceledExport()])
def test_a_failed_export_uses_a_retry_that_starts_anew(
    fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path, ending: Any
) -> None:
    """An export that fails or is canceled uses a retry, which starts a new one."""
    fake.faults.add(ending)
    one = run()
    with pytest.raises(AirflowException, match="retry:     starts a new export") as failure:
        one.to_the_end()
    assert not isinstance(failure.value, AirflowFailException)
    one.retried().to_the_end()
    assert len(fake.exports) == 2
    assert landed(tmp_path) == expected_rows(fake)


def test_after_a_dead_try_the_same_export_is_resumed(
    fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path
) -> None:
    """After a try that dies while it waits or lands, the next one resumes with the same export."""
    fake.faults.add(TruncatedFile(times=None))
    one = run()
    with pytest.raises(TaskDeferred):
        one.execute()
    with pytest.raises(AirflowException, match="reads the same export again"):
        one.retried().to_the_end()
    fake.faults.clear()
    one.retried().to_the_end()
    assert len(fake.exports) == 1
    assert landed(tmp_path) == expected_rows(fake)


def test_an_adopted_export_that_has_ended_is_landed_at_once(
    fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path
) -> None:
    """An adopted export that has ended already is landed without another wait."""
    one = run()
    with pytest.raises(TaskDeferred):
        one.execute()
    one.retried().execute()
    assert landed(tmp_path) == expected_rows(fake)


def test_cleared_it_resumes_after_failure_only(fake: FakeLabelbox, run: Callable[..., Run]) -> None:
    """Cleared after a failure it resumes with the export; cleared after success it starts a new one."""
    one = run()
    with pytest.raises(TaskDeferred):
        one.execute()
    one.cleared().to_the_end()
    assert len(fake.exports) == 1
    one.cleared().to_the_end()
    assert len(fake.exports) == 2


def test_clearing_starts_anew_where_only_that_helps(
    fake: FakeLabelbox, run: Callable[..., Run], tmp_path: Path
) -> None:
    """Clearing after a failure that only a new export fixes starts one."""
    fake.faults.add(ErrorRows())
    one = run()
    with pytest.raises(AirflowFailException, match="max_error_rows"):
        one.to_the_end()
    one.cleared().to_the_end()
    assert len(fake.exports) == 2
    assert landed(tmp_path) == expected_rows(fake)


def test_an_export_without_rows_skips_and_is_consumed(
    fake: FakeLabelbox, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export without rows skips the task and counts as consumed."""
    monkeypatch.setattr("labelbox_export_provider.client.polling.EMPTY_AGAIN_AFTER", 0.1)
    one = run(on_empty="skip_task", window=FixedWindow("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"))
    with pytest.raises(AirflowSkipException):
        one.to_the_end()
    with pytest.raises(AirflowSkipException):
        one.cleared().to_the_end()
    assert len(fake.exports) == 2


@pytest.mark.parametrize("cancels", [False, True])
def test_cancel_on_kill_reaches_the_trigger(
    fake: FakeLabelbox, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, cancels: bool
) -> None:
    """A transfer with `source=` and an operator that waits hand `cancel_on_kill` to the trigger, as the sensor does."""
    fake.faults.add(SlowExport(times=2))
    waits = lambda: ProjectExportOperator(  # noqa: E731  one of two ways to make the task of a run
        task_id="start", project_id=fake.project_id, wait_for_completion=True, cancel_on_kill=cancels
    )
    for one in (run(cancel_on_kill=cancels), Run(waits, monkeypatch)):
        with pytest.raises(TaskDeferred) as deferred:
            one.execute()
        assert deferred.value.trigger.serialize()[1]["cancel_on_kill"] is cancels
