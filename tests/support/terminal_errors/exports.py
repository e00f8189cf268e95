"""Exports that fail, end, or take too long."""

from __future__ import annotations

from datetime import timedelta

from support.airflow.tasks import NIGHT
from support.failing_tasks import DagHarness
from support.terminal_errors.registry import situation, still_running

from labelbox_export_provider import errors
from labelbox_export_provider.testing.faults import (
    CanceledExport,
    CorruptFile,
    ErrorRows,
    FailedExport,
    SlowExport,
    TruncatedFile,
)


@situation(errors.ExportFailedError)
def wait_for_an_export_that_fails(night: DagHarness) -> None:
    night.fake.change(polls_per_export=1)
    night.fake.faults.add(FailedExport())
    night.wait(night.start())


@situation(errors.ExportFailedError)
def all_in_one_whose_export_fails(night: DagHarness) -> None:
    night.fake.faults.add(FailedExport())
    night.all_in_one()


@situation(errors.ExportFailedError)
def all_in_one_whose_export_fails_with_the_last_try(night: DagHarness) -> None:
    night.instance("land").max_tries = 0
    night.fake.faults.add(FailedExport())
    night.all_in_one()


@situation(errors.ExportFailedError)
def land_an_export_that_failed(night: DagHarness) -> None:
    night.fake.faults.add(FailedExport())
    night.land(night.start())


@situation(errors.ExportCanceledError)
def wait_for_an_export_that_is_canceled(night: DagHarness) -> None:
    night.fake.faults.add(CanceledExport())
    night.wait(night.start())


@situation(errors.ExportCanceledError)
def start_and_wait_for_an_export_that_is_canceled(night: DagHarness) -> None:
    night.fake.faults.add(CanceledExport())
    night.start(wait_for_completion=True)


@situation(errors.ExportPurgedError)
def land_an_export_whose_results_are_gone(night: DagHarness) -> None:
    handle = night.start()
    night.fake.change(results_kept_seconds=0.0)
    night.patch.setattr("labelbox_export_provider.execution.kept_results.BELIEVED_FOR", timedelta(0))
    night.land(handle)


@situation(errors.ExportNotReadyError)
def land_without_waiting(night: DagHarness) -> None:
    night.land(still_running(night))


@situation(errors.WaitTimeoutError)
def wait_in_the_triggerer(night: DagHarness) -> None:
    night.wait(still_running(night), timeout=0.01)


@situation(errors.WaitTimeoutError)
def poke_for_too_long(night: DagHarness) -> None:
    night.wait(still_running(night), deferrable=False, timeout=0.01)


@situation(errors.WaitTimeoutError)
def wait_with_soft_fail(night: DagHarness) -> None:
    night.wait(still_running(night), timeout=0.01, soft_fail=True)


@situation(errors.WaitTimeoutError)
def all_in_one_for_too_long(night: DagHarness) -> None:
    night.fake.faults.add(SlowExport())
    night.all_in_one(timeout=0.01)


@situation(errors.NoTriggererError)
def wait_without_a_triggerer(night: DagHarness) -> None:
    night.has_triggerer = False
    night.wait(still_running(night))


@situation(errors.NoTriggererError)
def all_in_one_without_a_triggerer(night: DagHarness) -> None:
    night.has_triggerer = False
    night.all_in_one()


@situation(errors.NoTriggererError)
def start_and_wait_without_a_triggerer(night: DagHarness) -> None:
    night.has_triggerer = False
    night.start(wait_for_completion=True)


@situation(errors.NoTriggererError)
def deferred_start_without_a_triggerer(night: DagHarness) -> None:
    night.has_triggerer = False
    night.now = NIGHT[1]  # the window has not settled
    night.start()


@situation(errors.TaskStoppedError)
def land_and_be_stopped(night: DagHarness) -> None:
    handle = night.start()
    night.is_killed = True
    night.land(handle)


@situation(errors.TaskStoppedError)
def all_in_one_that_is_stopped_before_it_starts(night: DagHarness) -> None:
    night.is_killed = True
    night.all_in_one()


@situation(errors.IntegrityError)
def land_a_file_that_is_corrupt(night: DagHarness) -> None:
    handle = night.start()
    night.fake.faults.add(CorruptFile(times=None))
    night.land(handle)


@situation(errors.IntegrityError)
def all_in_one_of_an_adopted_export_whose_file_is_too_short(night: DagHarness) -> None:
    night.until_deferred(night.all_in_one)
    night.retried("land")
    night.fake.faults.add(TruncatedFile(keep=100, times=None))
    night.all_in_one()


@situation(errors.TooManyErrorRowsError)
def land_an_export_with_error_rows(night: DagHarness) -> None:
    night.fake.faults.add(ErrorRows())
    night.land(night.start())


@situation(errors.TooManyErrorRowsError)
def all_in_one_with_error_rows(night: DagHarness) -> None:
    night.fake.faults.add(ErrorRows())
    night.all_in_one()
