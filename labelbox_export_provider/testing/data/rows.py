"""Data rows as the fake keeps them, and rows read from an export file."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from labelbox_export_provider.testing.data.export_file import refuse_other_formats

WORKFLOW_STATUSES = {"TO_LABEL": "ToLabel", "IN_REVIEW": "InReview", "IN_REWORK": "InRework", "DONE": "Done"}
"""Spelling in rows -> spelling in filters."""


@dataclass(frozen=True, kw_only=True)
class RowView:
    """The parts of a row that one export asks for: optional fields, projects and model runs.

    `project_ids` and `model_run_ids`: None means all of them, an empty set none.
    """

    attachments: bool = False
    metadata: bool = False
    embeddings: bool = False
    data_row_details: bool = False
    project_details: bool = False
    label_details: bool = False
    performance_details: bool = False
    interpolated_frames: bool = False
    predictions: bool = False
    model_run_details: bool = False
    project_tags: bool = True
    project_ids: frozenset[str] | None = frozenset()
    model_run_ids: frozenset[str] | None = frozenset()


@dataclass(frozen=True, kw_only=True)
class Membership:
    """A row's state in one project, as far as filters use it."""

    project_name: str
    workflow_status: str | None = None
    batch_id: str | None = None
    batch_name: str = ""
    labels_created_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunMembership:
    """A model run that a row is in, and its model."""

    model_id: str
    model_name: str
    run_name: str


@dataclass(kw_only=True)
class DataRow(ABC):
    """A row that exports can find and write as one row of a stream.

    `last_activity_at` is what filters compare; None where it is unknown, and then no such filter finds the row.
    """

    row_id: str
    global_key: str | None
    dataset_id: str | None
    dataset_name: str = ""
    memberships: Mapping[str, Membership]
    runs: Mapping[str, RunMembership] = field(default_factory=dict)
    last_activity_at: datetime | None
    former_activity: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    """Times of edits and the `last_activity_at` before each; newest last."""

    @abstractmethod
    def render(self, view: RowView) -> bytes:
        """Return the row as one JSON line without newline."""

    def edit(self, last_activity_at: datetime, *, now: datetime) -> None:
        """Set the last activity to this instant."""
        self.former_activity.append((now, self.last_activity_at))
        self.last_activity_at = last_activity_at

    def leave(self, project_id: str) -> None:
        """Take the row out of a project."""
        self.memberships = {key: place for key, place in self.memberships.items() if key != project_id}

    def activity_as_indexed(self, indexed_until: datetime) -> datetime | None:
        """`last_activity_at` as a search index knows it that has seen the edits up to this instant."""
        for edited_at, before in self.former_activity:
            if edited_at > indexed_until:
                return before
        return self.last_activity_at


@dataclass(kw_only=True)
class FileRow(DataRow):
    """A row of an export file. It is served byte for byte, whatever export params ask for."""

    raw: bytes

    def render(self, view: RowView) -> bytes:
        """Return the line as it is in the file."""
        del view
        return self.raw

    def edit(self, last_activity_at: datetime, *, now: datetime) -> None:
        """Raise: the row would no longer be that of the file."""
        del last_activity_at, now
        raise ValueError(
            f"row {self.row_id} comes from a file and is served as it is; only generated rows can be edited"
        )


def read_rows(path: str | Path) -> list[DataRow]:
    """Read an export file, one JSON object a line, as `ExportTask` or the web app wrote it.

    A row belongs to the projects under its `projects` key, to the model runs under `experiments`, and to the dataset of
    its details. Fields that an export left out are not known to filters:
    without `data_row.details.last_activity_at` no date filter finds the row. Raises `ValueError` with the line number
    when a line is not a data row, and with the way to convert it when the file is in another format.
    """
    refuse_other_formats(path)
    rows: list[DataRow] = []
    with Path(path).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            raw = line.removesuffix(b"\n")
            if raw.strip():
                rows.append(_parse_row(raw, label=f"{path}, line {number}"))
    if not rows:
        raise ValueError(f"{path} holds no data row")
    return rows


def _parse_row(raw: bytes, *, label: str) -> FileRow:
    try:
        return _to_row(json.loads(raw), raw)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(
            f"{label}: not a data row; expected a JSON object with data_row.id, one object a line"
        ) from None


def _to_row(content: Mapping[str, Any], raw: bytes) -> FileRow:
    data_row = content["data_row"]
    if not isinstance(data_row["id"], str):
        raise TypeError("data_row.id")
    details = data_row.get("details") or {}
    projects = content.get("projects") or {}
    return FileRow(
        row_id=data_row["id"],
        global_key=data_row.get("global_key"),
        dataset_id=details.get("dataset_id"),
        dataset_name=details.get("dataset_name") or "",
        memberships={project_id: _parse_membership(project) for project_id, project in projects.items()},
        runs={
            run_id: RunMembership(model_id=model_id, model_name=model.get("name") or "", run_name=run.get("name") or "")
            for model_id, model in (content.get("experiments") or {}).items()
            for run_id, run in (model.get("runs") or {}).items()
        },
        last_activity_at=parse_row_text(details.get("last_activity_at")),
        raw=raw,
    )


def _parse_membership(project: Mapping[str, Any]) -> Membership:
    details = project.get("project_details") or {}
    labels: Iterable[Mapping[str, Any]] = project.get("labels") or ()
    created = (parse_row_text((label.get("label_details") or {}).get("created_at")) for label in labels)
    return Membership(
        project_name=project.get("name") or "",
        workflow_status=WORKFLOW_STATUSES.get(details.get("workflow_status") or ""),
        batch_id=details.get("batch_id"),
        batch_name=details.get("batch_name") or "",
        labels_created_at=tuple(moment for moment in created if moment is not None),
    )


def parse_row_text(text: str | None) -> datetime | None:
    """Return an instant as rows spell it, `Z` accepted; None where there is none or it cannot be read."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
