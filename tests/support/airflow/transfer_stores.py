"""The stores of the transfers' tests, each with the operator that lands in it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import Context
from support.airflow.tasks import NIGHT, context_of

from labelbox_export_provider import (
    DataIntervalWindow,
    LabelboxExportToFileOperator,
    LabelboxExportToGCSOperator,
    LabelboxExportToS3Operator,
    ProjectExportOperator,
)
from labelbox_export_provider.domain.records.manifest import Manifest
from labelbox_export_provider.errors import StorageError
from labelbox_export_provider.testing import FakeLabelbox

Operator = LabelboxExportToFileOperator | LabelboxExportToGCSOperator | LabelboxExportToS3Operator


class Store:
    """One of the stores, with the operator that lands in it and a function that reads all of it."""

    def __init__(self, operator: Callable[..., Operator], read_all: Callable[[], dict[str, bytes]]) -> None:
        self.operator = operator
        self.read_all = read_all

    def land(self, handle: Any, context: Context | None = None, **options: Any) -> dict[str, Any]:
        task = self.operator(export=handle, **options)
        landed: dict[str, Any] = task.execute(context or context_of("land"))
        return landed

    def rows(self) -> list[bytes]:
        lines: list[bytes] = []
        for name, content in self.read_all().items():
            if name.startswith("data/"):
                lines += (gzip.decompress(content) if name.endswith(".gz") else content).splitlines(keepends=True)
        return lines

    def manifests(self) -> list[Manifest]:
        found = [content for name, content in self.read_all().items() if "manifests/" in name]
        return [Manifest.model_validate_json(content) for content in found]


in_every_store = pytest.mark.parametrize("store", ["file", "s3", "gcs"], indirect=True)
"""The stores themselves are tested elsewhere: this is for what depends on how an operator reaches its store."""


def start(fake: FakeLabelbox, *, window: Any = DataIntervalWindow(), **options: Any) -> dict[str, Any]:  # noqa: B008  frozen
    values = {"project_id": fake.project_id, "window": window, **options}
    handle: dict[str, Any] = ProjectExportOperator(task_id="start", **values).execute(context_of())
    return handle


def error_about(connection: str, task: Operator, *, secret: str) -> StorageError:
    """Open the store of a task whose connection does not work; the error names it, and nothing in it has the secret."""
    with pytest.raises(StorageError) as caught:
        task._open_sink()
    assert f"'{connection}'" in str(caught.value)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


def expected_rows(fake: FakeLabelbox) -> list[bytes]:
    return sorted(line.rstrip(b"\n") + b"\n" for line in fake.rows_for(start=NIGHT[0], end=NIGHT[1]))
