"""A generated workspace: every media kind and every source, with rows and without."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from labelbox_export_provider.testing.data.dataset import make_data_row, make_details, make_label, spread_moments
from labelbox_export_provider.testing.data.generated_row import GeneratedRow, LabelPart, ProjectPart, RunPart
from labelbox_export_provider.testing.data.media_kinds import KINDS, Content
from labelbox_export_provider.testing.data.rows import WORKFLOW_STATUSES, Membership, RunMembership
from labelbox_export_provider.testing.data.workspace import Batch, ModelRun, Place, Slice, Workspace
from labelbox_export_provider.testing.ids import (
    DEMO_DATASET_ID,
    DEMO_MODEL_RUN_ID,
    DEMO_PROJECT_ID,
    DEMO_SLICE_ID,
    make_id,
)

PROJECTS = ("Street scenes", "Reviews", "Clips", "Support chats", "Invoices", "Calls")
"""The project of each media kind, in the order of `KINDS`."""
SECOND_OPINION, NO_ROWS = "Second opinion", "Project without rows"
DATASETS = ("Pictures and reviews", "Clips and chats", "Invoices and calls")
"""The dataset of each two media kinds. Every seventh row is in the dataset of rows that are in no project instead."""
EVERYTHING = "Everything"
UNLABELED, NO_UPLOADS = "Rows in no project", "Dataset without rows"
RUNS = {"Detector v1": "Detector", "Detector v2": "Detector", "Reader v1": "Reader", "Run without rows": "Reader"}
"""Model runs and their models."""
_PROJECT_IDS = {PROJECTS[0]: DEMO_PROJECT_ID}
_DATASET_IDS = {DATASETS[0]: DEMO_DATASET_ID}
_SLICE_IDS = {EVERYTHING: DEMO_SLICE_ID}
_RUN_IDS = {next(iter(RUNS)): DEMO_MODEL_RUN_ID}
_STATES = tuple(WORKFLOW_STATUSES)
_SPLITS = ("Training", "Validation", "Test")
_HISTORY = [{"action": "Create", "created_at": "2024-05-01T00:00:00.000+00:00", "created_by": "ann@example.com"}]


def generate_workspace(
    number: int = 120,
    *,
    start: date = date(2024, 5, 6),
    days: int = 5,
    seed: int = 1,
    border_hours: Sequence[int] = (0, 2),
) -> Workspace:
    """Generate a workspace of `rows` rows whose `last_activity_at` lies in the `days` UTC days from `start`.

    A project for each media kind (image, text, video, conversational, document, audio) with two batches and all
    workflow states; "Second opinion", which shares every fifth row with them, has other labels on it and knows no row
    in review or rework; three datasets, and one whose rows are in no project; runs of two models that overlap; slices
    that hold all rows, those of one dataset, and those touched since the middle of the time. And of each kind one
    without rows: project, dataset, batch, model run, slice. `Workspace.id_of` finds them by name; the first project,
    dataset, slice and model run have the ids of `DEMO_PROJECT_ID` and its siblings. The same arguments make the same
    bytes.
    """
    maker = _Maker(f"workspace {seed}")
    moments = spread_moments(number, start=start, days=days, seed=maker.seed, border_hours=border_hours)
    middle = datetime(start.year, start.month, start.day, tzinfo=timezone.utc) + timedelta(days=days / 2)
    since = {"operator": "GREATER_THAN_OR_EQUAL", "timezone": "UTC", "value": f"{middle:%Y-%m-%dT%H:%M:%S}+0000"}
    return Workspace(
        rows=[maker.row(index, moment) for index, moment in enumerate(moments)],
        projects=[Place(id=maker.project_id(name), name=name) for name in (*PROJECTS, SECOND_OPINION, NO_ROWS)],
        datasets=[Place(id=maker.dataset_id(name), name=name) for name in (*DATASETS, UNLABELED, NO_UPLOADS)],
        batches=[
            Batch(id=make_id(f"{maker.seed} no batch"), name="Batch without rows", project_id=maker.project_id(NO_ROWS))
        ],
        slices=[
            maker.slice(EVERYTHING),
            maker.slice("Clips and chats only", maker.dataset_filter(DATASETS[1])),
            maker.slice("Touched lately", {"type": "data_row_last_activity_at", "value": since}),
            maker.slice("Slice without rows", maker.dataset_filter(NO_UPLOADS)),
        ],
        models=[Place(id=maker.model_id(name), name=name) for name in dict.fromkeys(RUNS.values())],
        model_runs=[
            ModelRun(id=maker.run_id(name), name=name, model_id=maker.model_id(model)) for name, model in RUNS.items()
        ],
    )


@dataclass(frozen=True)
class _Draft:
    """The inputs from which the parts of a row are made."""

    index: int
    activity: datetime
    content: Content
    chance: random.Random


@dataclass(frozen=True)
class _Maker:
    """Makes the parts of one workspace."""

    seed: str

    def project_id(self, name: str) -> str:
        return _PROJECT_IDS.get(name) or make_id(f"{self.seed} project {name}")

    def dataset_id(self, name: str) -> str:
        return _DATASET_IDS.get(name) or make_id(f"{self.seed} dataset {name}")

    def model_id(self, name: str) -> str:
        return make_id(f"{self.seed} model {name}")

    def run_id(self, name: str) -> str:
        return _RUN_IDS.get(name) or make_id(f"{self.seed} run {name}")

    def dataset_filter(self, name: str) -> Mapping[str, Any]:
        return {"type": "dataset", "operator": "is", "ids": [self.dataset_id(name)]}

    def slice(self, name: str, *query: Mapping[str, Any]) -> Slice:
        slice_id = _SLICE_IDS.get(name) or make_id(f"{self.seed} slice {name}")
        return Slice(id=slice_id, name=name, description=f"{name}, saved", query=query)

    def row(self, index: int, activity: datetime) -> GeneratedRow:
        name = f"{self.seed} row {index}"
        # Only spreads generated values: nothing here needs to be unpredictable.
        chance = random.Random(name)  # noqa: S311
        kind = index % len(KINDS)
        content = KINDS[kind](chance, name)
        draft = _Draft(index, activity, content, chance)
        created = activity - timedelta(days=3, milliseconds=chance.randrange(10**6))
        is_unlabeled = index % 7 == 6
        dataset = UNLABELED if is_unlabeled else DATASETS[kind // 2]
        data_row = make_data_row(make_id(name), index, content)
        places = {} if is_unlabeled else self._places(draft)
        labels = next((part.labels for part, _ in places.values() if part.labels), [])
        runs = self._runs(draft, labels)
        return GeneratedRow(
            row_id=data_row["id"],
            global_key=data_row.get("global_key"),
            dataset_id=self.dataset_id(dataset),
            dataset_name=dataset,
            memberships={self.project_id(project): place for project, (_, place) in places.items()},
            runs={
                self.run_id(run): RunMembership(model_id=self.model_id(RUNS[run]), model_name=RUNS[run], run_name=run)
                for run in runs
            },
            last_activity_at=activity,
            data_row=data_row,
            details=make_details(self.dataset_id(dataset), dataset, created),
            content=content,
            projects={self.project_id(project): part for project, (part, _) in places.items()},
            run_parts={self.run_id(run): part for run, part in runs.items()},
            compact=index % 2 == 0,
            ascii_only=index % 8 == 5,
        )

    def _places(self, row: _Draft) -> dict[str, tuple[ProjectPart, Membership]]:
        kind = row.index % len(KINDS)
        places = {PROJECTS[kind]: self._place(PROJECTS[kind], row, _STATES[row.index // len(KINDS) % 4])}
        if row.index % 5 == 1:
            places[SECOND_OPINION] = self._place(SECOND_OPINION, row, ("TO_LABEL", "DONE")[row.index // 5 % 2])
        return places

    def _place(self, project: str, row: _Draft, state: str) -> tuple[ProjectPart, Membership]:
        ages = () if state == "TO_LABEL" else ((1,), (26, 1), (5,))[row.index % 3]
        made = [row.activity - timedelta(hours=hours) for hours in ages]
        batch = f"{project} batch {row.index // (4 * len(KINDS)) % 2 + 1}"
        batch_id = make_id(f"{self.seed} {batch}")
        name = f"{self.seed} {project} {row.index}"
        labels = [make_label(number, moment, name, row.content, row.chance) for number, moment in enumerate(made)]
        details = {
            "ontology_id": make_id(f"{self.seed} ontology {project}"),
            "task_id": make_id(f"{self.seed} queue {project} {state}"),
            "task_name": {"TO_LABEL": "Initial labeling task", "IN_REVIEW": "Initial review task"}.get(state, state),
            "batch_id": batch_id,
            "batch_name": batch,
            "workflow_status": state,
            "priority": 5,
            "selected_label_id": labels[0].base["id"] if labels else None,
            "consensus_expected_label_count": 1,
            "workflow_history": _HISTORY,
        }
        membership = Membership(
            project_name=project,
            workflow_status=WORKFLOW_STATUSES[state],
            batch_id=batch_id,
            batch_name=batch,
            labels_created_at=tuple(made),
        )
        return ProjectPart(name=project, labels=labels, project_details=details), membership

    def _runs(self, row: _Draft, labels: Sequence[LabelPart]) -> dict[str, RunPart]:
        """Every second row is in the first run, every third in the second, every fifth in that of the other model."""
        runs: dict[str, RunPart] = {}
        for run, every in zip(RUNS, (2, 3, 5), strict=False):
            if row.index % every == 0:
                name = f"{self.seed} {run} {row.index}"
                runs[run] = RunPart(
                    name=run,
                    run_data_row_id=make_id(f"{name} run data row"),
                    labels=labels,
                    predictions=[make_label(0, row.activity, name, row.content, row.chance)],
                    split=_SPLITS[row.index % 3],
                )
        return runs
