"""Three times eight sources whose exports cannot all run at once; no task has a retry."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import Any

from airflow.sdk import DAG

from labelbox_export_provider import FixedWindow, LabelboxExportToFileOperator

OLD = FixedWindow(start="2026-05-04T00:00:00Z", end="2026-05-05T00:00:00Z")
NEW = FixedWindow(start="2026-05-06T00:00:00Z", end="2026-05-07T00:00:00Z")
KINDS: dict[str, tuple[FixedWindow, dict[str, Any]]] = {
    "backfill": (OLD, {}),
    "tonight": (NEW, {}),
    "urgent": (OLD, {"priority_weight": 10}),
}
projects: dict[str, list[str]] = json.loads(os.environ.get("LABELBOX_PROJECTS", "{}"))

with DAG(
    "start_gate",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    default_args={"retries": 0},
):
    for kind, (window, options) in KINDS.items():
        LabelboxExportToFileOperator.partial(
            task_id=kind,
            window=window,
            root=os.environ.get("LABELBOX_LAKE", "/"),
            compression=None,
            poke_interval=1,
            **options,
        ).expand(source=[{"kind": "project", "project_id": each} for each in projects.get(kind, [])])
