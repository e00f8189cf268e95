"""What this package cannot prevent stands on the page where a user looks for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labelbox_export_provider.domain.windows.advice import NEW_DAG_ID

ROOT = Path(__file__).parents[2]
WEAKER = ("task state store", "`on_kill`", "`cancel_on_kill=True`", "`PartitionWindow`")
LIMITS = {
    "a date before start_date": ("testing-your-dag.md", ("before the DAG's `start_date`", "`airflow dags test`")),
    "the day on which clocks go forward": (
        "windows.md",
        ("by hand on the day on which clocks go forward", "zero width"),
    ),
    "the Test icon": ("connection.md", ("host or port to test differs", "443 as the port")),
    "an asset's address": ("transfers.md", ('`Asset("s3://...")`', "at every parse")),
}


def text(page: str) -> str:
    """The page without its line breaks."""
    return " ".join((ROOT / "docs" / page).read_text().split())


@pytest.mark.parametrize(("page", "words"), LIMITS.values(), ids=LIMITS)
def test_a_page_states_the_limit(page: str, words: tuple[str, ...]) -> None:
    """Airflow or Labelbox decide it, so the page says what happens and what to do."""
    assert [each for each in words if each not in text(page)] == []


def test_what_is_weaker_below_3_3_is_stated() -> None:
    """The page names what each older Airflow lacks, and the option that has no effect there."""
    table = text("compatibility.md").partition("## What is weaker below 3.3")[2].partition("\n## ")[0]
    assert [each for each in WEAKER if each not in table] == []


def test_the_advice_names_a_heading_that_exists() -> None:
    """The message of a refused run leads to the section with the steps."""
    found = re.search(r"\((docs/[\w-]+\.md), '(.+?)'\)", NEW_DAG_ID)
    assert found
    assert f"\n## {found[2]}\n" in (ROOT / found[1]).read_text()


def test_the_testing_extra_brings_pytest() -> None:
    """The plugin and the page about tests need it; `pip install '...[testing]'` is all that they ask for."""
    extras = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2]
    found = re.search(r"^testing = \[(.*)\]$", extras, re.MULTILINE)
    assert found
    assert re.search(r'"pytest>=', found[1])
