"""For DAGs of tests: one export lands by many tasks in each of three stores, and beside it by one task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from support.e2e.three_stores import BUCKET

from labelbox_export_provider import (
    LabelboxExportToFileOperator,
    LabelboxExportToGCSOperator,
    LabelboxExportToS3Operator,
    parallel_landing,
)

STORES: Mapping[str, tuple[Any, Mapping[str, str]]] = {
    "s3": (LabelboxExportToS3Operator, {"s3_bucket": BUCKET, "s3_prefix": "three/{folder}"}),
    "gcs": (LabelboxExportToGCSOperator, {"bucket_name": BUCKET, "object_prefix": "three/{folder}"}),
    "file": (LabelboxExportToFileOperator, {"root": "{{{{ params.root }}}}/three/{folder}"}),
}


def land_by_many_and_by_one(export: Any, *, shards: Mapping[str, int], **options: Any) -> None:
    """Add the group `<store>` for each store, and after it the transfer `<store>_alone` with the same options."""
    for store, (transfer, target) in STORES.items():
        many = parallel_landing(transfer, group_id=store, export=export, **_into("many", target), **shards, **options)
        many >> transfer(task_id=f"{store}_alone", export=export, **_into("one", target), **options)


def _into(folder: str, target: Mapping[str, str]) -> dict[str, Any]:
    return {name: value.format(folder=folder) for name, value in target.items()}
