"""Everything there is in the fake organization: rows, projects, datasets, slices, model runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from labelbox_export_provider.testing.rows import DataRow
from labelbox_export_provider.testing.search import Test


@dataclass(frozen=True)
class Place:
    """A project, dataset, slice or model run by id and name."""

    place_id: str
    name: str


class World:
    """The rows, in the order in which exports give them, and the places that they are in."""

    def __init__(self, rows: Iterable[DataRow], projects: Mapping[str, str]) -> None:
        self.lock = threading.RLock()
        self._rows = {row.row_id: row for row in rows}
        self.projects: dict[str, Place] = {}
        self.datasets: dict[str, Place] = {}
        self.slices: dict[str, Test] = {}
        for row in self._rows.values():
            for project_id, membership in row.memberships.items():
                self.projects.setdefault(project_id, Place(project_id, membership.project_name))
            if row.dataset_id is not None:
                self.datasets.setdefault(row.dataset_id, Place(row.dataset_id, f"Dataset {len(self.datasets)}"))
        for project_id, name in projects.items():
            self.projects.setdefault(project_id, Place(project_id, name))
        self.model_run_ids = frozenset(run_id for row in self._rows.values() for run_id in row.model_run_ids)

    @property
    def rows(self) -> Sequence[DataRow]:
        """All rows."""
        return list(self._rows.values())

    def row(self, row_id: str) -> DataRow:
        """One row; LookupError when there is none."""
        if row_id not in self._rows:
            raise LookupError(f"no row has the id {row_id}")
        return self._rows[row_id]

    def in_project(self, project_id: str) -> list[DataRow]:
        """The rows of a project."""
        return [row for row in self._rows.values() if project_id in row.memberships]

    def in_window(self, project_id: str, start: datetime | None, end: datetime | None) -> list[DataRow]:
        """The rows of a project whose last activity lies in `[start, end)`; with neither end, all of its rows."""
        rows = self.in_project(project_id)
        if start is not None:
            rows = [row for row in rows if row.last_activity_at is not None and row.last_activity_at >= start]
        if end is not None:
            rows = [row for row in rows if row.last_activity_at is not None and row.last_activity_at < end]
        return rows
