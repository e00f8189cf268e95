"""The workspace of a running fake: rows by place, under a lock, since it can change."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from labelbox_export_provider.testing.data.rows import DataRow
from labelbox_export_provider.testing.data.workspace import Place, Workspace
from labelbox_export_provider.testing.errors import not_found


class World:
    """A workspace with look-ups by id. Hold `lock` to read several things of it, or to edit a row."""

    def __init__(self, workspace: Workspace) -> None:
        self.lock = threading.RLock()
        self._hold(workspace)

    def _hold(self, workspace: Workspace) -> None:
        self.workspace = workspace = workspace.completed()
        self.projects = {place.id: place for place in workspace.projects}
        self.datasets = {place.id: place for place in workspace.datasets}
        self.slices = {place.id: place for place in workspace.slices}
        self.models = {place.id: place for place in workspace.models}
        self.model_runs = {place.id: place for place in workspace.model_runs}
        self._rows = {row.row_id: row for row in workspace.rows}

    def add(self, rows: Sequence[DataRow], *, projects: Sequence[Place] = ()) -> None:
        """Add rows with the places that they name, and projects that no row names."""
        with self.lock:
            held = self.workspace
            self._hold(replace(held, rows=[*held.rows, *rows], projects=[*held.projects, *projects]))

    def delete_project(self, project_id: str) -> None:
        """Delete a project with its labels; its rows stay in their datasets. LookupError when there is none."""
        with self.lock:
            if project_id not in self.projects:
                raise LookupError(f"no project has the id {project_id}")
            for row in self.in_project(project_id):
                row.leave(project_id)
            held = self.workspace
            kept = [place for place in held.projects if place.id != project_id]
            batches = [batch for batch in held.batches if batch.project_id != project_id]
            self._hold(replace(held, projects=kept, batches=batches))

    @property
    def rows(self) -> Sequence[DataRow]:
        """All rows."""
        return self.workspace.rows

    def row(self, row_id: str) -> DataRow:
        """Return one row; LookupError when there is none."""
        if row_id not in self._rows:
            raise LookupError(f"no row has the id {row_id}")
        return self._rows[row_id]

    def in_project(self, project_id: str) -> list[DataRow]:
        """Return the rows of a project; an error of the API when there is no such project."""
        if project_id not in self.projects:
            raise not_found("Project", project_id)
        return [row for row in self.rows if project_id in row.memberships]

    def in_dataset(self, dataset_id: str) -> list[DataRow]:
        """Return the rows of a dataset; an error of the API when there is no such dataset."""
        if dataset_id not in self.datasets:
            raise not_found("Dataset", dataset_id)
        return [row for row in self.rows if row.dataset_id == dataset_id]

    def in_model_run(self, run_id: str) -> list[DataRow]:
        """Return the rows of a model run; an error of the API when there is no such run."""
        if run_id not in self.model_runs:
            raise not_found("ModelRun", run_id)
        return [row for row in self.rows if run_id in row.runs]

    def in_batch(self, batch_id: str) -> list[DataRow]:
        """Return the rows of a batch."""
        return [row for row in self.rows if any(place.batch_id == batch_id for place in row.memberships.values())]
