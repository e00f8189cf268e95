"""A check whose snapshot comes out of a file: of more sources and nights than a test can land."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator, Param

from labelbox_export_provider.windows_check.snapshot import XCOM_KEY


class LabelboxWindowsCheckOperator(BaseOperator):
    """Push the snapshot in a file, under the name by which the page finds checks."""

    def execute(self, context: Any) -> None:
        context["ti"].xcom_push(key=XCOM_KEY, value=json.loads(Path(context["params"]["file"]).read_text()))


with DAG(
    "windows_many",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    params={"file": Param("", type="string")},
):
    LabelboxWindowsCheckOperator(task_id="check")
