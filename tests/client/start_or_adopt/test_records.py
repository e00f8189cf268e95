"""Guarantee G1: records of consumed, cleared and dead exports."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.client.starts import (
    KILLED_DURING_THE_CALL,
    RUNS_FOR,
    StartingTask,
    ids,
)

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.polling import BELIEVED_AFTER
from labelbox_export_provider.client.start_or_adopt import LOOK_EVERY
from labelbox_export_provider.testing import FakeLabelbox, ManualClock
from labelbox_export_provider.testing.faults import (
    CanceledExport,
    ExportFault,
    FailedExport,
    HiddenExport,
)


def test_crash_after_marking_consumed_adopts(fake: FakeLabelbox, task: StartingTask) -> None:
    """A crash between marking it consumed and success is followed by adoption."""
    first = task.succeed()
    again = task.succeed()
    assert again.adopted
    assert ids(fake) == [first.export_id] == [again.export_id]


def test_an_export_that_has_completed_meanwhile_is_adopted_too(
    fake: FakeLabelbox, task: StartingTask, clock: ManualClock
) -> None:
    task.run()
    clock.advance(RUNS_FOR)
    assert task.run().adopted
    assert [export.status for export in fake.exports] == ["COMPLETE"]


def test_cleared_success_starts_a_new_export(
    fake: FakeLabelbox, task: StartingTask, reported: pytest.LogCaptureFixture
) -> None:
    """A success that its user clears starts a new export because that is what was asked for."""
    first = task.succeed()
    task.clear()
    second = task.succeed()
    assert not second.adopted
    assert ids(fake) == [first.export_id, second.export_id]
    assert len({export.name for export in fake.exports}) == 2
    assert "was consumed before this task was cleared: starting a new one" in reported.text
    assert task.succeed().export_id == second.export_id


def test_cleared_failure_adopts_the_export(fake: FakeLabelbox, task: StartingTask) -> None:
    """A failure that its user clears resumes the export which then counts as the new run."""
    first = task.run()  # then the task failed for a reason of its own
    task.clear()
    second = task.succeed()
    assert second.adopted
    assert second.record.clear_count == "1"
    assert task.succeed().adopted  # consumed since the last clear
    assert ids(fake) == [first.export_id]
    task.clear()
    assert not task.succeed().adopted
    assert len(fake.exports) == 2


def test_a_retry_that_asks_for_something_else_warns(
    fake: FakeLabelbox, task: StartingTask, reported: pytest.LogCaptureFixture
) -> None:
    """A retry whose request differs from the recorded one warns, naming what moved, and starts a new export."""
    first = task.run()
    task.project_id = "clsecond"
    assert not task.run().adopted
    assert [export.source_id for export in fake.exports] == [fake.project_id, "clsecond"]
    [warning] = [record.getMessage() for record in reported.records if record.levelname == "WARNING"]
    assert f'filters.projectId was "{fake.project_id}", is "clsecond"' in warning
    assert f"{first.record.name!r} of an earlier try ({first.export_id} (IN_PROGRESS)), which continues" in warning
    assert "use values of the run, such as data_interval_end" in warning


def test_a_recorded_export_has_the_name_of_its_record(fake: FakeLabelbox, task: StartingTask) -> None:
    """A recorded export is looked for by the name in its record, whatever name this try would give."""
    task.crash(KILLED_DURING_THE_CALL)
    task.deployment = "renamed meanwhile"
    assert task.run().adopted
    assert len(fake.exports) == 1


@pytest.mark.parametrize(("fault", "status"), [(FailedExport(), "FAILED"), (CanceledExport(), "CANCELED")])
@pytest.mark.parametrize("has_store", [True, False])
def test_a_dead_export_means_a_new_one_and_a_logged_reason(  # noqa: PLR0917  fixtures and columns of the table
    fake: FakeLabelbox,
    task: StartingTask,
    clock: ManualClock,
    reported: pytest.LogCaptureFixture,
    fault: ExportFault,
    status: str,
    has_store: bool,
) -> None:
    task.has_store = has_store
    fake.faults.add(fault)
    first = task.run()
    clock.advance(RUNS_FOR)
    second = task.run()
    assert not second.adopted
    assert ids(fake) == [first.export_id, second.export_id]
    assert reported.text.count(f"Export {first.export_id} of an earlier try is {status}: starting a new one") == 1
    assert task.run().export_id == second.export_id  # and the dead one stays out of the way
    assert len(fake.exports) == 2


def test_an_export_that_somebody_is_canceling_is_dead_already(fake: FakeLabelbox, task: StartingTask) -> None:
    fake.change(seconds_to_cancel=60)
    first = task.run()
    task.client_run(flows.cancel_export(first.export_id))
    assert fake.exports[0].status == "CANCELLING"
    assert not task.run().adopted
    assert len(fake.exports) == 2


@pytest.mark.parametrize("has_store", [True, False])
def test_an_export_of_any_age_is_adopted(
    fake: FakeLabelbox, task: StartingTask, clock: ManualClock, has_store: bool
) -> None:
    """A retry after a week finds its own export, which may run for as long as `timeout` lets it."""
    task.has_store = has_store
    first = task.run()
    clock.advance(timedelta(days=8).total_seconds())
    assert task.run().export_id == first.export_id
    assert len(fake.exports) == 1


def test_empty_answers_do_not_hide_a_recorded_export(
    fake: FakeLabelbox, task: StartingTask, clock: ManualClock
) -> None:
    """An export that is recorded by its id is looked for, for two minutes, before another one is started."""
    fake.faults.add(HiddenExport(looks=20, by_id=True))
    first = task.run()
    clock.advance(3600)
    again = task.run()
    assert again.export_id == first.export_id
    assert len(fake.exports) == 1
    assert LOOK_EVERY < sum(task.slept) <= BELIEVED_AFTER
