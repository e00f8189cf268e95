"""What the README and the docs promise is there: links, the example DAG, and a test for every guarantee."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.docs_names import exists, names_of

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = re.findall(r"<!-- (dags_examples/\S+) -->\n```python\n(.*?)```", README, re.DOTALL)
GUARANTEE = re.compile(r"^\| (G\d+) \| \*\*(.+?)\.\*\* .* \| \[test\]\((.+?)\) \|$", re.MULTILINE)


@pytest.mark.parametrize(("number", "sentence", "file"), GUARANTEE.findall(README))
def test_every_guarantee_links_to_a_test_whose_first_sentence_it_is(number: str, sentence: str, file: str) -> None:
    docstring = rf'"""{re.escape(sentence)}\.("""|\n)'
    assert re.search(docstring, (ROOT / file).read_text()), number


def test_all_guarantees_that_are_claimed_are_in_the_table() -> None:
    """None is promised without a test."""
    assert [number for number, _, _ in GUARANTEE.findall(README)] == [f"G{n}" for n in range(1, 14)]


@pytest.mark.parametrize(("name", "block"), EXAMPLES)
def test_a_dag_in_the_readme_is_an_example_that_the_tests_run(name: str, block: str) -> None:
    example = (ROOT / name).read_text()
    assert example.endswith(block)
    assert example.index("from __future__") == len(example) - len(block)


def test_the_readme_shows_one_task_for_all_and_three_tasks() -> None:
    assert [name.rpartition("_project_")[2] for name, _ in EXAMPLES] == ["one_task.py", "nightly.py"]


def test_the_contributing_page_names_paths_that_exist() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    named = names_of(page) | set(re.findall(r"tests/[\w/]+\.py", page))
    assert len(named) >= 3
    assert {name for name in named if not exists(name)} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_leads_to_every_page_by_task() -> None:
    _, _, index = README.partition("\n## By task\n")
    linked = re.findall(r"\]\(docs/([\w-]+\.md)\)", index.partition("\n## ")[0])
    assert sorted(linked) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))


def test_the_environment_is_made_before_the_demo() -> None:
    first = re.search(r"```\n(make .*?)```", README, re.DOTALL)
    assert first
    assert first[1].split("\n")[:2] == ["make install", "make demo"]


def test_the_commands_in_the_readme_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|\n)make ([a-z0-9-]+)", README + (ROOT / "CONTRIBUTING.md").read_text()))
    assert named - targets == set()
