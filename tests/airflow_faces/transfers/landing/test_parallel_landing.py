"""One export lands by many tasks: the same objects as by one, and each task does only its part again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from airflow.sdk import DAG
from support.airflow.tasks import TaskInstance, context_of
from support.airflow.transfer_stores import Store, start

from labelbox_export_provider import LabelboxExportToFileOperator, parallel_landing
from labelbox_export_provider.airflow_compat import AirflowFailException
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.testing import FakeLabelbox, generate_rows
from labelbox_export_provider.transfers.parallel import PLAN_KEY

OBJECT_BYTES = 64 * 1024
OPTIONS: dict[str, Any] = {"max_object_bytes": OBJECT_BYTES, "compression": "gzip"}
TARGETS = {
    "LabelboxExportToFileOperator": ("root",),
    "LabelboxExportToS3Operator": ("s3_bucket", "s3_prefix", "aws_conn_id"),
}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelbox]:
    """A fake Labelbox whose night has some objects' worth of rows."""
    with FakeLabelbox(generate_rows(1500, start=date(2026, 11, 20), days=5)) as running:
        for name, value in running.airflow_environment().items():
            monkeypatch.setenv(name, value)
        yield running


class Group:
    """The three tasks, run one after the other as Airflow would, each from what the plan has left in XCom."""

    def __init__(self, store: Store, handle: dict[str, Any], *, shards: int = 3, **options: Any) -> None:
        single = store.operator(export=handle)
        target = {name: getattr(single, name) for name in TARGETS[type(single).__name__]}
        with DAG("large", schedule=None, start_date=datetime(2026, 1, 1)) as self.dag:  # noqa: DTZ001  UTC
            parallel_landing(
                type(single), export=handle, max_shards=shards, shard_bytes=1, **target, **{**OPTIONS, **options}
            )
        self.ti = TaskInstance(task_id="land.plan")
        self.shards: list[dict[str, int]] = []

    def plan(self) -> list[dict[str, int]]:
        task: Any = self.dag.get_task("land.plan")
        self.shards = task.execute(context_of(ti=self.ti))
        return self.shards

    def stage(self, shard: dict[str, int]) -> dict[str, Any]:
        mapped: Any = self.dag.get_task("land.stage")
        task = mapped.unmap({"shard": shard})
        task.plan = self.ti.xcoms[PLAN_KEY]
        staged: dict[str, Any] = task.execute(context_of("land.stage"))
        return staged

    def publish(self) -> dict[str, Any]:
        task: Any = self.dag.get_task("land.publish")
        task.plan = self.ti.xcoms[PLAN_KEY]
        summary: dict[str, Any] = task.execute(context_of("land.publish"))
        return summary


def visible(store: Store) -> dict[str, bytes]:
    """What readers see: no receipts, and no temporary files of a directory."""
    return {
        name: content
        for name, content in store.read_all().items()
        if "/_staging/" not in f"/{name}" and "/." not in name
    }


@pytest.mark.parametrize("store", ["file", "s3"], indirect=True)
def test_many_tasks_land_the_objects_of_one(
    fake: FakeLabelbox, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The objects of a landing by many tasks equal those of one transfer, byte for byte, and nothing else is left."""
    handle = start(fake)
    group = Group(store, handle)
    shards = group.plan()
    assert len(shards) == 3
    assert len(json.dumps(group.ti.xcoms[PLAN_KEY])) < 8192
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


def test_a_shard_again_moves_nothing_again(fake: FakeLabelbox, store: Store) -> None:
    """A retry of a shard keeps the objects that have receipts, and publishing twice is publishing once."""
    group = Group(store, start(fake))
    first, *others = group.plan()
    assert group.stage(first)["kept"] == 0
    again = group.stage(first)
    assert again["kept"] == again["last"] - again["first"] > 0
    for shard in others:
        group.stage(shard)
    summary = group.publish()
    landed = visible(store)
    assert group.publish() == summary
    assert visible(store) == landed


def test_publishing_without_a_shard_shows_nothing(fake: FakeLabelbox, store: Store) -> None:
    """Where a shard was not staged, publishing fails without a retry, names what is missing, and nothing is visible."""
    group = Group(store, start(fake))
    for shard in group.plan()[1:]:
        group.stage(shard)
    with pytest.raises(AirflowFailException, match="receipt"):
        group.publish()
    assert visible(store) == {}


def test_a_small_export_is_landed_by_the_last_task(fake: FakeLabelbox, store: Store) -> None:
    """An export of one object has no shards, and the task that publishes lands it."""
    group = Group(store, start(fake), max_object_bytes=None)
    assert group.plan() == []
    assert group.publish()["rows"] > 0


def test_a_changed_plan_is_refused(fake: FakeLabelbox, store: Store) -> None:
    """A plan that is missing or is not a plan fails with what to do."""
    group = Group(store, start(fake))
    group.ti.xcoms[PLAN_KEY] = {"v": 1}
    with pytest.raises(AirflowFailException, match="Clear that task with downstream"):
        group.publish()


@pytest.mark.parametrize(
    ("transfer", "options", "reason"),
    [
        (object, {}, "must be a transfer's class"),
        (LabelboxExportToFileOperator, {"source": {"kind": "project"}}, "takes export=, not source="),
        (LabelboxExportToFileOperator, {"max_shards": 0}, "max_shards=0: must be a whole number from 1 to 1024"),
        (LabelboxExportToFileOperator, {"max_shards": 1025}, "max_shards=1025"),
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
