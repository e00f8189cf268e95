"""The tables of docs/ that are made from the code: `make docs` writes them into the pages, a test compares.

A table stands between `<!-- made from the code: NAME -->` and `<!-- end -->`. The meaning of an option is its `:param`
field in the docstring of its class; links to other pages are in `LEADS_TO`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from support import format_tables, guarantee_tables, message_tables

from labelbox_export_provider.domain.request.sources import SOURCES
from labelbox_export_provider.domain.windows.kinds import DataIntervalWindow, FixedWindow, PartitionWindow, Window

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "sources.md"
_PLACE = re.compile(r"(<!-- made from the code: ([\w-]+) -->)\n.*?\n(<!-- end -->)", re.DOTALL)
_BY_DEFAULT = re.compile(r"; ([^;]+) by default$")
ON_REQUEST = "on request"

LEADS_TO = {
    "export": "Or [id and source](sources.md#an-export-that-somebody-else-started) of one that no task started",
    "source": "[All sources](sources.md)",
    "window": "[Windows](windows.md)",
    "cancel_on_kill": "[What an end by hand does](never-twice.md#ended-by-hand)",
    "compression": "[What readers take](in-the-bucket.md#compression)",
    "rerun": "[Another export of the same window](in-the-bucket.md#another-export-of-the-same-window-rerun)",
    "sink_args": "[Permissions](permissions.md)",
}


def options(kind: Callable[..., object], *described_in: type, **defaults: str) -> str:
    """One row per keyword option of a class or a function: name, default, meaning.

    `described_in` are classes that describe some of the options in their docstring instead.
    `defaults` are those that the signature does not tell, since they are derived later.
    """
    constructor = kind.__init__ if isinstance(kind, type) else kind  # type: ignore[misc]  # of a class, not an instance
    parameters = inspect.signature(constructor).parameters.values()
    meanings = {
        name: text for doc in (*described_in, kind) for name, text in params_of(inspect.getdoc(doc) or "").items()
    }
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for parameter in parameters:
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        name, meaning = parameter.name, meanings[parameter.name]
        by_default = _BY_DEFAULT.search(meaning)
        default = defaults.get(name) or (by_default[1] if by_default else shown(name, parameter.default))
        text = as_code(_BY_DEFAULT.sub("", meaning))
        lines.append(f"| `{name}` | {default} | {'. '.join(filter(None, (text, LEADS_TO.get(name))))} |")
    return "\n".join(line.replace("|  |", "| |") for line in lines)


def params_of(doc: str) -> dict[str, str]:
    """Return the `:param` fields of a docstring, each on one line and without its last full stop."""
    fields = re.findall(r"^:param (\w+): (.*(?:\n +.*)*)", doc, re.MULTILINE)
    return {name: " ".join(text.split()).removesuffix(".") for name, text in fields}


def as_code(text: str) -> str:
    """Put values that a docstring writes plainly into backticks."""
    pieces = text.split("`")
    pieces[::2] = [re.sub(r'"[\w/]+"|\b(?:None|True|False)\b', r"`\g<0>`", piece) for piece in pieces[::2]]
    return "`".join(pieces)


def shown(name: str, default: Any) -> str:
    """Write a default as a reader would."""
    if default is None or default is inspect.Parameter.empty:
        return ""
    if isinstance(default, timedelta):
        return f"{default.days} days" if default.days > 1 else f"{int(default.total_seconds() // 3600)} hours"
    if isinstance(default, float):
        return f"{default:g} seconds"
    if name.endswith(("_bytes", "_memory")):
        return f"{default // 1024**2} MiB"
    return f'`"{default}"`' if isinstance(default, str) else f"`{default!r}`"


def shared_options() -> str:
    from labelbox_export_provider import LabelboxHook
    from labelbox_export_provider.streaming.landing.options import LandingOptions
    from labelbox_export_provider.streaming.pipeline.memory_plan import DEFAULT_WORKERS, MAX_PART, MIB
    from labelbox_export_provider.transfers.base import LabelboxExportTransferOperator

    return options(
        LabelboxExportTransferOperator,
        LandingOptions,
        labelbox_conn_id=f'`"{LabelboxHook.default_conn_name}"`',
        workers=f"up to {DEFAULT_WORKERS}",
        part_bytes=f"up to {MAX_PART // MIB} MiB",
    )


def options_of(name: str) -> Callable[[], str]:
    """The table of a public class or function, imported when it is needed: it brings Airflow."""

    def make() -> str:
        import labelbox_export_provider

        return options(getattr(labelbox_export_provider, name))

    return make


def start_options() -> str:
    from labelbox_export_provider.operators.base import ExportOperator

    return options(ExportOperator)


def by_source(part: str) -> Callable[[], str]:
    """One row per option, one column per source."""

    def make() -> str:
        models = {kind: source.model_fields[part].annotation for kind, source in SOURCES.items()}
        names = sorted({name for model in models.values() for name in getattr(model, "model_fields", {})})
        head = "| | " + " | ".join(kind.replace("_", " ") for kind in models) + " |"
        rows = (f"| `{name}` | " + " | ".join(cell(model, name) for model in models.values()) + " |" for name in names)
        return "\n".join([head, "|---" * (len(models) + 1) + "|", *rows])

    return make


def cell(model: object, name: str) -> str:
    if name not in getattr(model, "model_fields", {}):
        return ""
    return ON_REQUEST if name in getattr(model, "on_request", ()) else "yes"


def by_window() -> str:
    """One row per option, one column per kind of window, with its default."""
    kinds: tuple[type[Window], ...] = (DataIntervalWindow, FixedWindow, PartitionWindow)
    names = [name for name in dict.fromkeys(name for kind in kinds for name in kind.model_fields) if name != "kind"]
    lines = ["| | " + " | ".join(f"`{kind.__name__}`" for kind in kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    for name in names:
        cells = [of_window(kind, name) for kind in kinds]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def of_window(kind: type[Window], name: str) -> str:
    field = kind.model_fields.get(name)
    if field is None:
        return ""
    if field.is_required():
        return "required"
    if isinstance(field.default, timedelta):
        return f"{field.default.total_seconds() / 60:g} minutes" if field.default else "none"
    if name == "trim":
        return "`True` for `last_activity_at`"
    return "none" if field.default is None else f'`"{field.default}"`'


TABLES: dict[str, Callable[[], str]] = {
    "transfers": shared_options,
    "s3": options_of("LabelboxExportToS3Operator"),
    "gcs": options_of("LabelboxExportToGCSOperator"),
    "file": options_of("LabelboxExportToFileOperator"),
    "operators": start_options,
    "start-or-adopt": options_of("start_or_adopt"),
    "export_params": by_source("export_params"),
    "filters": by_source("filters"),
    "windows": by_window,
    "messages": message_tables.messages,
    "guarantees": guarantee_tables.guarantees,
    **format_tables.TABLES,
}


def with_tables(page: str) -> str:
    """Return a page with its tables written again."""
    return _PLACE.sub(lambda place: f"{place[1]}\n\n{TABLES[place[2]]()}\n\n{place[3]}", page)


def tables_in(page: str) -> list[str]:
    return [name for _, name, _ in _PLACE.findall(page)]


if __name__ == "__main__":
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text()
        if (made := with_tables(text)) != text:
            path.write_text(made)
