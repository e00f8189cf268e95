"""The link to the source in Labelbox's web app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.airflow.project_exports import start_of
from support.airflow.tasks import context_of, instance_of, some_dag

from labelbox_export_provider import DatasetExportOperator, ExportTaskSensor, LabelboxExportToFileOperator
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.links.source_page import LabelboxSourceLink
from labelbox_export_provider.testing import FakeLabelbox


def test_the_link_is_pushed_as_soon_as_the_export_runs(fake: FakeLabelbox) -> None:
    """The link to the project is pushed as soon as the export runs."""
    context = context_of()
    start_of(fake).execute(context)
    link = instance_of(context).xcoms["labelbox_source_link"]
    assert link == f"https://app.labelbox.com/projects/{fake.project_id}"


def test_the_link_is_known_without_asking_for_an_xcom(fake: FakeLabelbox, tmp_path: Path) -> None:
    """Airflow logs an error about an XCom that is not there, so the link comes from the options or the handle."""
    page = f"https://app.labelbox.com/projects/{fake.project_id}"
    start = start_of(fake)
    handle = start.execute(context_of())
    with some_dag():
        land = {"root": str(tmp_path)}
        whole = LabelboxExportToFileOperator(task_id="w", source=ProjectSource(project_id=fake.project_id), **land)
        later = LabelboxExportToFileOperator(task_id="l", export=handle, **land)
        other = DatasetExportOperator(task_id="d", dataset_id="cldataset0000000000000000")
    key: Any = None  # it is not read
    links = [LabelboxSourceLink().get_link(task, ti_key=key) for task in (start, whole, later, other)]
    assert links == [page, page, page, ""]
    wait = ExportTaskSensor(task_id="wait", export=handle)
    external = {"export_id": "cle1", "source": {"kind": "project", "id": fake.project_id}}
    for task in (wait, ExportTaskSensor(task_id="external", export=external)):
        assert isinstance(task.operator_extra_links[0], LabelboxSourceLink)
        assert LabelboxSourceLink().get_link(task, ti_key=key) == page
    later.export = {"v": 1}
    assert LabelboxSourceLink().get_link(later, ti_key=key) == ""
