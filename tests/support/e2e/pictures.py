"""Pictures for the documentation, which browser tests take where `LABELBOX_PICTURES` names a directory.

`make screenshots` takes all of them. None shows anything of the machine: what a page has of it is replaced first.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwright.sync_api import FloatRect, Locator, Page

Theme = Literal["light", "dark"]
BOTH: tuple[Theme, ...] = ("light", "dark")
DIRECTORY = os.environ.get("LABELBOX_PICTURES")
REPLACE = """(pairs) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    for (const [found, shown] of pairs) texts.currentNode.data = texts.currentNode.data.replaceAll(found, shown);
  }
}"""


class Picture(NamedTuple):
    """How large the page is, and in which themes it is taken."""

    width: int
    height: int
    themes: tuple[Theme, ...] = ("light",)


PICTURES = {
    "connection-form": Picture(1100, 900),
    "landed": Picture(1200, 620),
    "links": Picture(1200, 900),
    "windows-many": Picture(1200, 560, BOTH),
    "windows-one": Picture(1100, 760, BOTH),
}
"""Their names without the theme."""


def take_picture(
    page: Page, name: str, *, style: str = "", replace: Mapping[str, str] | None = None, to: Locator | None = None
) -> None:
    """Take a picture in each of its themes: of the page, or of its part down to `to`.

    `replace` are texts of this machine, and what is shown for them.
    """
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
        page.evaluate(REPLACE, list((replace or {}).items()))
        box = to.bounding_box() if to else None
        bottom = box["y"] + box["height"] + 20 if box else height
        clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": min(bottom, height)}
        page.screenshot(path=Path(DIRECTORY) / f"{name}-{theme}.png", clip=clip)


def files() -> set[str]:
    """Return the names of the files that `make screenshots` writes."""
    return {f"{name}-{theme}.png" for name, picture in PICTURES.items() for theme in picture.themes}
