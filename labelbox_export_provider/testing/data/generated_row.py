"""A generated data row: its parts, and which of them an export shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelbox_export_provider.testing.clock import row_text
from labelbox_export_provider.testing.data.media_kinds import Content
from labelbox_export_provider.testing.data.rows import DataRow, RowView


@dataclass(frozen=True)
class LabelPart:
    """One label or prediction and its optional parts."""

    base: Mapping[str, Any]
    label_details: Mapping[str, Any]
    performance_details: Mapping[str, Any]
    annotations: Mapping[str, Any]
    key_frame_annotations: Mapping[str, Any]


@dataclass(frozen=True)
class ProjectPart:
    """A row's member `projects.<id>`."""

    name: str
    labels: Sequence[LabelPart]
    project_details: Mapping[str, Any]


@dataclass(frozen=True)
class RunPart:
    """A row's member `experiments.<model id>.runs.<run id>`."""

    name: str
    run_data_row_id: str
    labels: Sequence[LabelPart]
    predictions: Sequence[LabelPart]
    split: str


@dataclass(kw_only=True)
class GeneratedRow(DataRow):
    """A generated row. Export params add and remove its fields as in the export field table of Labelbox's guide."""

    data_row: Mapping[str, Any]
    details: Mapping[str, Any]
    content: Content
    projects: Mapping[str, ProjectPart]
    run_parts: Mapping[str, RunPart] = field(default_factory=dict)
    compact: bool
    ascii_only: bool

    def render(self, view: RowView) -> bytes:
        """Return the row as this export shows it: some rows compact, some with every non-ASCII character escaped."""
        data_row = dict(self.data_row)
        if view.data_row_details:
            activity = self.last_activity_at
            data_row["details"] = {**self.details, "last_activity_at": row_text(activity) if activity else None}
        row: dict[str, Any] = {"data_row": data_row, "media_attributes": self.content.media_attributes}
        if view.attachments:
            row["attachments"] = self.content.attachments
        if view.metadata:
            row["metadata_fields"] = self.content.metadata_fields
        if view.embeddings:
            row["embeddings"] = self.content.embeddings
        shown = self.projects if view.project_ids is None else view.project_ids
        if projects := {key: _show_project(self.projects[key], view) for key in self.projects if key in shown}:
            row["projects"] = projects
        if experiments := self._show_experiments(view):
            row["experiments"] = experiments
        separators = (",", ":") if self.compact else (", ", ": ")
        return json.dumps(row, ensure_ascii=self.ascii_only, separators=separators).encode()

    def leave(self, project_id: str) -> None:
        """Take the row out of a project, with its labels there."""
        super().leave(project_id)
        self.projects = {key: part for key, part in self.projects.items() if key != project_id}

    def _show_experiments(self, view: RowView) -> dict[str, Any]:
        experiments: dict[str, Any] = {}
        for run_id, part in self.run_parts.items():
            if view.model_run_ids is None or run_id in view.model_run_ids:
                run = self.runs[run_id]
                model = experiments.setdefault(run.model_id, {"name": run.model_name, "runs": {}})
                model["runs"][run_id] = _show_run(part, view)
        return experiments


def _show_project(project: ProjectPart, view: RowView) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": project.name, "labels": [_show_label(label, view) for label in project.labels]}
    if view.project_details:
        shown["project_details"] = project.project_details
    if view.project_tags:
        shown["project_tags"] = []
    return shown


def _show_label(label: LabelPart, view: RowView) -> dict[str, Any]:
    shown = dict(label.base)
    if view.label_details:
        shown["label_details"] = label.label_details
    if view.performance_details:
        shown["performance_details"] = label.performance_details
    shown["annotations"] = _show_annotations(label, view)
    return shown


def _show_annotations(label: LabelPart, view: RowView) -> Mapping[str, Any]:
    return label.annotations if view.interpolated_frames else label.key_frame_annotations


def _show_run(run: RunPart, view: RowView) -> dict[str, Any]:
    def bare(label: LabelPart) -> dict[str, Any]:
        return {**label.base, "annotations": _show_annotations(label, view)}

    shown: dict[str, Any] = {
        "name": run.name,
        "run_data_row_id": run.run_data_row_id,
        "labels": [bare(label) for label in run.labels],
    }
    if view.predictions:
        shown["predictions"] = [bare(label) for label in run.predictions]
    if view.model_run_details:
        shown["split"] = run.split
    return shown
