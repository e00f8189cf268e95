"""The tables of docs/formats.md: every name that is stored somewhere, as the code has it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from labelbox_export_provider.domain.records.handle import ExportHandle, HandleWindow, SourceName
from labelbox_export_provider.domain.records.landing_plan import LandingPlan, StagedShard
from labelbox_export_provider.domain.records.manifest import (
    ErrorCounts,
    LandedObject,
    LandedSummary,
    Manifest,
    ResultCounts,
    Versions,
)
from labelbox_export_provider.domain.records.object_names import ObjectNames, State, explicit_names, layout_names
from labelbox_export_provider.domain.records.receipt import Receipt, ReceiptPart, ReceiptSegment
from labelbox_export_provider.domain.records.start_record import StartRecord, start_name
from labelbox_export_provider.sinks.base import CRC32C, ENCODING, EXPORT_ID, SOURCE_RANGE, STARTED_AT

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

METADATA = {
    EXPORT_ID: "id of the export",
    STARTED_AT: "when the export was started",
    SOURCE_RANGE: "stream and range of source bytes that the object's rows come from; `result:empty` without rows",
    ENCODING: "all that decides the object's bytes besides the export: compression, split, trimming",
    CRC32C: "CRC32C of the stored bytes, where they were known when the object was begun",
}
_DAY = datetime(2026, 11, 22, 2, tzinfo=timezone.utc)
_NEXT = _DAY.replace(day=23)


def object_names() -> str:
    """One row per kind of object: its name in the layout and beside an explicit key."""
    layout = layout_names(_handle(), "<prefix>", "gzip")
    explicit = explicit_names(_handle(), "<folder>/<name>", "gzip")
    lines = ["| object | with a prefix | with an explicit key |", "|---|---|---|"]
    kinds: dict[str, Callable[[ObjectNames], str | None]] = {
        "rows": lambda names: names.data(),
        "error rows": lambda names: names.errors,
        "list of URIs": lambda names: names.uris,
        "receipt, until the manifest is there": lambda names: names.receipt(0),
        "while a refused try removes what others left": lambda names: None if names.explicit_key else names.removal,
        **{f"manifest, state `{state}`": _manifest_in(state) for state in get_args(State)},
    }
    for kind, name_in in kinds.items():
        cells = [f"`{name}`" if name else "none" for name in map(name_in, (layout, explicit))]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _manifest_in(state: State) -> Callable[[ObjectNames], str | None]:
    return lambda names: names.manifest(state)


def _handle() -> ExportHandle:
    digest = "sha256:" + "0" * 64
    window = HandleWindow(
        field="last_activity_at", start=_DAY, end=_NEXT, queried_start=_DAY, queried_end=_NEXT, trim=True
    )
    return ExportHandle(
        export_id="cmexport1",
        source=SourceName(kind="project", id="clp1"),
        filters_digest=digest,
        labelbox_conn_id="labelbox_default",
        window=window,
        user_id="cluser1",
        organization_id="clorg1",
        fingerprint=digest,
        started_at=_NEXT,
    )


def metadata() -> str:
    """One row per metadata key of an object."""
    return "\n".join(["| key | value |", "|---|---|", *(f"| `{key}` | {value} |" for key, value in METADATA.items())])


def members_of(*models: type[BaseModel]) -> Callable[[], str]:
    """One row per member of a JSON record and of the records in it, with its type in JSON."""

    def make() -> str:
        lines = ["| record | member | type |", "|---|---|---|"]
        for model in models:
            schema = model.model_json_schema(mode="serialization")
            for name, member in schema["properties"].items():
                lines.append(f"| `{model.__name__}` | `{name}` | {_type_of(member)} |")
        return "\n".join(lines)

    return make


def _type_of(member: dict[str, Any]) -> str:
    if "anyOf" in member:
        return " or ".join(_type_of(each) for each in member["anyOf"])
    if "$ref" in member:
        return f"`{member['$ref'].rpartition('/')[2]}`"
    if "const" in member:
        return f"`{member['const']!r}`".replace("'", '"')
    if "enum" in member:
        return ", ".join(f'`"{value}"`' for value in member["enum"])
    if member.get("type") == "array":
        return f"list of {_type_of(member['items'])}" if "items" in member else "list"
    return {"integer": "number", "boolean": "true or false", "string": "text", "null": "null", "object": "object"}[
        member["type"]
    ]


def positions_of(*tuples: type[Any]) -> Callable[[], str]:
    """One row per position of a list that stands for a record."""

    def make() -> str:
        lines = ["| list | position | member |", "|---|---|---|"]
        for each in tuples:
            lines += [f"| `{each.__name__}` | {place} | `{name}` |" for place, name in enumerate(each._fields)]
        return "\n".join(lines)

    return make


def start_names() -> str:
    """The name of an export in Labelbox."""
    name = start_name(
        "labels land",
        run=("labels", "r", "land", -1),
        kind="project",
        fingerprint="f",
        clear_count="0",
        date="2026-11-22",
    )
    return f"`{name}`"


def trigger_row() -> str:
    """One row per argument that Airflow's database keeps of a waiting task."""
    from labelbox_export_provider.triggers.export_task import ExportTaskTrigger

    return _row_of(ExportTaskTrigger(labelbox_conn_id="c", export_id="e", deadline="d"))


def gate_row() -> str:
    """One row per argument that Airflow's database keeps of a start that rests."""
    from labelbox_export_provider.triggers.start_gate import StartGateTrigger

    return _row_of(StartGateTrigger(labelbox_conn_id="c"))


def _row_of(trigger: BaseTrigger) -> str:
    path, kept = trigger.serialize()
    parameters = inspect.signature(type(trigger).__init__).parameters
    lines = [f"Class path: `{path}`.", "", "| argument | type |", "|---|---|"]
    lines += [f"| `{name}` | `{parameters[name].annotation}` |".replace(" | None", " or None") for name in kept]
    return "\n".join(lines)


def events() -> str:
    """The members of a trigger's event, and its outcomes."""
    from labelbox_export_provider.triggers.events import ExportEvent, Outcome

    members = ", ".join(f"`{field.name}`" for field in fields(ExportEvent))
    return f"Members: {members}. Outcomes: {', '.join(f'`{outcome}`' for outcome in get_args(Outcome))}."


def places() -> str:
    """The names under which Airflow keeps records of a task."""
    from labelbox_export_provider.execution.export_job import DEFERRED_UNTIL, HANDLE_KEY, REFUSED
    from labelbox_export_provider.execution.start import SOURCE_LINK_KEY, STATE_KEY
    from labelbox_export_provider.links.manifest_page import MANIFEST_LINK_KEY

    return "\n".join(
        [
            "| place | name | holds |",
            "|---|---|---|",
            f"| task state store | `{STATE_KEY}` | a start record |",
            f"| task state store | `{STATE_KEY}_<16 hex digits>` | one of `start_or_adopt`, by its fingerprint |",
            f"| XCom of the task itself | `{HANDLE_KEY}` | a handle, or `{DEFERRED_UNTIL}` before there is one |",
            "| XCom of the task | `return_value` | a handle (start, sensor), the manifest in short (transfer) |",
            f"| XCom of the task | `{SOURCE_LINK_KEY}` | address of the source in Labelbox |",
            f"| XCom of the task | `{MANIFEST_LINK_KEY}` | address of the landed manifest in its store's console |",
            f"| keyword argument of a deferral | `{REFUSED}` | since when, and how often, a start was refused |",
        ]
    )


def metrics() -> str:
    """One row per metric: its name after Airflow's prefix, its kind, what it counts."""
    from labelbox_export_provider.metrics import METRICS, PREFIX

    rows = [f"| `{PREFIX}.{name}` | {kind} | {meaning} |" for name, (kind, meaning) in METRICS.items()]
    return "\n".join(["| metric | kind | what it is |", "|---|---|---|", *rows])


def lineage() -> str:
    """One row per member of the run facet of OpenLineage."""
    import attr

    from labelbox_export_provider.transfers.openlineage_events import LabelboxExportRunFacet

    members = [field for field in attr.fields(LabelboxExportRunFacet) if not field.name.startswith("_")]
    types = {"bool": "true or false", "dict[str, Any]": "object", "int": "number", "str": "text"}
    types["dict[str, Any] | None"] = "`HandleWindow` or null"
    rows = [f"| `{field.name}` | {types[str(field.type)]} |" for field in members]
    return "\n".join(["| member | type |", "|---|---|", *rows])


TABLES: dict[str, Callable[[], str]] = {
    "object-names": object_names,
    "metadata": metadata,
    "manifest": members_of(Manifest, ResultCounts, ErrorCounts, LandedObject, Versions),
    "receipt": members_of(Receipt),
    "receipt-lists": positions_of(ReceiptPart, ReceiptSegment),
    "landing-plan": members_of(LandingPlan, StagedShard),
    "summary": members_of(LandedSummary),
    "handle": members_of(ExportHandle, SourceName, HandleWindow),
    "start-record": members_of(StartRecord),
    "start-name": start_names,
    "trigger-row": trigger_row,
    "gate-row": gate_row,
    "events": events,
    "places": places,
    "metrics": metrics,
    "lineage": lineage,
}
