"""A source that Labelbox denies: its task fails, or is skipped where that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.airflow.one_task import Run
from support.airflow.tasks import context_of

from labelbox_export_provider import LabelboxExportToFileOperator, ProjectExportOperator
from labelbox_export_provider.airflow_compat import AirflowFailException, AirflowSkipException, TaskDeferred
from labelbox_export_provider.errors import AuthorizationError, NotFoundError
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import GraphQLErrorAnswer, SlowExport


def deny(fake: FakeLabelbox, how: str) -> type[Exception]:
    """Let the fake deny its project; return the error of it."""
    if how == "deleted":
        fake.delete_project(fake.project_id)
        return NotFoundError
    fake.deny_project(fake.project_id)
    return AuthorizationError


def task_of(form: str, project_id: str, root: Path, **options: Any) -> Any:
    if form == "start":
        return ProjectExportOperator(task_id="start", project_id=project_id, **options)
    source = {"kind": "project", "project_id": project_id}
    return LabelboxExportToFileOperator(task_id="land", source=source, root=root, **options)


@pytest.mark.parametrize("how", ["deleted", "denied"])
@pytest.mark.parametrize("form", ["start", "land"])
@pytest.mark.parametrize("options", [{}, {"on_denied": "skip_task"}], ids=["fail", "skip_task"])
def test_a_denied_source_fails_or_is_skipped_as_asked(
    fake: FakeLabelbox, tmp_path: Path, form: str, how: str, options: dict[str, Any]
) -> None:
    """In both cases with the report: which project, and what to do. Nothing is started and nothing is written."""
    ends = AirflowSkipException if options else AirflowFailException
    task = task_of(form, fake.project_id, tmp_path, **options)
    project_id, error = fake.project_id, deny(fake, how)
    with pytest.raises(ends) as ending:
        task.execute(context_of(form))
    assert type(ending.value) is ends
    assert isinstance(ending.value.__cause__, error)
    text = str(ending.value)
    assert f"  source:    project {project_id}\n" in text
    assert "  to do:     " in text
    assert ("on_denied is 'skip_task'" in text) == bool(options)
    assert fake.exports == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("form", ["start", "land"])
def test_a_key_that_is_not_accepted_is_never_skipped(fake: FakeLabelbox, tmp_path: Path, form: str) -> None:
    task = task_of(form, fake.project_id, tmp_path, on_denied="skip_task")
    fake.revoke(fake.api_key)
    with pytest.raises(AirflowFailException):
        task.execute(context_of(form))


def test_a_refusal_for_another_reason_is_never_skipped(fake: FakeLabelbox, tmp_path: Path) -> None:
    task = task_of("land", fake.project_id, tmp_path, on_denied="skip_task")
    fake.faults.add(GraphQLErrorAnswer(operation="exportDataRowsInProject", code="GRAPHQL_VALIDATION_FAILED"))
    with pytest.raises(AirflowFailException):
        task.execute(context_of("land"))


def test_a_project_deleted_while_its_export_runs_is_landed(
    fake: FakeLabelbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export exists, whatever becomes of its project; a retry adopts it."""
    fake.faults.add(SlowExport(seconds=0.2))
    source = {"kind": "project", "project_id": fake.project_id}
    options: dict[str, Any] = {"root": str(tmp_path), "poke_interval": 0.01, "on_denied": "skip_task"}
    run = Run(lambda: LabelboxExportToFileOperator(task_id="land", source=source, **options), monkeypatch)
    rows = len(fake.row_ids())
    with pytest.raises(TaskDeferred):
        run.execute()
    fake.delete_project(fake.project_id)
    assert run.retried().to_the_end()["rows"] == rows > 0
