"""The check beside the DAG that lands all projects: what is expected is what the look-up finds today."""

from __future__ import annotations

import os

from airflow.sdk import DAG, Param, task

from labelbox_export_provider import LabelboxHook, LabelboxWindowsCheckOperator

with DAG("all_projects_check", schedule=None, params={"until": Param("", type="string")}):

    @task
    def sources() -> list[str]:
        """Return the projects of today, as a check takes them."""
        return [f"project:{each.id}" for each in LabelboxHook().get_projects()]

    LabelboxWindowsCheckOperator(
        task_id="check",
        prefix=f"s3://{os.environ.get('LABELBOX_BUCKET', 'my-data-lake')}/labelbox",
        sources=sources(),  # type: ignore[arg-type]  # Airflow fills it in
        until="{{ params.until }}",
    )
