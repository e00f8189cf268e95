"""What there is in the fake organization: data rows, and the projects, datasets, slices and model runs they are in."""

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
    """A saved search over the catalog. `query` has the entries of a `searchQuery`; a slice finds rows when asked."""

    description: str = ""
    query: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, kw_only=True)
class ModelRun(Place):
    """A run of a model."""

    model_id: str


P = TypeVar("P", bound=Place)


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Data rows, in the order in which exports give them, and the places that they are in.

    Places that a row names need not be listed; those without rows (an empty project, say) and slices do. The order of
    what is listed comes first.
    """

    rows: Sequence[DataRow] = ()
    projects: Sequence[Place] = ()
    datasets: Sequence[Place] = ()
    batches: Sequence[Batch] = ()
    slices: Sequence[Slice] = ()
    models: Sequence[Place] = ()
    model_runs: Sequence[ModelRun] = ()

    def completed(self) -> Workspace:
        """The same with every place listed that a row names; of rows with one id the last one stays."""
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
        """The id of the project, dataset, batch, slice, model or model run of this name; LookupError without any."""
        ids = {place.id for place in self._places() if place.name == name}
        if len(ids) != 1:
            names = sorted({place.name for place in self._places()})
            raise LookupError(f"{len(ids)} things are called {name!r}; there is {', '.join(names) or 'nothing'}")
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
