"""Pages are free of phrases that docs/glossary.md replaces; codespell, in `make lint`, has the single words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
PHRASES = re.compile(
    r"\b(?:legal (?:is|are)|(?:go|goes|going|gone) on with|(?:a|the|each|every) rows? at rest|taken? for (?:missing|a )"
    r"|(?:must not|may|could) pass for|is no (?:handle|JSON|valid)|mend(?:s|ed|ing)?|heal(?:s|ed|ing)?)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "glossary.md"], ids=lambda page: page.name)
def test_a_page_is_free_of_phrases_that_have_been_replaced(page: Path) -> None:
    """A phrase may go over the end of a line."""
    assert PHRASES.findall(" ".join(page.read_text().split())) == []


@pytest.mark.parametrize("phrase", ["legal are", "is gone on with", "a row at rest", "is no handle", "healed"])
def test_the_phrases_are_found(phrase: str) -> None:
    assert PHRASES.search(f"This {phrase} here.")
