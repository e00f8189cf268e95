"""docs/troubleshooting.md: every error class, with the messages of `tests/snapshots/`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from support import snapshots

from labelbox_export_provider import errors
from labelbox_export_provider.errors import LabelboxExportError

MAX_MESSAGE = 150
OF_LOOKUPS: dict[type[LabelboxExportError], list[tuple[str, str, str]]] = {
    errors.ListChangedError: [
        ("The list of projects moved during each of 5 reads", "looks them up again", "nothing while retries are left")
    ]
}
"""Of the hook's look-ups, which tasks of a user's own make."""


def classes() -> list[type[LabelboxExportError]]:
    """Return all error classes, each after its base."""

    def below(kind: type[LabelboxExportError]) -> Iterator[type[LabelboxExportError]]:
        yield kind
        for child in kind.__subclasses__():
            if child.__module__ == errors.__name__:
                yield from below(child)

    return list(below(LabelboxExportError))


def messages() -> str:
    """Return a section for each class: what it means, how its messages begin, what to do."""
    return "\n\n".join("\n".join(_section(kind)) for kind in classes())


def _section(kind: type[LabelboxExportError]) -> Iterator[str]:
    yield f"### {kind.__name__}"
    yield ""
    yield as_code(" ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split()))
    children = [f"[{child.__name__}](#{child.__name__.lower()})" for child in kind.__subclasses__()]
    found = sorted({*_of(kind), *OF_LOOKUPS.get(kind, ())})
    if not found:
        yield f"A task fails with one of its kinds: {', '.join(children)}."
        return
    yield ""
    yield "| the message begins with | Airflow's retry | what to do |"
    yield "|---|---|---|"
    for cells in found:
        yield f"| {' | '.join(cells)} |"


def as_code(text: str) -> str:
    """Return a docstring's sentence as a page has it."""
    return text.replace("{", "&#123;")


def _of(kind: type[LabelboxExportError]) -> Iterator[tuple[str, str, str]]:
    names = {re.sub(r"(?<!^)(?=[A-Z])", "_", each.__name__).lower(): each for each in classes()}
    for file in sorted(snapshots.FOLDER.glob("*.txt")):
        prefix = max((name for name in names if file.stem.startswith(f"{name}_")), key=len, default=None)
        if prefix is None or names[prefix] is not kind:
            continue
        _, first, *lines = snapshots.read(file.stem).splitlines()
        shown = first[:MAX_MESSAGE] + ("…" if len(first) > MAX_MESSAGE else "")
        yield _cell(shown), _cell(_fact("retry", lines)), _cell(_fact("to do", lines))


def _fact(name: str, lines: list[str]) -> str:
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"  {name}:")), "")


def _cell(text: str) -> str:
    for plain, escaped in (("|", "\\|"), ("<", "&lt;"), ("*", "\\*"), ("_", "\\_"), ("[", "\\[")):
        text = text.replace(plain, escaped)
    return text
