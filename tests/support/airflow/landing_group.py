"""The tasks of `parallel_landing`, run one after the other as Airflow would."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import DAG
from support.airflow.tasks import TaskInstance, context_of
from support.airflow.transfer_stores import Store

from labelbox_export_provider import parallel_landing
from labelbox_export_provider.transfers.parallel import PLAN_KEY

FILE_BYTES = 16 * 1024
OBJECT_BYTES = 64 * 1024
OPTIONS: dict[str, Any] = {"max_object_bytes": OBJECT_BYTES, "compression": "gzip"}
TARGETS = {
    "LabelboxExportToFileOperator": ("root",),
    "LabelboxExportToGCSOperator": ("bucket_name", "object_prefix"),
    "LabelboxExportToS3Operator": ("s3_bucket", "s3_prefix", "aws_conn_id"),
}


class Group:
    """The three tasks, each of which knows of the others what they have left in XCom."""

    def __init__(self, store: Store, handle: dict[str, Any], *, shards: int = 3, **options: Any) -> None:
        single = store.operator(export=handle)
        target = {name: getattr(single, name) for name in TARGETS[type(single).__name__]}
        with DAG("large", schedule=None, start_date=datetime(2026, 1, 1)) as self.dag:  # noqa: DTZ001  UTC
            parallel_landing(
                type(single), export=handle, max_shards=shards, **target, **{"shard_bytes": 1, **OPTIONS, **options}
            )
        self.ti = TaskInstance(task_id="land.plan")

    def plan(self) -> list[dict[str, int]]:
        task: Any = self.dag.get_task("land.plan")
        shards: list[dict[str, int]] = task.execute(context_of(ti=self.ti))
        return shards

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
        if "/_staging/" not in f"/{name}" and "/." not in f"/{name}"
    }


def receipts(store: Store) -> dict[str, bytes]:
    """What tasks have left of objects that are stored and not visible."""
    return {name: content for name, content in store.read_all().items() if name.startswith("_staging/")}
