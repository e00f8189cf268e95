"""Export operators of one project, run by a test phase by phase."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Context

from labelbox_export_provider import ProjectExportOperator
from labelbox_export_provider.airflow_compat import AirflowFailException
from labelbox_export_provider.testing import FakeLabelbox


def start_of(fake: FakeLabelbox, **options: Any) -> ProjectExportOperator:
    return ProjectExportOperator(task_id="start", project_id=options.pop("project_id", fake.project_id), **options)


def rendered(task: Any, context: Context) -> Any:
    task.render_template_fields(context)
    return task


def failure_of(task: Any, context: Context) -> str:
    with pytest.raises(AirflowFailException) as failure:
        task.execute(context)
    return str(failure.value)
