"""The workflows and hooks of the repository run what the Makefile, the noxfile and the constraint files have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS: dict[str, Any] = {
    path.stem: yaml.safe_load(path.read_text()) for path in ROOT.glob(".github/workflows/*.yml")
}
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z0-9-]+): ", MAKEFILE, re.MULTILINE))
PROJECT = (ROOT / "pyproject.toml").read_text()

pytestmark = pytest.mark.skipif(not WORKFLOWS, reason="a source distribution has no workflows")


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_is_a_workflow_for_changes_docs_and_releases() -> None:
    assert set(WORKFLOWS) == {"ci", "docs", "release"}


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/**/*.yml")), ids=lambda path: path.name)
def test_every_file_is_valid_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_command_of_make_is_a_target(name: str) -> None:
    workflow = WORKFLOWS[name]
    called = {target for step in steps(workflow) for target in re.findall(r"\bmake ([a-z0-9-]+)", step.get("run", ""))}
    for job in workflow["jobs"].values():
        called |= set(job.get("strategy", {}).get("matrix", {}).get("target", ()))
    assert called - TARGETS == set()


def test_unit_tests_run_on_every_python_that_is_promised() -> None:
    promised = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT)
    assert WORKFLOWS["ci"]["jobs"]["unit"]["strategy"]["matrix"]["python"] == promised


def test_every_line_of_airflow_is_run_with_its_pythons() -> None:
    noxfile = (ROOT / "noxfile.py").read_text()
    lines = re.findall(r'^    Line\("([^"]+)".*?\((["3., 0-9]+?),?\)', noxfile, re.MULTILINE)
    job = WORKFLOWS["ci"]["jobs"]["line"]
    assert job["strategy"]["matrix"]["line"] == [name for name, _ in lines]
    [setup] = [step["with"]["python-version"] for step in job["steps"] if "setup-python" in step.get("uses", "")]
    needed = {python for _, pythons in lines for python in re.findall(r"3\.\d+", pythons)}
    assert set(setup.split()) == needed


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_job_has_more_rights_than_it_names(name: str) -> None:
    """Only attesting and publishing ask for more than reading, and only they hold an identity."""
    assert WORKFLOWS[name]["permissions"] in ({}, {"contents": "read"})
    jobs = WORKFLOWS[name]["jobs"]
    assert {job for job, body in jobs.items() if "write" in body.get("permissions", {}).values()} <= {
        "attest",
        "publish",
    }


def test_hooks_have_the_versions_of_the_constraint_file() -> None:
    pins = dict(re.findall(r"^([a-z-]+)==([\d.]+)", (ROOT / "constraints" / "dev.txt").read_text(), re.MULTILINE))
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    of_project = {"ruff-pre-commit": "ruff", "codespell": "codespell", "zizmor-pre-commit": "zizmor"}
    versions = {
        of_project.get(hook["repo"].rpartition("/")[2]): hook.get("rev", "").removeprefix("v") for hook in hooks
    }
    for tool in of_project.values():
        assert versions[tool] == pins[tool]
