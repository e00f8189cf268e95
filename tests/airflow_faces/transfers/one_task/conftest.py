"""A transfer with a source, into a directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.airflow.one_task import Run

from labelbox_export_provider import DataIntervalWindow, LabelboxExportToFileOperator
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.testing import FakeLabelbox


@pytest.fixture
def run(fake: FakeLabelbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    def make(**options: Any) -> Run:
        values = {
            "source": ProjectSource(project_id=fake.project_id),
            "window": DataIntervalWindow(),
            "poke_interval": 0.01,
            "root": str(tmp_path),
            "compression": None,
            **options,
        }
        return Run(lambda: LabelboxExportToFileOperator(task_id="land", **values), monkeypatch)

    return make
