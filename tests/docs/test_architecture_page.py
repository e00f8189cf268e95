"""docs/architecture.md names modules, classes and threads that exist, and every folder of the package."""

from __future__ import annotations

import ast
import re

import pytest
from support.docs_names import PACKAGE, ROOT, exists, names_of

PAGE = (ROOT / "docs" / "architecture.md").read_text()
PROSE = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
PICTURES = re.findall(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)
OF_AIRFLOW = {"DateTimeTrigger"}
SOURCES = [path for path in sorted((ROOT / PACKAGE).rglob("*.py")) if "__pycache__" not in path.parts]


def definitions() -> set[str]:
    """Return the names of all classes and functions of the package."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for path in SOURCES for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


@pytest.mark.parametrize("name", sorted(names_of(PROSE)))
def test_every_module_and_folder_of_the_page_exists(name: str) -> None:
    assert exists(name), name


def test_every_folder_of_the_package_is_on_the_page() -> None:
    folders = {path.parent.relative_to(ROOT / PACKAGE).as_posix() + "/" for path in SOURCES} - {"./"}
    assert folders - names_of(PROSE) == set()


def test_every_class_of_the_page_exists() -> None:
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z0-9]+)+)\b[^`]*`", PROSE))
    in_pictures = set(re.findall(r"\b([A-Z][a-z]+(?:[A-Z][a-z]+)+)[:.]", "".join(PICTURES)))
    assert len(named) > 20
    assert (named | in_pictures) - definitions() - OF_AIRFLOW == set()


def test_a_name_in_a_module_is_defined_there() -> None:
    """`name` in `path.py`, and `name` (`path.py`)."""
    places = re.findall(r"`(\w+)`\s(?:in\s|\()`([\w/]+\.py)`", PROSE)
    assert len(places) > 15
    for name, path in places:
        source = (ROOT / PACKAGE / path).read_text()
        assert re.search(rf"^(?:class|def|async def) {name}\b", source, re.MULTILINE), f"{name} in {path}"


def test_threads_of_the_page_are_those_of_the_code() -> None:
    code = "".join(path.read_text() for path in SOURCES)
    threads = set(re.findall(r"threads (labelbox-\w+)", "".join(PICTURES)))
    assert len(threads) == 3
    assert {name for name in threads if f'thread_name_prefix="{name}"' not in code} == set()


def test_the_page_has_three_pictures_of_the_tree() -> None:
    """The first one shows the floors, with every top folder of the package."""
    assert len(PICTURES) == 3
    shown = set(re.findall(r"\b(\w+/)", PICTURES[0]))
    assert shown == {f"{path.parent.name}/" for path in SOURCES if path.parent.parent == ROOT / PACKAGE}


def test_the_order_of_the_floors_is_that_of_the_import_contract() -> None:
    """The table of folders lists them from the top, as the contract does."""
    contract = (ROOT / "pyproject.toml").read_text().split("[[tool.importlinter.contracts]]")[1]
    layers = re.findall(rf'^  "{PACKAGE}\.(.*)",$', contract, re.MULTILINE)
    floor = {name: place for place, layer in enumerate(layers) for name in layer.split(f" | {PACKAGE}.")}
    rows = re.findall(r"^\| (`.+?) \|", PAGE.partition("| folder |")[2].partition("\n\n")[0], re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+)(?:/|\.py)`", row) if name in floor]
    assert set(floor) - set(listed) == {"__main__"}
    places = [floor[name] for name in listed]
    assert places == sorted(places)


def test_questions_lead_to_sections_of_the_page() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^## (.+)$", PAGE, re.M)
    }
    linked = set(re.findall(r"\]\(#([\w-]+)\)", PAGE))
    assert len(linked) == 5
    assert linked <= anchors
