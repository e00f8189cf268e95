"""The tables of docs/sources.md, made from the models.

`python tests/support/docs_tables.py` writes them into the page anew; a test compares.
"""

from __future__ import annotations

from pathlib import Path

from labelbox_export_provider.domain.request.sources import SOURCES

PAGE = Path(__file__).parents[2] / "docs" / "sources.md"
BEGIN, END = "<!-- made from the models: {} -->", "<!-- end -->"
ON_REQUEST = "on request"


def table(part: str) -> str:
    """One row per option, one column per source."""
    models = {kind: source.model_fields[part].annotation for kind, source in SOURCES.items()}
    names = sorted({name for model in models.values() for name in getattr(model, "model_fields", {})})
    lines = ["| | " + " | ".join(kind.replace("_", " ") for kind in models) + " |", "|---" * (len(models) + 1) + "|"]
    rows = (f"| `{name}` | " + " | ".join(cell(model, name) for model in models.values()) + " |" for name in names)
    return "\n".join([*lines, *rows])


def cell(model: object, name: str) -> str:
    if name not in getattr(model, "model_fields", {}):
        return ""
    return ON_REQUEST if name in getattr(model, "on_request", ()) else "yes"


def with_tables(page: str) -> str:
    """The page with its tables made anew."""
    for part in ("export_params", "filters"):
        head, begin, rest = page.partition(BEGIN.format(part))
        _, end, tail = rest.partition(END)
        if not begin or not end:
            raise LookupError(f"docs/sources.md has no place for {part}")
        page = f"{head}{begin}\n\n{table(part)}\n\n{end}{tail}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
