"""Made-up data rows of many kinds, the same for the same settings, spread over some days."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from labelbox_export_provider.testing.clock import row_text
from labelbox_export_provider.testing.ids import make_id
from labelbox_export_provider.testing.kinds import KINDS, Content
from labelbox_export_provider.testing.rows import WORKFLOW_STATUSES, DataRow, Membership, RowView

DEMO_PROJECT_ID = "clprojectdemo000000000000"
_BORDER_OFFSETS = tuple(timedelta(milliseconds=ms) for ms in (0, -1, 1, 999, -1000, 1000, -500))


@dataclass(frozen=True)
class LabelPart:
    """One label and its optional parts."""

    base: Mapping[str, Any]
    label_details: Mapping[str, Any]
    performance_details: Mapping[str, Any]
    annotations: Mapping[str, Any]
    key_frame_annotations: Mapping[str, Any]


@dataclass(frozen=True)
class ProjectPart:
    """What a row carries under `projects.<id>`."""

    name: str
    labels: Sequence[LabelPart]
    project_details: Mapping[str, Any]


@dataclass(kw_only=True)
class GeneratedRow(DataRow):
    """A made-up row. Export params add and remove its fields as the export field table of Labelbox's guide says."""

    data_row: Mapping[str, Any]
    details: Mapping[str, Any]
    content: Content
    projects: Mapping[str, ProjectPart]
    compact: bool
    ascii_only: bool

    def render(self, view: RowView) -> bytes:
        """The row as this export shows it: some rows compact, some with every non-ASCII character escaped."""
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
        separators = (",", ":") if self.compact else (", ", ": ")
        return json.dumps(row, ensure_ascii=self.ascii_only, separators=separators).encode()


def _show_project(project: ProjectPart, view: RowView) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": project.name, "labels": [_show_label(label, view) for label in project.labels]}
    if view.project_details:
        shown["project_details"] = project.project_details
    shown["project_tags"] = []
    return shown


def _show_label(label: LabelPart, view: RowView) -> dict[str, Any]:
    shown = dict(label.base)
    if view.label_details:
        shown["label_details"] = label.label_details
    if view.performance_details:
        shown["performance_details"] = label.performance_details
    shown["annotations"] = label.annotations if view.interpolated_frames else label.key_frame_annotations
    return shown


def generate_rows(
    number: int = 200,
    *,
    start: date = date(2024, 5, 6),
    days: int = 5,
    seed: int = 1,
    project_id: str = DEMO_PROJECT_ID,
    project_name: str = "Street scenes",
    border_hours: Sequence[int] = (0, 2),
) -> list[DataRow]:
    """Make rows of one project whose `last_activity_at` lies from `start` on over `days` UTC days.

    Up to half of the rows lie on a window border (each of `border_hours` UTC, of every day and of the day after the
    last) or up to a second beside it; the others anywhere, to the millisecond. Row `i` has the same id and content in
    every set with the same seed and project.
    """
    if number < 0 or days < 1:
        raise ValueError(f"number={number} and days={days}: a data set has 0 rows or more over 1 day or more")
    midnight = datetime(start.year, start.month, start.day, tzinfo=timezone.utc)
    borders = [midnight + timedelta(days=day, hours=hour) for day in range(days + 1) for hour in border_hours]
    at_borders = [border + offset for offset in _BORDER_OFFSETS for border in borders]
    # Only spreads made-up rows: nothing here has to be unpredictable.
    chance = random.Random(f"{seed} {project_id} activity")  # noqa: S311
    span = timedelta(days=days) // timedelta(milliseconds=1)
    rows: list[DataRow] = []
    for index, border in zip(range(number), _alternate(at_borders), strict=False):
        activity = border or midnight + timedelta(milliseconds=chance.randrange(span))
        rows.append(_make_row(index, activity, f"{seed} {project_id}", project_id, project_name))
    return rows


def _alternate(borders: Sequence[datetime]) -> Iterator[datetime | None]:
    """A border instant for every second row, as long as there are any; None for the others."""
    for border in borders:
        yield None
        yield border
    while True:
        yield None


def _make_row(index: int, activity: datetime, seed: str, project_id: str, project_name: str) -> GeneratedRow:
    name = f"{seed} {index}"
    chance = random.Random(name)  # noqa: S311  # as above
    kind = KINDS[index % len(KINDS)]
    content = kind(chance, name)
    row_id = make_id(f"row {name}")
    dataset_number = chance.randrange(2)
    dataset_id = make_id(f"dataset {seed} {dataset_number}")
    status = list(WORKFLOW_STATUSES)[chance.randrange(4)]
    batch_number = chance.randrange(3)
    batch_id = make_id(f"batch {seed} {batch_number}")
    created = activity - timedelta(days=3, milliseconds=chance.randrange(10**6))
    label_times = [activity - timedelta(hours=hours) for hours in ((), (1,), (26, 1), (5,))[chance.randrange(4)]]
    if status == "TO_LABEL":
        label_times = []
    data_row: dict[str, Any] = {"id": row_id}
    if index % 5 != 3:
        data_row["global_key"] = f"{content.name}-{index}"
    if index % 3 == 0:
        data_row["external_id"] = f"ext {index} \u2013 {content.name}"
    data_row["row_data"] = content.row_data
    project = ProjectPart(
        name=project_name,
        labels=[_make_label(number, moment, name, content, chance) for number, moment in enumerate(label_times)],
        project_details={
            "ontology_id": make_id(f"ontology {seed}"),
            "task_id": make_id(f"queue {seed} {status}"),
            "task_name": {"TO_LABEL": "Initial labeling task", "IN_REVIEW": "Initial review task"}.get(status, status),
            "batch_id": batch_id,
            "batch_name": f"batch {batch_number}",
            "workflow_status": status,
            "priority": 5,
            "consensus_expected_label_count": 1,
            "workflow_history": [
                {"action": "Create", "created_at": row_text(created), "created_by": "ann@example.com"}
            ],
        },
    )
    return GeneratedRow(
        row_id=row_id,
        global_key=data_row.get("global_key"),
        dataset_id=dataset_id,
        memberships={
            project_id: Membership(
                project_name=project_name,
                workflow_status=WORKFLOW_STATUSES[status],
                batch_id=batch_id,
                labels_created_at=tuple(label_times),
            )
        },
        last_activity_at=activity,
        data_row=data_row,
        details={
            "dataset_id": dataset_id,
            "dataset_name": f"Uploads {dataset_number}",
            "created_at": row_text(created),
            "updated_at": row_text(created + timedelta(seconds=2)),
            "created_by": "uploader@example.com",
        },
        content=content,
        projects={project_id: project},
        compact=index % 2 == 0,
        ascii_only=index % 7 == 5,
    )


def _make_label(number: int, moment: datetime, name: str, content: Content, chance: random.Random) -> LabelPart:
    return LabelPart(
        base={"label_kind": content.label_kind, "version": "1.0.0", "id": make_id(f"label {name} {number}")},
        label_details={
            "created_at": row_text(moment),
            "updated_at": row_text(moment + timedelta(minutes=4)),
            "created_by": "annotator@example.com",
            "content_last_updated_at": row_text(moment + timedelta(minutes=4)),
            "reviews": [],
        },
        performance_details={
            "seconds_to_create": chance.randrange(400),
            "seconds_to_review": 1e-07 if number else 0,
            "skipped": False,
            "consensus_score": chance.random(),
        },
        annotations=content.annotations,
        key_frame_annotations=content.key_frame_annotations,
    )
