"""One export lands by many tasks: the same objects as by one, and each task does only its part again."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG
from support.airflow.landing_group import FILE_BYTES, OBJECT_BYTES, OPTIONS, Group, receipts, visible
from support.airflow.tasks import context_of
from support.airflow.transfer_stores import Store, expected_rows, start

from labelbox_export_provider import LabelboxExportToFileOperator, parallel_landing
from labelbox_export_provider.airflow_compat import AirflowException, AirflowFailException
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import CorruptFile, RefusedFile
from labelbox_export_provider.transfers.parallel import PLAN_KEY

in_real_stores = pytest.mark.parametrize("store", ["file", "s3", "strict_gcs"], indirect=True)


@in_real_stores
def test_many_tasks_land_the_objects_of_one(
    small_files: FakeLabelbox, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The objects of a landing by many tasks equal those of one transfer, byte for byte, and nothing else is left."""
    handle = start(small_files)
    group = Group(store, handle)
    shards = group.plan()
    assert len(shards) == 3
    for shard in reversed(shards):
        group.stage(shard)
        assert visible(store) == {}
    summary = group.publish()
    parallel = visible(store)

    root = tmp_path_factory.mktemp("alone")
    alone = LabelboxExportToFileOperator(task_id="land", export=handle, root=str(root), **OPTIONS)
    assert alone.execute(context_of("land"))["rows"] == summary["rows"] > 0
    single = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    data = [name for name in parallel if name.startswith("data/")]
    assert len(data) > 3
    assert {name: parallel[name] for name in data} == {name: single[name] for name in single if name[:5] == "data/"}
    assert store.read_all() == parallel


@in_real_stores
def test_a_shard_that_fails_halfway_is_resumed(small_files: FakeLabelbox, store: Store) -> None:
    """The retry reads what has no receipt, no file before it and none of another shard, whose receipts stay."""
    group = Group(store, start(small_files), shards=2)
    first, second = group.plan()
    group.stage(second)
    of_second = receipts(store)
    assert len(of_second) == second["last"] - second["first"]
    small_files.faults.add(RefusedFile(file_index=9, times=None))
    with pytest.raises(AirflowException, match="resumes with the same export") as failure:
        group.stage(first)
    assert not isinstance(failure.value, AirflowFailException)
    small_files.faults.clear()
    kept = len(receipts(store)) - len(of_second)
    assert 0 < kept < first["last"] - first["first"]

    small_files.requests.clear()
    assert group.stage(first)["kept"] == kept
    read = {int(request.path.rpartition("/")[2].partition(".")[0]) for request in small_files.requests.files}
    assert min(read) >= kept * OBJECT_BYTES // FILE_BYTES - 1
    assert max(read) <= second["first"] * OBJECT_BYTES // FILE_BYTES + 1
    assert of_second.items() <= receipts(store).items()
    assert group.publish()["rows"] == len(expected_rows(small_files))
    assert sorted(store.rows()) == expected_rows(small_files)


@in_real_stores
def test_a_shard_with_wrong_bytes_is_staged_again_alone(small_files: FakeLabelbox, store: Store) -> None:
    """Which of its bytes are wrong is not known, so all of its objects move again; receipts of another shard stay."""
    group = Group(store, start(small_files), shards=2)
    first, second = group.plan()
    group.stage(second)
    of_second = receipts(store)
    small_files.faults.add(CorruptFile(file_index=9, position=30))
    with pytest.raises(AirflowException, match="CRC32C"):
        group.stage(first)
    assert receipts(store) == of_second
    assert group.stage(first)["kept"] == 0
    group.publish()
    assert sorted(store.rows()) == expected_rows(small_files)


@in_real_stores
def test_publishing_twice_is_publishing_once(small_files: FakeLabelbox, store: Store) -> None:
    """A shard that is staged again moves nothing; nor does publishing again, which changes and leaves nothing."""
    group = Group(store, start(small_files))
    first, *others = group.plan()
    assert group.stage(first)["kept"] == 0
    small_files.requests.clear()
    assert group.stage(first)["kept"] == first["last"] - first["first"] > 0
    assert small_files.requests.files == []
    for shard in others:
        group.stage(shard)
    small_files.requests.clear()
    summary = group.publish()
    landed = visible(store)
    assert group.publish() == summary
    assert store.read_all() == visible(store) == landed
    assert small_files.requests.files == []


def test_publishing_without_a_shard_shows_nothing(small_files: FakeLabelbox, store: Store) -> None:
    """Where a shard was not staged, publishing fails without a retry, names what is missing, and nothing is visible."""
    group = Group(store, start(small_files))
    for shard in group.plan()[1:]:
        group.stage(shard)
    with pytest.raises(AirflowFailException, match="receipt"):
        group.publish()
    assert visible(store) == {}


def test_a_small_export_is_landed_by_the_last_task(small_files: FakeLabelbox, store: Store) -> None:
    """An export of one object has no shards, and the task that publishes lands it."""
    group = Group(store, start(small_files), max_object_bytes=None)
    assert group.plan() == []
    assert group.publish()["rows"] > 0


def test_a_changed_plan_is_refused(small_files: FakeLabelbox, store: Store) -> None:
    """A plan that is missing or is not a plan fails with what to do."""
    group = Group(store, start(small_files))
    group.ti.xcoms[PLAN_KEY] = {"v": 1}
    with pytest.raises(AirflowFailException, match="Clear that task with downstream"):
        group.publish()


@pytest.mark.parametrize(
    ("transfer", "options", "reason"),
    [
        (object, {}, "must be a transfer's class"),
        (LabelboxExportToFileOperator, {"source": {"kind": "project"}}, "takes export=, not source="),
        (LabelboxExportToFileOperator, {"max_shards": 0}, "max_shards=0: must be a whole number from 1 to 64"),
        (LabelboxExportToFileOperator, {"max_shards": 65}, "max_shards=65: must be a whole number from 1 to 64"),
        (LabelboxExportToFileOperator, {"task_id": "land"}, "sets task_id of its tasks itself"),
        (LabelboxExportToFileOperator, {"trigger_rule": "all_done"}, "sets trigger_rule of its tasks itself"),
        (LabelboxExportToFileOperator, {"shard_bytes": "8 GiB"}, "shard_bytes='8 GiB'"),
        (LabelboxExportToFileOperator, {"compression": "rar"}, "compression='rar'"),
    ],
)
def test_wrong_options_fail_at_parse_time(transfer: Any, options: dict[str, Any], reason: str) -> None:
    """Wrong options are refused while the DAG is parsed, each by its name."""
    with DAG("wrong", schedule=None), pytest.raises(ConfigurationError, match=reason):
        parallel_landing(transfer, export="{{ x }}", root="/data", **options)
