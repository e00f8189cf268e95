"""Look-ups of projects, datasets, models, model runs and slices, as far as the official client needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labelbox_export_provider.testing.clock import api_text
from labelbox_export_provider.testing.data.workspace import ModelRun, Place, Slice
from labelbox_export_provider.testing.errors import not_found
from labelbox_export_provider.testing.graphql.engine import Resolver
from labelbox_export_provider.testing.graphql.task_fields import Arguments, Context

MAX_PAGE = 100


def _dates(context: Context) -> dict[str, str]:
    created = api_text(context.service.accounts.users[0].created_at)
    return {"createdAt": created, "updatedAt": created}


def _show_project(context: Context, project: Place) -> dict[str, Any]:
    dates = _dates(context)
    return {
        **dates,
        "id": project.id,
        "name": project.name,
        "description": "",
        "lastActivityTime": api_text(context.service.clock()),
        "setupComplete": dates["createdAt"],
        "dataRowCount": len(context.service.world.in_project(project.id)),
        "autoAuditNumberOfLabels": 1,
        "autoAuditPercentage": 1,
        "isBenchmarkEnabled": False,
        "isConsensusEnabled": False,
        "uploadType": "Auto",
    }


def _show_dataset(context: Context, dataset: Place) -> dict[str, Any]:
    rows = len(context.service.world.in_dataset(dataset.id))
    return {**_dates(context), "id": dataset.id, "name": dataset.name, "rowCount": rows}


def _show_model(_: Context, model: Place) -> dict[str, Any]:
    return {"id": model.id, "name": model.name}


def _show_model_run(context: Context, run: ModelRun) -> dict[str, Any]:
    creator = context.service.accounts.users[0].user_id
    return {**_dates(context), "id": run.id, "name": run.name, "modelId": run.model_id, "createdBy": creator}


def _show_slice(context: Context, saved: Slice) -> dict[str, Any]:
    query = {"scope": None, "query": list(saved.query)}
    return {
        **_dates(context),
        "id": saved.id,
        "name": saved.name,
        "description": saved.description,
        "filter": query,
    }


def _one(kind: str, places: Callable[[Context], Mapping[str, Any]], show: Callable[[Context, Any], Any]) -> Resolver:
    def resolve(context: Context, _: object, arguments: Arguments) -> Any:
        place_id = arguments.get("id") or (arguments.get("where") or {}).get("id", "")
        if place_id not in places(context):
            raise not_found(kind, place_id)
        return show(context, places(context)[place_id])

    return resolve


def _all(places: Callable[[Context], Mapping[str, Any]], show: Callable[[Context, Any], Any]) -> Resolver:
    def resolve(context: Context, _: object, arguments: Arguments) -> list[Any]:
        skip = arguments.get("skip") or 0
        deleted = (arguments.get("where") or {}).get("deleted")
        behaviour = context.service.behaviour
        with context.service.world.lock:
            found: Sequence[Any] = [] if deleted else list(places(context).values())
            if behaviour.places_newest_first:
                found = found[::-1]
            number = min(arguments.get("first") or MAX_PAGE, behaviour.places_per_page or len(found))
            return [show(context, place) for place in found[skip : skip + number]]

    return resolve


def batches(context: Context, project: Mapping[str, Any], arguments: Arguments) -> dict[str, Any]:
    """Return one page of a project's batches; the cursor is the number of batches before it."""
    world = context.service.world
    found = [batch for batch in world.workspace.batches if batch.project_id == project["id"]]
    start = int(arguments.get("after") or 0)
    end = start + int(arguments.get("first") or MAX_PAGE)
    nodes = [
        {
            **_dates(context),
            "id": batch.id,
            "name": batch.name,
            "size": len(world.in_batch(batch.id)),
            "consensusSettingsJson": "{}",
        }
        for batch in found[start:end]
    ]
    more = end < len(found)
    return {"nodes": nodes, "pageInfo": {"endCursor": str(end) if more else None, "hasNextPage": more}}


def _projects(context: Context) -> Mapping[str, Place]:
    return context.service.world.projects


def _datasets(context: Context) -> Mapping[str, Place]:
    return context.service.world.datasets


def _models(context: Context) -> Mapping[str, Place]:
    return context.service.world.models


def _slices(context: Context) -> Mapping[str, Slice]:
    return context.service.world.slices


PLACE_QUERIES: Mapping[str, Resolver] = {
    "project": _one("Project", _projects, _show_project),
    "projects": _all(_projects, _show_project),
    "dataset": _one("Dataset", _datasets, _show_dataset),
    "datasets": _all(_datasets, _show_dataset),
    "model": _one("Model", _models, _show_model),
    "models": _all(_models, _show_model),
    "modelRun": _one("ModelRun", lambda context: context.service.world.model_runs, _show_model_run),
    "getSavedQuery": _one("SavedQuery", _slices, _show_slice),
    "catalogSavedQueries": _all(_slices, _show_slice),
}
