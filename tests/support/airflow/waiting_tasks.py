"""The tasks that wait: an operator, a transfer and a sensor, as tests of their waits make them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.airflow.started import handle_of

from labelbox_export_provider import (
    DataIntervalWindow,
    ExportTaskSensor,
    LabelboxExportToFileOperator,
    ProjectExportOperator,
)
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.testing import FakeLabelbox

Make = Callable[..., Any]


def start_and_wait(fake: FakeLabelbox, root: Path, **options: Any) -> Any:
    """An export operator that waits."""
    del root
    values = {"project_id": fake.project_id, "wait_for_completion": True, "window": DataIntervalWindow(), **options}
    return ProjectExportOperator(task_id="start", **values)


def all_in_one(fake: FakeLabelbox, root: Path, **options: Any) -> Any:
    """A transfer that starts its export."""
    source = ProjectSource(project_id=fake.project_id)
    values = {"source": source, "root": str(root), "window": DataIntervalWindow(), **options}
    return LabelboxExportToFileOperator(task_id="land", **values)


def sensor(fake: FakeLabelbox, root: Path, **options: Any) -> Any:
    """A sensor that waits for an export which another task started."""
    del root
    return ExportTaskSensor(task_id="wait", export=handle_of(fake), **options)


starting = pytest.mark.parametrize("make", [start_and_wait, all_in_one])
waiting = pytest.mark.parametrize("make", [start_and_wait, all_in_one, sensor])
