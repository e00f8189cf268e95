"""The expected rows of an export, found without a search query, to compare the export with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labelbox_export_provider.testing.data.workspace import Place
from labelbox_export_provider.testing.errors import ApiError
from labelbox_export_provider.testing.selection import rows_in, view_for
from labelbox_export_provider.testing.service import Service


@dataclass(frozen=True)
class SourceName:
    """A source: its kind (`project`, `dataset`, `slice`, `model_run`, `catalog`) and, but for the catalog, its id."""

    kind: str
    id: str | None


def rows_for(
    service: Service,
    source: SourceName,
    start: datetime | None,
    end: datetime | None,
    params: Mapping[str, Any],
) -> list[bytes]:
    """Return a source's rows whose `last_activity_at` lies in `[start, end)` now; LookupError if it does not exist."""
    try:
        view = view_for(source.kind, source.id, params)
        with service.world.lock:
            rows = rows_in(service.world, source.kind, source.id, behaviour=service.behaviour, now=service.clock())
            if start is not None:
                rows = [row for row in rows if row.last_activity_at is not None and row.last_activity_at >= start]
            if end is not None:
                rows = [row for row in rows if row.last_activity_at is not None and row.last_activity_at < end]
            return [row.render(view) for row in rows]
    except ApiError:
        kind = source.kind.replace("_", " ")
        raise LookupError(
            f"no {kind} has the id {source.id}; there are {', '.join(_ids(service, source.kind))}"
        ) from None


def _ids(service: Service, kind: str) -> Iterable[str]:
    workspace = service.world.workspace
    places: Mapping[str, Sequence[Place]] = {
        "project": workspace.projects,
        "dataset": workspace.datasets,
        "slice": workspace.slices,
        "model_run": workspace.model_runs,
    }
    return [place.id for place in places.get(kind, ())]
