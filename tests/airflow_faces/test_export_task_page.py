"""docs/export-task-in-python.md does what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from labelbox_export_provider import LabelboxHook
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import ErrorRows

PAGE = Path(__file__).parents[2] / "docs" / "export-task-in-python.md"
SAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_samples_of_the_page_run_in_their_order(
    fake: FakeLabelbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every sample runs after those before it and does what the page says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LABELBOX_API_KEY", fake.api_key)
    fake.faults.add(ErrorRows(lines=('{"error": "no such file"}',)))
    names: dict[str, Any] = {"__name__": "the_page"}
    assert len(SAMPLES) == 7
    for sample in SAMPLES:
        # The only thing that is not as on the page.
        code = sample.replace("https://api.labelbox.com/graphql", fake.endpoint)
        exec(compile(code, str(PAGE), "exec"), names)

    (export,) = fake.exports
    expected_rows = fake.rows_for(like=export.export_id)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == '{"error": "no such file"}'
    assert printed[1 : 1 + len(expected_rows)] == [json.loads(row)["data_row"]["id"] for row in expected_rows]
    assert f"line count:  {len(expected_rows)}" in printed
    assert f"file size:  {export.result_bytes}" in printed
    assert (tmp_path / "export.ndjson").read_bytes() == b"".join(row + b"\n" for row in expected_rows)
    assert json.loads((tmp_path / "export.json").read_text()) == [json.loads(row) for row in expected_rows]
    assert printed[-2] == repr(expected_rows[-1])
    assert f"with_offset({export.result_bytes}) is outside of the stream" in printed[-1]
    labels = sum(len(project["labels"]) for row in expected_rows for project in json.loads(row)["projects"].values())
    assert names["count_labels"].function(export.export_id) == labels > 0
    names["client"].close()


def test_the_hook_closes_the_client_that_it_opened_for_a_task(fake: FakeLabelbox) -> None:
    hook = LabelboxHook()
    from labelbox_export_provider import ExportTask
    from labelbox_export_provider.domain.request.sources import ProjectSource

    with hook.get_conn() as client:
        uid = ExportTask.start(client, ProjectSource(project_id=fake.project_id)).uid
    with hook.get_export_task(uid) as task:
        assert task.status == "COMPLETE"
    with pytest.raises(RuntimeError, match="closed"):
        task.refresh()
    assert "Airflow/" in fake.requests.api[-1].headers["user-agent"]
