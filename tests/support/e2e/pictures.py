"""Pictures for the documentation, which browser tests take where `LABELBOX_PICTURES` names a directory.

`make screenshots` takes all of them. None shows anything of the machine: what a page has of it is replaced first.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Page

Theme = Literal["light", "dark"]
BOTH: tuple[Theme, ...] = ("light", "dark")
DIRECTORY = os.environ.get("LABELBOX_PICTURES")
REPLACE = """([found, shown]) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(found, shown);
}"""


class Picture(NamedTuple):
    """How large the page is, and in which themes it is taken."""

    width: int
    height: int
    themes: tuple[Theme, ...] = ("light",)


PICTURES = {
    "connection-form": Picture(1100, 900),
    "landed": Picture(1100, 620),
    "windows-many": Picture(1200, 560, BOTH),
    "windows-one": Picture(1100, 760, BOTH),
}
"""Their names without the theme."""


def take_picture(page: Page, name: str, *, style: str = "", replace: tuple[str, str] | None = None) -> None:
    """Take a picture in each of its themes; `replace` is text of this machine, and what is shown for it."""
    from playwright.sync_api import expect

    if not DIRECTORY:
        return
    width, height, themes = PICTURES[name]
    page.set_viewport_size({"width": width, "height": height})
    if style:
        page.add_style_tag(content=style)
    page.mouse.move(0, 0)
    for theme in themes:
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_class(re.compile(theme))
        if replace:
            page.evaluate(REPLACE, list(replace))
        page.screenshot(path=Path(DIRECTORY) / f"{name}-{theme}.png")


def files() -> set[str]:
    """Return the names of the files that `make screenshots` writes."""
    return {f"{name}-{theme}.png" for name, picture in PICTURES.items() for theme in picture.themes}
