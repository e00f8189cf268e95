"""docs/testing-your-dag.md does what it says: every file on the page is run as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

# Imported here, since pytester forgets what tests inside of it import, and Airflow takes seconds to import.
from labelbox_export_provider import ExportTask, LabelboxHook
from labelbox_export_provider.testing import FakeLabelbox, generate_rows

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parents[2] / "docs" / "testing-your-dag.md"
TEXT = PAGE.read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w/]+\.py)`\n\n```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))
RUN_UNDER_AIRFLOW = ("dags/nightly.py", "test_nightly.py")


def test_every_python_sample_is_run() -> None:
    """Every python sample of the page is a file that is run here."""
    assert len(FILES) == TEXT.count("```python") == 6
    assert all(name == "conftest.py" or name.startswith("test_") or name in RUN_UNDER_AIRFLOW for name in FILES)


@pytest.mark.thorough
def test_the_tests_of_the_page_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(ExportTask)
    assert callable(LabelboxHook)
    monkeypatch.delenv("AIRFLOW_CONN_LABELBOX_DEFAULT", raising=False)
    for name, content in FILES.items():
        if name not in RUN_UNDER_AIRFLOW:
            (pytester.path / name).write_text(content, encoding="utf-8")
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=7)


def test_the_page_names_what_there_is() -> None:
    from labelbox_export_provider.testing import FakeLabelbox
    from labelbox_export_provider.testing.__main__ import _parser

    members = set(re.findall(r"`fake\.(\w+)", TEXT))
    assert members >= {"exports", "expected_rows", "rows_for", "requests", "edit", "change"}
    assert members <= {*dir(FakeLabelbox), "requests", "faults"}
    options = {text for action in _parser()._actions for text in action.option_strings}
    assert set(re.findall(r"(--[a-z-]+)", TEXT)) <= options


@pytest.mark.thorough
def test_the_dag_of_the_page_passes_its_test_under_airflow(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(tmp_path / "dags"),
    }
    (tmp_path / "dags").mkdir()
    for name in ("conftest.py", *RUN_UNDER_AIRFLOW):
        (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    for command in (["airflow", "db", "migrate"], ["pytest", "-p", "no:cacheprovider", "test_nightly.py"]):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "1 passed" in done.stdout


CALLS = re.findall(r"curl -X POST http://127\.0\.0\.1:8765(/_fake/[a-z]+) -d '(\{.*\})'", TEXT)


@pytest.mark.parametrize(("path", "body"), CALLS, ids=[path for path, _ in CALLS])
def test_a_call_of_the_admin_api_is_answered(path: str, body: str) -> None:
    with FakeLabelbox(generate_rows(2)) as fake:
        content = json.loads(body)
        given = {"api_key": fake.api_key, "row_id": fake.row_ids()[0]}
        content |= {name: value for name, value in given.items() if name in content}
        answer = httpx.post(f"{fake.base_url}{path}", json=content, trust_env=False)
    assert answer.status_code == 200, answer.text


def test_every_call_of_the_admin_api_has_an_example() -> None:
    assert sorted(path for path, _ in CALLS) == ["/_fake/behaviour", "/_fake/edit", "/_fake/faults", "/_fake/revoke"]
