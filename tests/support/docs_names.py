"""Names of modules, files and code that a page of the docs mentions, looked up in the tree."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "labelbox_export_provider"
IN_A_STORE = {"data/", "errors/", "uris/", "manifests/"}
_QUOTED = re.compile(r"`([^`\n]+)`")
_DOTTED = re.compile(rf"{PACKAGE}(?:\.\w+)+")
_PATH = re.compile(r"(?:[\w.-]+/)+(?:[\w-]+\.\w+)?")


def names_of(text: str) -> set[str]:
    """Return the dotted names of this package and the paths with a slash that stand in backticks."""
    quoted = _QUOTED.findall(text)
    return {name for name in quoted if _DOTTED.fullmatch(name) or _PATH.fullmatch(name)} - IN_A_STORE


def exists(name: str) -> bool:
    """Return whether a module, a name inside a module, or a path is there.

    A path counts from the project's folder or from the package.
    """
    if "/" in name:
        return any((folder / name).exists() for folder in (ROOT, ROOT / PACKAGE))
    module, attributes = name, list[str]()
    while "." in module:
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, attribute = module.rpartition(".")
            attributes.insert(0, attribute)
            continue
        for attribute in attributes:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False
