"""MkDocs hooks: what the site has besides docs/, and links that work both in the repository and on the site.

The README is the home page. A file of the repository that a page links to becomes a page below repository/, with its
own links; reference/ is made from the lists of public names. Diagrams are shown as the pictures drawn of them.
"""

from __future__ import annotations

import importlib
import posixpath
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File
from pydantic import BaseModel
from support.docs_pictures import FENCE, picture_of

ROOT = Path(__file__).parents[2]
PACKAGE = "labelbox_export_provider"
EXTRA_PAGES = ("SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md")
REFERENCE: dict[str, tuple[str, ...]] = {
    "operators": ("transfers.base", "streaming.landing.options"),
    "sources": ("domain.request.sources", "params", "domain.windows.windows", "execution.dag_run"),
    "python": ("hooks.labelbox", "export_task.task", "client.types", "client", "triggers.export_task"),
    "errors": ("errors",),
    "sinks": ("sinks",),
    "testing": ("testing",),
}
"""Pages of the reference, by the modules whose public names are on them; all other public names are on the first."""
_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are not below docs/."""
    pages = {"index.md": (ROOT / "README.md").read_text()}
    pages |= {f"reference/{name}.md": text for name, text in reference().items()}
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    waiting = [*EXTRA_PAGES, *(path for file in files.documentation_pages() for path in _elsewhere(file))]
    known = {"README.md"}
    while waiting:
        path = waiting.pop()
        if path in known or not (ROOT / path).is_file():
            continue
        known.add(path)
        file = File.generated(config, page_of(path), content=_as_page(path))
        files.append(file)
        waiting += _elsewhere(file)
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Let links to files of the repository lead to their pages, and show pictures of diagrams."""
    del config, files
    uri = page.file.src_uri
    origin = source_of(uri)

    def moved(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), match[1]))
        target = page_of(path)
        return posixpath.relpath(target, posixpath.dirname(uri) or ".") + (match[2] or "")

    numbers = iter(range(1, 100))
    markdown = FENCE.sub(lambda _: f"![The diagram]({picture_of(page.file.name + '.md', next(numbers))})", markdown)
    markdown = markdown.replace("<details>", "<details markdown>")
    if uri.startswith("reference/"):
        return markdown
    return "".join(part if is_code else _LINK.sub(moved, part) for is_code, part in _parts(markdown))


def page_of(path: str) -> str:
    """Return the page of a file of the repository."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path == "README.md":
        return "index.md"
    return f"repository/{path}" if path.endswith(".md") else f"repository/{path}.md"


def source_of(uri: str) -> str:
    """Return the file of the repository that a page is made from."""
    if uri == "index.md":
        return "README.md"
    if not uri.startswith("repository/"):
        return f"docs/{uri}"
    path = uri.removeprefix("repository/")
    return path if (ROOT / path).is_file() else path.removesuffix(".md")


def reference() -> dict[str, str]:
    """Return the pages of the reference: each public name, and what mkdocstrings reads in the code about it."""
    package = importlib.import_module(PACKAGE)
    placed = {module for modules in REFERENCE.values() for module in modules}
    others = tuple(module for module in package._PUBLIC_NAMES if module not in placed)  # the one list of them
    pages = {**REFERENCE, "operators": (*others, *REFERENCE["operators"])}
    return {page: _reference_page(page, modules) for page, modules in pages.items()}


def _reference_page(page: str, modules: tuple[str, ...]) -> str:
    title = page.capitalize() if page != "sources" else "Sources and windows"
    entries = [_entry(name) for module in modules for name in _public_names(module)]
    return f"# {title}\n\n" + "\n\n".join(entries) + "\n"


def _entry(name: str) -> str:
    """Return what mkdocstrings reads of a name; of a model also its fields, those of its bases included."""
    module, _, member = name.rpartition(".")
    model = getattr(importlib.import_module(module), member)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return f"::: {name}"
    rows = [
        f"| `{field}` | {_default(info)} |" for field, info in model.model_fields.items() if field not in {"kind", "v"}
    ]
    head = f"::: {name}\n    options:\n      members: false\n"
    return "\n".join([head, "| field | default |", "|---|---|", *rows]) if rows else head


def _default(info: Any) -> str:
    if info.is_required():
        return "required"
    made = info.default_factory
    if made is not None:
        return f"`{made.__name__}()`"
    return f"`{info.default}`" if isinstance(info.default, timedelta) else f"`{info.default!r}`"


def _public_names(module: str) -> Iterator[str]:
    """Yield where the public names of a module are defined; of the errors all classes are public."""
    loaded = importlib.import_module(f"{PACKAGE}.{module}")
    if module == "errors":
        names = [name for name, value in vars(loaded).items() if isinstance(value, type)]
    else:
        listed = importlib.import_module(PACKAGE)._PUBLIC_NAMES.get(module)  # the one list of them
        names = listed or getattr(loaded, "__all__", None) or _own_classes(loaded)
    for name in names:
        home = getattr(getattr(loaded, name), "__module__", loaded.__name__)
        yield f"{home if home.startswith(PACKAGE) else loaded.__name__}.{name}"


def _own_classes(module: Any) -> list[str]:
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    return [kind.__name__ for kind in classes if kind.__module__ == module.__name__ and kind.__name__[0] != "_"]


def _elsewhere(file: Any) -> list[str]:
    """Return the files outside of docs/ that a page links to."""
    if file.src_uri.startswith("reference/"):
        return []
    folder = posixpath.dirname(source_of(file.src_uri))
    text = "".join(part for is_code, part in _parts(file.content_string) if not is_code)
    paths = (posixpath.normpath(posixpath.join(folder, link)) for link, _ in _LINK.findall(text))
    return [path for path in paths if not path.startswith("docs/")]


def _as_page(path: str) -> str:
    text = (ROOT / path).read_text()
    if path.endswith(".md"):
        return text
    kind = {".py": "python", ".toml": "toml", ".yml": "yaml"}.get(posixpath.splitext(path)[1], "text")
    return f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n````{kind}\n{text}````\n"


def _parts(markdown: str) -> Iterator[tuple[bool, str]]:
    """Yield the pieces of a page and whether each is a block of code, in which nothing is a link."""
    for number, part in enumerate(re.split(r"(^(````?)[^\n]*\n.*?^\2$)", markdown, flags=re.MULTILINE | re.DOTALL)):
        if number % 3 != 2:  # the fence alone, which the block holds as well
            yield number % 3 == 1, part
