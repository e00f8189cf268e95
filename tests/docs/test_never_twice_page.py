"""docs/never-twice.md: its example of task code starts what it says."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time.context import set_current_context  # what a task runner calls
from support.airflow.tasks import StateStore, TaskInstance, context_of

from labelbox_export_provider.testing import FakeLabelbox, generate_rows

PAGE = Path(__file__).parents[2] / "docs" / "never-twice.md"


def test_the_example_adopts_in_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tries of the function on the page start one export of its filter and window."""
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # the page's own code
    store = StateStore()
    with FakeLabelbox(generate_rows(20, start=date(2026, 11, 22), days=2)) as fake:
        for name, value in fake.airflow_environment().items():
            monkeypatch.setenv(name, value)
        handles = []
        for number in (1, 2):
            ti = TaskInstance(task_id="start", try_number=number)
            with set_current_context(context_of("start", store=store, ti=ti)):
                handles.append(names["start"].function(fake.project_id))
        [export] = fake.exports
    assert [handle["adopted"] for handle in handles] == [False, True]
    assert handles[0]["export_id"] == handles[1]["export_id"] == export.export_id
    assert handles[0]["window"]["start"] == "2026-11-22T02:00:00Z"
