"""The diagrams of docs/ as SVG, for the site, which loads nothing from elsewhere: `make pictures MERMAID=...`.

Each picture holds the digest of the text that it was drawn from; `tests/docs/test_the_site.py` compares.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)
DRAW = """async (text) => {
  mermaid.initialize({
    startOnLoad: false, theme: "neutral", htmlLabels: false, flowchart: {htmlLabels: false}, deterministicIds: true,
  });
  return (await mermaid.render("picture", text)).svg;
}"""


def digest_of(text: str) -> str:
    """Return what a picture holds of the text that it was drawn from."""
    return f"<!-- sha256:{hashlib.sha256(text.encode()).hexdigest()} -->"


def picture_of(page: str, number: int) -> str:
    """Return the path of a picture below docs/."""
    return f"pictures/{page.removesuffix('.md')}-{number}.svg"


def pictures() -> dict[str, str]:
    """Return the texts of all diagrams by the path of their picture."""
    return {
        picture_of(page.name, number): text
        for page in sorted(DOCS.glob("*.md"))
        for number, text in enumerate(FENCE.findall(page.read_text()), start=1)
    }


def draw(mermaid: Path, browser: str | None) -> None:
    """Draw all diagrams again with Mermaid in a headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened: Any = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page()
        page.set_content("<html><body></body></html>")
        page.add_script_tag(path=str(mermaid))
        for name, text in pictures().items():
            path = DOCS / name
            path.parent.mkdir(exist_ok=True)
            svg = page.evaluate(DRAW, text).replace('style="', 'style="background: white; ', 1)
            path.write_text(f"{digest_of(text)}\n{svg}\n")
        opened.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
