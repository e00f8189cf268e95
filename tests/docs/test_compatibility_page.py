"""What docs/compatibility.md promises about versions is what the bounds and the constraint files hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parents[2]
LINES = sorted((HERE / "constraints").glob("airflow-*.txt"))
PIN = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!+]+)( ; .+)?")
PAGE = HERE / "docs" / "compatibility.md"
PROJECT = (HERE / "pyproject.toml").read_text()
NEWEST_OF_ALL = {"isal", "graphql-core", "pytest"}
"""What Airflow's own files do not pin."""


def pins(path: Path, python: str = "3.10") -> dict[str, str]:
    """The versions that a file holds for one Python."""
    found: dict[str, str] = {}
    for line in path.read_text().splitlines():
        pin = PIN.fullmatch(line)
        assert pin, f"{path.name}: {line!r} is not name==version"
        place = {"python_full_version": f"{python}.0", "python_version": python, "sys_platform": "linux"}
        if pin[3] is None or Marker(pin[3].removeprefix(" ; ")).evaluate(place):
            found[canonicalize_name(pin[1])] = pin[2]
    return found


def requirements() -> list[Requirement]:
    """The runtime dependencies, with those of all extras; read without tomllib, which Python 3.10 lacks."""
    project = PROJECT.partition("[project.entry-points")[0].partition("dependencies = [")[2]
    return [
        requirement
        for text in re.findall(r'"([a-z][^"]*>=[^"]*)"', project)
        if (requirement := Requirement(text)).name != "airflow-provider-labelbox-export"
    ]


@pytest.mark.parametrize("line", LINES, ids=lambda path: path.stem)
def test_every_bound_fits_the_line(line: Path) -> None:
    """A bound above what an official file pins would keep anybody from installing under it."""
    found = pins(line, "3.11")
    too_high = [
        f"{requirement}, and {line.name} has {found[canonicalize_name(requirement.name)]}"
        for requirement in requirements()
        if requirement.name not in NEWEST_OF_ALL
        and not requirement.specifier.contains(found[canonicalize_name(requirement.name)], prereleases=True)
    ]
    assert len(requirements()) > 10
    assert too_high == []


def test_every_provider_that_is_imported_is_declared() -> None:
    """As a dependency, or as the extra of the one module that imports it."""
    found: set[str] = set()
    for path in (HERE / "labelbox_export_provider").rglob("*.py"):
        found.update(re.findall(r"from airflow\.providers\.(\w+)", path.read_text()))
    declared = {requirement.name for requirement in requirements()}
    assert found == {"amazon", "google", "openlineage", "standard"}
    assert {f"apache-airflow-providers-{name}" for name in found} <= declared


@pytest.mark.parametrize("line", LINES, ids=lambda path: path.stem)
def test_every_line_is_in_the_table(line: Path) -> None:
    """A constraint file is named after the Airflow that it pins, and the page says what was seen with it."""
    version = line.stem.removeprefix("airflow-")
    assert pins(line, "3.11")["apache-airflow"] == version
    assert re.search(rf"^\| {re.escape(version)}\b", PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", "docs/compatibility.md"])
def test_install_lines_name_a_constraint_file(page: str) -> None:
    """The file is that of the Airflow which the same line installs."""
    text = (HERE / page).read_text()
    assert re.findall(
        r"'apache-airflow==([\d.]+)' \\\n  --constraint \S+/constraints-(\1)/constraints-3\.\d+\.txt", text
    )
