"""Handles of exports that a start task has just started."""

from __future__ import annotations

from typing import Any

from support.airflow.tasks import context_of

from labelbox_export_provider import ProjectExportOperator
from labelbox_export_provider.testing import FakeLabelbox


def handle_of(fake: FakeLabelbox, **options: Any) -> dict[str, Any]:
    handle: dict[str, Any] = ProjectExportOperator(task_id="start", project_id=fake.project_id, **options).execute(
        context_of()
    )
    return handle
