"""Selects the rows of an export and the fields that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from labelbox_export_provider.testing.behaviour import Behaviour
from labelbox_export_provider.testing.data.indexed_workspace import World
from labelbox_export_provider.testing.data.rows import DataRow, RowView
from labelbox_export_provider.testing.errors import bad_request, not_found
from labelbox_export_provider.testing.exports import ExportRequest
from labelbox_export_provider.testing.search import Search, compile_query

MAX_PLACES = 30
_VIEW_FLAGS = {
    "includeAttachments": "attachments",
    "includeMetadata": "metadata",
    "includeEmbeddings": "embeddings",
    "includeDataRowDetails": "data_row_details",
    "includeProjectDetails": "project_details",
    "includeLabelDetails": "label_details",
    "includePerformanceDetails": "performance_details",
    "includeInterpolatedFrames": "interpolated_frames",
    "includePredictions": "predictions",
    "includeModelRunDetails": "model_run_details",
}


def view_of(params: Mapping[str, Any]) -> RowView:
    """Return the optional fields that export params ask for, with the projects and model runs that they name."""
    flags = {name: bool(params.get(wire_name)) for wire_name, name in _VIEW_FLAGS.items()}
    for member in ("projectIds", "modelRunIds"):
        if len(params.get(member) or ()) > MAX_PLACES:
            raise bad_request(f"{member} takes {MAX_PLACES} ids at most, got {len(params[member])}")
    return RowView(
        **flags,
        project_ids=None if params.get("allProjects") else frozenset(params.get("projectIds") or ()),
        model_run_ids=None if params.get("allModelRuns") else frozenset(params.get("modelRunIds") or ()),
    )


def view_for(source_kind: str, source_id: str | None, params: Mapping[str, Any]) -> RowView:
    """Return the parts of a row that an export of this source shows.

    A project export shows that project, a model run export that run. The others show what `params` name, never project
    tags, and always the split, since they have no param for it.
    """
    view = view_of(params)
    if source_kind == "project":
        return replace(view, project_ids=frozenset({source_id or ""}))
    if source_kind == "model_run":
        return replace(view, model_run_ids=frozenset({source_id or ""}))
    return replace(view, project_tags=False, model_run_details=True)


def rows_in(
    world: World, source_kind: str, source_id: str | None, *, behaviour: Behaviour, now: datetime
) -> Sequence[DataRow]:
    """Return all rows of a source, before filters; an error of the API when there is no such source."""
    if source_kind == "project":
        known = behaviour.unknown_project == "not_found" or source_id in world.projects
        return world.in_project(source_id or "") if known else []
    if source_kind == "model_run":
        known = behaviour.unknown_model_run == "not_found" or source_id in world.model_runs
        return world.in_model_run(source_id or "") if known else []
    if source_kind == "slice":
        saved = world.slices.get(source_id or "")
        if saved is None:
            raise not_found("CatalogSlice", source_id)
        test = compile_query(saved.query, Search(behaviour, now))
        return [row for row in world.rows if test(row)]
    if source_kind == "dataset" and (behaviour.unknown_dataset == "not_found" or source_id in world.datasets):
        return world.in_dataset(source_id or "")
    return [] if source_kind == "dataset" else world.rows


def select(
    world: World, request: ExportRequest, *, behaviour: Behaviour, now: datetime, owner_zone: str | None = None
) -> tuple[Sequence[DataRow], RowView]:
    """Return the rows that this request finds now, and the parts of them that it shows."""
    kind, source_id = request.source_kind, request.source_id
    view = view_for(kind, source_id, request.params)
    rows = rows_in(world, kind, source_id, behaviour=behaviour, now=now)
    if "searchQuery" in request.filters:
        search = Search(behaviour, now, source_id if kind == "project" else None, owner_zone or "UTC")
        test = compile_query(request.filters["searchQuery"]["query"], search)
        rows = [row for row in rows if test(row)]
    return rows, view
