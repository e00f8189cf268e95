"""Guarantee G1: an export of another run, another Airflow or another try is told from this one's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from support.client.starts import LOOK, StartingTask, Wrapper, after, before, ids

from labelbox_export_provider.domain.records.start_record import StartRecord
from labelbox_export_provider.errors import AnotherUsersExportError
from labelbox_export_provider.testing import FakeLabelbox, FakeUser
from labelbox_export_provider.testing.faults import HiddenExport


def test_a_run_that_was_deleted_and_came_again_starts_anew(
    fake: FakeLabelbox, task: StartingTask, reported: pytest.LogCaptureFixture
) -> None:
    """Where a store holds no record, nothing is adopted by name: the record precedes each start."""
    first = task.run()
    task.record = None  # Airflow deletes it with the run
    again = task.run()
    assert not again.adopted
    assert ids(fake) == [first.export_id, again.export_id]
    assert {export.status for export in fake.exports} == {"IN_PROGRESS"}
    assert f"Export {first.export_id} has this name, but this task did not start it" in reported.text
    assert task.run().export_id == again.export_id


def test_two_deployments_with_the_same_ids_start_their_own(storeless: StartingTask) -> None:
    """Staging beside production, with one DAG and one key, is another start, also without a store."""
    storeless.deployment = "https://airflow.example"
    first = storeless.run()
    storeless.deployment = "https://staging.airflow.example"
    assert not storeless.run().adopted
    storeless.deployment = "https://airflow.example"
    assert storeless.run().export_id == first.export_id


@pytest.mark.parametrize("way", [before, after])
@pytest.mark.parametrize("lag", [0.0, 3.0])
def test_two_tries_at_one_moment_start_one_export(
    fake: FakeLabelbox, task: StartingTask, way: Callable[..., Wrapper], lag: float
) -> None:
    """The record is read again right before the start is sent, so that no name has to be visible yet."""
    fake.faults.add(HiddenExport(seconds=lag, times=None))
    other: list[str] = []
    slower = task.run(way(LOOK, lambda: other.append(task.run().export_id)))
    assert slower.adopted
    assert other == [slower.export_id] == ids(fake)


def test_an_intent_that_another_try_wrote_over_is_not_sent(
    fake: FakeLabelbox, task: StartingTask, monkeypatch: pytest.MonkeyPatch, reported: pytest.LogCaptureFixture
) -> None:
    """Of two tries that write at one moment the last one starts, and the other looks for its export."""
    fake.faults.add(HiddenExport(seconds=3.0, times=None))
    rival = replace(task, saved=[], slept=[])
    save = task._save

    def save_and_be_written_over(record: StartRecord) -> None:
        save(record)
        if not rival.saved:
            rival.run()
            task.record = rival.record

    monkeypatch.setattr(task, "_save", save_and_be_written_over)
    slower = task.run()
    assert slower.adopted
    assert ids(fake) == [slower.export_id]
    assert "Another try of this task starts the export at this moment" in reported.text


def test_a_key_of_another_organization_starts_nothing(fake: FakeLabelbox, task: StartingTask) -> None:
    """User and organization are compared first: the request of another one differs, but nobody asked for it."""
    first = task.run()
    task.organization_id = "clother"
    with pytest.raises(AnotherUsersExportError, match="another Labelbox organization") as raised:
        task.run()
    for named in (fake.organization_id, "clother", task.user.user_id, "Nothing was started"):
        assert named in str(raised.value)
    assert ids(fake) == [first.export_id]


def test_a_key_of_a_user_who_asks_for_something_else_starts_nothing(
    fake: FakeLabelbox, task: StartingTask, colleague: FakeUser
) -> None:
    """The time zone of its user is part of a request, so that the user is compared before the request."""
    fake.change(tasks_of_other_users=True)
    task.run()
    another = task.as_user(colleague)
    another.project_id = "clsecond"
    with pytest.raises(AnotherUsersExportError, match=task.user.user_id):
        another.run()
    assert len(fake.exports) == 1


def test_names_that_the_server_shortens_are_found(fake: FakeLabelbox, storeless: StartingTask) -> None:
    """The digest comes first in a name, so that a server which shortens names leaves it."""
    fake.change(name_characters=22, created_tasks_by_name=False)
    first = storeless.run()
    assert storeless.run().export_id == first.export_id


def test_the_log_has_name_and_id(task: StartingTask, reported: pytest.LogCaptureFixture) -> None:
    started = task.run()
    assert f"Started export {started.export_id}, named {started.record.name!r}." in reported.text
    task.run()
    assert f"Adopted export {started.export_id} (IN_PROGRESS), named {started.record.name!r}" in reported.text
