"""The content of the fake organization: data rows, and the projects, datasets, slices and model runs they are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from labelbox_export_provider.testing.data.rows import DataRow


@dataclass(frozen=True, kw_only=True)
class Place:
    """A project, dataset or model by id and name."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Batch(Place):
    """A batch of a project."""

    project_id: str


@dataclass(frozen=True, kw_only=True)
class Slice(Place):
    """A saved search over the catalog. `query` has the entries of a `searchQuery`, applied at each export."""

    description: str = ""
    query: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, kw_only=True)
class ModelRun(Place):
    """A run of a model."""

    model_id: str


P = TypeVar("P", bound=Place)


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Data rows in the order of exports, and the places that they are in.

    Places that a row names need not be listed; places without rows (an empty project, for example) and slices must be.
    Listed places come first.
    """

    rows: Sequence[DataRow] = ()
    projects: Sequence[Place] = ()
    datasets: Sequence[Place] = ()
    batches: Sequence[Batch] = ()
    slices: Sequence[Slice] = ()
    models: Sequence[Place] = ()
    model_runs: Sequence[ModelRun] = ()

    def completed(self) -> Workspace:
        """Return a copy that lists every place that a row names; of rows with the same id the last one is kept."""
        rows = list({row.row_id: row for row in self.rows}.values())
        memberships = [(key, place) for row in rows for key, place in row.memberships.items()]
        runs = [(key, run) for row in rows for key, run in row.runs.items()]
        return replace(
            self,
            rows=rows,
            projects=_joined(self.projects, (Place(id=key, name=place.project_name) for key, place in memberships)),
            datasets=_joined(
                self.datasets, (Place(id=r.dataset_id, name=r.dataset_name) for r in rows if r.dataset_id)
            ),
            batches=_joined(
                self.batches,
                (
                    Batch(id=place.batch_id, name=place.batch_name, project_id=key)
                    for key, place in memberships
                    if place.batch_id
                ),
            ),
            models=_joined(self.models, (Place(id=run.model_id, name=run.model_name) for _, run in runs)),
            model_runs=_joined(
                self.model_runs, (ModelRun(id=key, name=run.run_name, model_id=run.model_id) for key, run in runs)
            ),
        )

    def id_of(self, name: str) -> str:
        """Return the id of the place (project, dataset, batch, ...) of this name; LookupError when there is none."""
        ids = {place.id for place in self._places() if place.name == name}
        if len(ids) != 1:
            names = sorted({place.name for place in self._places()})
            raise LookupError(f"{len(ids)} places are named {name!r}; there are {', '.join(names) or 'none'}")
        return ids.pop()

    def _places(self) -> Iterator[Place]:
        yield from self.projects
        yield from self.datasets
        yield from self.batches
        yield from self.slices
        yield from self.models
        yield from self.model_runs


def _joined(listed: Sequence[P], found: Iterable[P]) -> tuple[P, ...]:
    places = {place.id: place for place in listed}
    for place in found:
        places.setdefault(place.id, place)
    return tuple(places.values())
