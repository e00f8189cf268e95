"""docs/guarantees.md: each guarantee of the README, and the tests that name it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLAIMED = re.compile(r"^\| (G\d+) \| \*\*(.+?)\.\*\* (.*) \| \[test\]\((.+?)\) \|$", re.MULTILINE)

LAST = 13
"""Number of the last guarantee, claimed or not."""


def claimed() -> list[tuple[str, str, str, str]]:
    """Return number, sentence, the rest, and the test that begins with the sentence."""
    return CLAIMED.findall((ROOT / "README.md").read_text())


def guarantees() -> str:
    """Return a section for each guarantee that is claimed."""
    found = claimed()
    numbers = [number for number, *_ in found]
    missing = [f"G{number}" for number in range(1, LAST + 1) if f"G{number}" not in numbers]
    rest = f"Not claimed yet: {', '.join(missing)}." if missing else ""
    return "\n\n".join(filter(None, [*("\n".join(_section(*each)) for each in found), rest]))


def _section(number: str, sentence: str, rest: str, test: str) -> Iterator[str]:
    yield f"### {number}: {sentence}"
    yield ""
    yield re.sub(r"\]\(docs/", "](", re.sub(r"\]\((tests|benchmarks)/", r"](../\1/", rest))
    yield ""
    yield f"Tests: [the one that begins with this sentence](../{test})" + "".join(
        f", [{path.stem.removeprefix('test_').replace('_', ' ')}](../{path.relative_to(ROOT)})"
        for path in naming(number)
        if str(path.relative_to(ROOT)) != test
    )


def naming(number: str) -> list[Path]:
    """Return the tests that name a guarantee by its number."""
    named = re.compile(rf"\b{number}\b")
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [path for path in files if "docs" not in path.parts and named.search(path.read_text())]
