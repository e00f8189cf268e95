"""Guarantee G1 with keys of other users, and without a task state store."""

from __future__ import annotations

from typing import Any

import pytest
from support.client.starts import (
    KILLED_BEFORE_THE_CALL,
    KILLED_DURING_THE_CALL,
    StartingTask,
    ids,
)

from labelbox_export_provider.errors import (
    AnotherUsersExportError,
)
from labelbox_export_provider.testing import FakeLabelbox, FakeUser
from labelbox_export_provider.testing.faults import (
    GraphQLErrorAnswer,
)


@pytest.mark.parametrize("way", [KILLED_BEFORE_THE_CALL, KILLED_DURING_THE_CALL, None])
def test_key_of_another_user_starts_nothing(
    fake: FakeLabelbox, task: StartingTask, colleague: FakeUser, way: Any
) -> None:
    """A key of another user who sees nothing fails naming both and starts nothing."""
    if way is None:
        task.run()
    else:
        task.crash(way)
    started = ids(fake)
    with pytest.raises(AnotherUsersExportError) as raised:
        task.as_user(colleague).run()
    assert task.user.user_id in str(raised.value)
    assert colleague.user_id in str(raised.value)
    assert "Nothing was started" in str(raised.value)
    assert "clear the task state" in str(raised.value)
    assert ids(fake) == started
    task.run()  # with the first key again
    assert len(fake.exports) == 1


@pytest.mark.parametrize("code", ["RESOURCE_NOT_FOUND", "AUTHORIZATION_ERROR"])
@pytest.mark.parametrize("way", [KILLED_DURING_THE_CALL, None])
def test_hidden_other_user_starts_nothing(
    fake: FakeLabelbox, task: StartingTask, colleague: FakeUser, code: str, way: Any
) -> None:
    """The same holds where Labelbox does not even show the other user."""
    if way is None:
        task.run()
    else:
        task.crash(way)
    fake.faults.add(GraphQLErrorAnswer(operation="createdTasks", code=code, times=None))
    with pytest.raises(AnotherUsersExportError, match=task.user.user_id):
        task.as_user(colleague).run()
    assert len(fake.exports) == 1


def test_visible_export_of_another_user_is_adopted(fake: FakeLabelbox, task: StartingTask, colleague: FakeUser) -> None:
    """An export of another user that is visible is adopted in that user's name."""
    fake.change(tasks_of_other_users=True)
    first = task.run()
    again = task.as_user(colleague).run()
    assert again.adopted
    assert again.record.user_id == task.user.user_id  # whose tasks a sensor has to look through
    assert ids(fake) == [first.export_id]


def test_cleared_success_starts_with_any_key(fake: FakeLabelbox, task: StartingTask, colleague: FakeUser) -> None:
    """A cleared success starts a new export with whatever key there is now."""
    task.succeed()
    task.clear()
    assert task.as_user(colleague).run().record.user_id == colleague.user_id
    assert [export.user_id for export in fake.exports] == [task.user.user_id, colleague.user_id]


def test_a_new_key_of_the_same_user_changes_nothing(fake: FakeLabelbox, task: StartingTask) -> None:
    first = task.run()
    key = fake.accounts.add_key(fake.user)
    fake.revoke(fake.user.api_key)
    rotated = FakeUser(user_id=fake.user.user_id, api_key=key)
    assert task.as_user(rotated).run().export_id == first.export_id
    assert len(fake.exports) == 1


def test_retry_without_a_store_finds_by_name(fake: FakeLabelbox, storeless: StartingTask) -> None:
    """Without a store a retry finds the export by its name alone."""
    storeless.crash(KILLED_DURING_THE_CALL)
    started = storeless.run()
    assert started.adopted
    assert storeless.run().export_id == started.export_id
    assert ids(fake) == [started.export_id]


def test_clear_count_distinguishes_without_a_store(fake: FakeLabelbox, storeless: StartingTask) -> None:
    """Without a store a cleared task is distinguished from a retry by its clear count."""
    storeless.succeed()
    assert storeless.succeed().adopted
    storeless.clear()
    assert not storeless.succeed().adopted
    assert len(fake.exports) == 2


def test_runs_of_a_task_do_not_find_each_others_exports(fake: FakeLabelbox, storeless: StartingTask) -> None:
    storeless.run()
    storeless.run_id = "next"
    assert not storeless.run().adopted
    assert len(fake.exports) == 2
