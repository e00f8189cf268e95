"""Every address in the built site: those of the site lead somewhere, and no page loads anything from elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("object", "data")}
"""What a browser loads by itself; anything else is loaded when somebody clicks."""


class _Page(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[str, str, str]] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"id", "name"} and value:
                self.anchors.add(value)
            if name in {"href", "src", "data"} and value:
                self.links.append((tag, name, value))


def faults(site: Path) -> Iterator[str]:
    """Yield a line for each address that leads nowhere, or makes a browser ask another server."""
    pages = {path: _Page(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        for tag, name, address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if (tag, name) in LOADED and parts.scheme != "data":
                    yield f"{path.relative_to(site)}: loads {address}"
                continue
            folder = site if parts.path.startswith("/") else path.parent
            target = (folder / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
            if not target.exists() or target.is_dir():
                yield f"{path.relative_to(site)}: {address} leads nowhere"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{path.relative_to(site)}: {address} has no such heading"


def main(site: Path) -> int:
    """Print what is wrong; return the exit code."""
    found = list(faults(site.resolve()))
    for line in found:
        print(line)
    print(f"{len(found)} faults in {len(list(site.rglob('*.html')))} pages")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
