"""docs/glossary.md defines the words of the project once, and names modules that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.docs_names import exists, names_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "glossary.md").read_text()
DEFINITION = re.compile(r"^\| \*\*(.+?)\*\* \| (.+?) \| `(.+?)` \|$", re.MULTILINE)
WORDS = (
    "export, export task, source, stream, file, row, window, handle, generation, clear count, object, part, block, "
    "member, segment, manifest, land, settle, look-back, adopt"
)


def test_every_word_is_defined_once() -> None:
    defined = [word for word, _, _ in DEFINITION.findall(PAGE)]
    assert set(WORDS.split(", ")) <= set(defined)
    assert len(defined) == len(set(defined))


@pytest.mark.parametrize("name", sorted(names_of(PAGE)))
def test_every_module_of_the_page_exists(name: str) -> None:
    assert exists(name), name


def test_words_that_codespell_refuses_are_listed_on_the_page() -> None:
    """A word that `make lint` refuses has its reason on the page, in some form of it."""
    _, _, not_used = PAGE.partition("## Words we do not use")
    listed = not_used.lower()
    for line in (ROOT / "tests" / "codespell-dictionary.txt").read_text().splitlines():
        word, arrow, instead = line.partition("->")
        assert arrow, line
        assert instead, line
        if "_" not in word:
            assert re.sub(r"(?:ing|ed|s)$", "", word) in listed, word
