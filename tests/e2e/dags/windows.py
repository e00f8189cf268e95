"""What the page of windows is about: a DAG that lands the window of a form, and a check of what has landed."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, AssetAlias

from labelbox_export_provider import (
    LabelboxExportToFileOperator,
    LabelboxWindowsCheckOperator,
    ParamsWindow,
    ProjectSource,
    window_params,
)

PROJECT = "clprojectfirst00000000000000000000"[:25]
ROOT = os.environ.get("LABELBOX_WINDOWS_ROOT", "/nowhere")
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)

# The check names the first; that the other lands there too is known by its asset events alone.
for dag_id in ("windows_land", "windows_land_too"):
    with DAG(dag_id, schedule=None, start_date=BEGIN, params=window_params()):
        LabelboxExportToFileOperator(
            task_id="land",
            source=ProjectSource(project_id=PROJECT),
            window=ParamsWindow(),
            root=ROOT,
            poke_interval=1,
            outlets=[AssetAlias("windows_landed")],
        )

with DAG("windows_check", schedule=None, start_date=BEGIN):
    LabelboxWindowsCheckOperator(
        task_id="check",
        prefix=ROOT,
        until="2026-05-11T02:00:00Z",
        landing_dag_id="windows_land",
        rows=True,
    )
