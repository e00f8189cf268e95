"""Generated data rows of many kinds, spread over some days and reproducible from their settings."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

from labelbox_export_provider.testing.clock import row_text
from labelbox_export_provider.testing.data.generated_row import GeneratedRow, LabelPart, ProjectPart
from labelbox_export_provider.testing.data.media_kinds import KINDS, Content
from labelbox_export_provider.testing.data.rows import WORKFLOW_STATUSES, DataRow, Membership
from labelbox_export_provider.testing.ids import DEMO_PROJECT_ID, make_id

_BORDER_OFFSETS = tuple(timedelta(milliseconds=ms) for ms in (0, -1, 1, 999, -1000, 1000, -500))


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
    """Generate rows of one project whose `last_activity_at` lies in the `days` UTC days from `start`.

    Up to half of the rows lie on a window border (each of `border_hours` UTC, of every day and of the day after the
    last) or up to a second from it; the others anywhere, to the millisecond. Row `i` has the same id and content in
    every set with the same seed and project.
    """
    moments = spread_moments(number, start=start, days=days, seed=f"{seed} {project_id}", border_hours=border_hours)
    return [
        _make_row(index, activity, f"{seed} {project_id}", project_id, project_name)
        for index, activity in enumerate(moments)
    ]


def spread_moments(number: int, *, start: date, days: int, seed: str, border_hours: Sequence[int]) -> list[datetime]:
    """Return `number` instants over some days, every second one on a window border or beside it."""
    if number < 0 or days < 1:
        raise ValueError(f"number={number} and days={days}: number must be at least 0 and days at least 1")
    midnight = datetime(start.year, start.month, start.day, tzinfo=timezone.utc)
    borders = [midnight + timedelta(days=day, hours=hour) for day in range(days + 1) for hour in border_hours]
    at_borders = [border + offset for offset in _BORDER_OFFSETS for border in borders]
    # Only spreads generated rows: nothing here needs to be unpredictable.
    chance = random.Random(f"{seed} activity")  # noqa: S311
    span = timedelta(days=days) // timedelta(milliseconds=1)
    return [
        border or midnight + timedelta(milliseconds=chance.randrange(span))
        for _, border in zip(range(number), _alternate(at_borders), strict=False)
    ]


def _alternate(borders: Sequence[datetime]) -> Iterator[datetime | None]:
    """Return a border instant for every second row, while there are any; None for the others."""
    for border in borders:
        yield None
        yield border
    while True:
        yield None


def _make_row(index: int, activity: datetime, seed: str, project_id: str, project_name: str) -> GeneratedRow:
    name = f"{seed} {index}"
    chance = random.Random(name)  # noqa: S311  # as above
    content = KINDS[index % len(KINDS)](chance, name)
    row_id = make_id(f"row {name}")
    dataset_number = chance.randrange(2)
    dataset_id = make_id(f"dataset {seed} {dataset_number}")
    status = list(WORKFLOW_STATUSES)[chance.randrange(4)]
    batch_number = chance.randrange(3)
    created = activity - timedelta(days=3, milliseconds=chance.randrange(10**6))
    label_times = [activity - timedelta(hours=hours) for hours in ((), (1,), (26, 1), (5,))[chance.randrange(4)]]
    label_times = [] if status == "TO_LABEL" else label_times
    data_row = make_data_row(row_id, index, content)
    batch = (make_id(f"batch {seed} {batch_number}"), f"batch {batch_number}")
    project = ProjectPart(
        name=project_name,
        labels=[make_label(number, moment, name, content, chance) for number, moment in enumerate(label_times)],
        project_details=_project_details(seed, status, batch, created),
    )
    return GeneratedRow(
        row_id=row_id,
        global_key=data_row.get("global_key"),
        dataset_id=dataset_id,
        dataset_name=f"Uploads {dataset_number}",
        memberships={
            project_id: Membership(
                project_name=project_name,
                workflow_status=WORKFLOW_STATUSES[status],
                batch_id=batch[0],
                batch_name=batch[1],
                labels_created_at=tuple(label_times),
            )
        },
        last_activity_at=activity,
        data_row=data_row,
        details=make_details(dataset_id, f"Uploads {dataset_number}", created),
        content=content,
        projects={project_id: project},
        compact=index % 2 == 0,
        ascii_only=index % 7 == 5,
    )


def _project_details(seed: str, status: str, batch: tuple[str, str], created: datetime) -> dict[str, Any]:
    return {
        "ontology_id": make_id(f"ontology {seed}"),
        "task_id": make_id(f"queue {seed} {status}"),
        "task_name": {"TO_LABEL": "Initial labeling task", "IN_REVIEW": "Initial review task"}.get(status, status),
        "batch_id": batch[0],
        "batch_name": batch[1],
        "workflow_status": status,
        "priority": 5,
        "consensus_expected_label_count": 1,
        "workflow_history": [{"action": "Create", "created_at": row_text(created), "created_by": "ann@example.com"}],
    }


def make_data_row(row_id: str, index: int, content: Content) -> dict[str, Any]:
    """Return the `data_row` member; some rows have no global key, most have no external id."""
    data_row: dict[str, Any] = {"id": row_id}
    if index % 5 != 3:
        data_row["global_key"] = f"{content.name}-{index}"
    if index % 3 == 0:
        data_row["external_id"] = f"ext {index} \u2013 {content.name}"
    return {**data_row, "row_data": content.row_data}


def make_details(dataset_id: str, dataset_name: str, created: datetime) -> dict[str, Any]:
    """Return the data row details of a row that was uploaded at this instant."""
    return {
        "dataset_id": dataset_id,
        "dataset_name": dataset_name,
        "created_at": row_text(created),
        "updated_at": row_text(created + timedelta(seconds=2)),
        "created_by": "uploader@example.com",
    }


def make_label(number: int, moment: datetime, name: str, content: Content, chance: random.Random) -> LabelPart:
    """Return a label of a row that was made at this instant."""
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
