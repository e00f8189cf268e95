"""What a task that publishes reports where a retry of its own cannot help, since other tasks have to stage again."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.airflow.landing_group import Group, receipts, visible
from support.airflow.transfer_stores import Store, expected_rows, start

from labelbox_export_provider.airflow_compat import AirflowException, AirflowFailException
from labelbox_export_provider.domain.records.receipt import read_receipt
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import CorruptFile

TO_DO = "  to do:     clear task 'land.stage' with downstream"
NO_RETRY = "  retry:     none: it would end the same way, so none is used up"


def test_staged_bytes_that_are_wrong_are_staged_again(small_files: FakeLabelbox, store: Store, tmp_path: Path) -> None:
    """All of it is removed, so no retry is used up, and the report names the tasks to clear; then it is published."""
    group = Group(store, start(small_files))
    shards = group.plan()
    for shard in shards:
        group.stage(shard)
    name, content = sorted(receipts(store).items())[2]
    receipt = read_receipt(content)
    assert receipt is not None
    segment = receipt.segments[0]
    changed = receipt.model_copy(update={"segments": (segment._replace(size=segment.size - 1), *receipt.segments[1:])})
    (tmp_path / name).write_bytes(changed.to_json())
    with pytest.raises(AirflowFailException) as failure:
        group.publish()
    again = "; if it comes again, clear the task that starts the export with downstream"
    assert str(failure.value).splitlines()[-2:] == [NO_RETRY, TO_DO + again]
    assert "  kept:      nothing, since which of the bytes are wrong is not known" in str(failure.value)
    assert visible(store) == receipts(store) == {}
    for shard in shards:
        group.stage(shard)
    group.publish()
    assert sorted(store.rows()) == expected_rows(small_files)


def test_a_shard_that_is_not_staged_is_named_by_its_task(small_files: FakeLabelbox, store: Store) -> None:
    """The others are stored, and stay."""
    group = Group(store, start(small_files))
    shards = group.plan()
    for shard in shards[1:]:
        group.stage(shard)
    with pytest.raises(AirflowFailException) as failure:
        group.publish()
    assert str(failure.value).splitlines()[-2:] == [NO_RETRY, TO_DO]
    stored = sum(shard["last"] - shard["first"] for shard in shards[1:])
    assert f"  kept:      {stored} of {shards[-1]['last']} objects (" in str(failure.value)
    assert "are stored; what stages the rest resumes there" in str(failure.value)


def test_a_task_that_lands_by_itself_is_retried(small_files: FakeLabelbox, store: Store) -> None:
    """An export without shards is read again by a retry of the task that publishes."""
    group = Group(store, start(small_files), max_object_bytes=None)
    assert group.plan() == []
    small_files.faults.add(CorruptFile(file_index=3, position=30))
    with pytest.raises(AirflowException, match="reads the same export again") as failure:
        group.publish()
    assert not isinstance(failure.value, AirflowFailException)
    assert group.publish()["rows"] > 0
