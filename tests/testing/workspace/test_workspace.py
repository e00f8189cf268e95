"""A generated workspace: every source finds its rows."""

from __future__ import annotations

from typing import Any

import pytest
from support.fake_client import between
from support.workspace_exports import DATA_ROW, EVERYWHERE, Sources, ids

from labelbox_export_provider.testing import FakeLabelbox, generate_workspace


def test_same_arguments_make_the_same_bytes() -> None:
    """The same arguments make the same bytes and another seed others."""

    def everything(seed: int) -> list[bytes]:
        with FakeLabelbox(workspace=generate_workspace(30, seed=seed)) as fake:
            return fake.rows_for(everything=True, params={"includeDataRowDetails": True, **EVERYWHERE})

    assert everything(1) == everything(1)
    assert not set(everything(1)) & set(everything(2))


def test_every_project_but_the_shared_one_has_one_media_kind(fake: FakeLabelbox, rows: Sources) -> None:
    kinds = {}
    for name in fake.projects.values():
        found = [row["media_attributes"]["mime_type"] for row in rows("project", name)]
        kinds[name] = set(found)
    assert kinds.pop("Project without rows") == set()
    shared = kinds.pop("Second opinion")
    assert [len(kind) for kind in kinds.values()] == [1] * 6
    assert shared == set.union(*kinds.values())


def test_projects_have_all_workflow_states(rows: Sources) -> None:
    """Every project knows all workflow states but the shared one two."""

    def states(name: str) -> set[str]:
        found = rows("project", name, includeProjectDetails=True)
        return {next(iter(row["projects"].values()))["project_details"]["workflow_status"] for row in found}

    assert states("Clips") == {"TO_LABEL", "IN_REVIEW", "IN_REWORK", "DONE"}
    assert states("Second opinion") == {"TO_LABEL", "DONE"}
    in_review = {"type": "task_queue_status", "status": "InReview"}
    assert rows("project", "Second opinion", in_review) == []
    assert rows("project", "Clips", in_review) != []


def test_project_export_shows_that_project_alone(rows: Sources) -> None:
    """A project export shows that project alone with its own labels and states."""
    shared = {row["data_row"]["id"]: row for row in rows("project", "Second opinion", includeProjectDetails=True)}
    alone = {row["data_row"]["id"]: row for row in rows("project", "Clips", includeProjectDetails=True)}
    both = shared.keys() & alone.keys()
    assert both
    for row_id in both:
        ((here, mine),) = shared[row_id]["projects"].items()
        ((there, theirs),) = alone[row_id]["projects"].items()
        assert (here, there) == (rows.id_of("Second opinion"), rows.id_of("Clips"))
        assert mine["project_details"]["batch_id"] != theirs["project_details"]["batch_id"]


def test_datasets_slices_and_the_catalog_find_their_rows(fake: FakeLabelbox, rows: Sources) -> None:
    names = [dataset.name for dataset in fake.workspace.datasets]
    parts = {name: ids(rows("dataset", name)) for name in names}
    assert sorted(row_id for part in parts.values() for row_id in part) == sorted(ids(rows("catalog")))
    assert parts.pop("Dataset without rows") == []
    assert all(parts.values())
    assert ids(rows("slice", "Everything")) == ids(rows("catalog"))
    assert ids(rows("slice", "Clips and chats only")) == parts["Clips and chats"]
    assert rows("slice", "Slice without rows") == []
    lately = {"operator": "GREATER_THAN_OR_EQUAL", "timezone": "UTC", "value": "2024-05-08 12:00:00"}
    since = {"type": "data_row_last_activity_at", "value": lately}
    assert ids(rows("slice", "Touched lately")) == ids(rows("catalog", "", since))


def test_model_runs_overlap_and_one_is_empty(rows: Sources) -> None:
    first, second = set(ids(rows("model_run", "Detector v1"))), set(ids(rows("model_run", "Detector v2")))
    assert first & second
    assert first - second
    assert second - first
    assert rows("model_run", "Run without rows") == []


def test_a_dataset_can_be_narrowed_by_activity(rows: Sources) -> None:
    found = rows("dataset", "Clips and chats", between("2024-05-07", "2024-05-08"), includeDataRowDetails=True)
    days = {row["data_row"]["details"]["last_activity_at"][:10] for row in found}
    assert days <= {"2024-05-07", "2024-05-08"}
    assert 0 < len(found) < len(rows("dataset", "Clips and chats"))


@pytest.mark.parametrize(("kind", "name"), [("dataset", "Clips and chats"), ("slice", "Everything"), ("catalog", "")])
def test_catalog_shows_projects_on_request(rows: Sources, kind: str, name: str) -> None:
    """Catalog kinds show projects and experiments only when asked."""

    def shown(**params: Any) -> tuple[set[str], set[str], set[str]]:
        found = rows(kind, name, **params)
        models = [model for row in found for model in row.get("experiments", {}).values()]
        return (
            {key for row in found for key in row} - DATA_ROW,
            {key for row in found for key in row.get("projects", {})},
            {key for model in models for key in model["runs"]},
        )

    clips, second, run = (rows.id_of(place) for place in ("Clips", "Second opinion", "Detector v2"))
    assert shown() == (set(), set(), set())
    assert shown(projectIds=[clips]) == ({"projects"}, {clips}, set())
    assert shown(projectIds=[clips, second]) == ({"projects"}, {clips, second}, set())
    assert shown(modelRunIds=[run]) == ({"experiments"}, set(), {run})
    keys, projects, runs = shown(**EVERYWHERE)
    assert keys == {"projects", "experiments"}
    assert {clips, second} < projects
    assert {run} < runs


def test_a_row_in_no_project_and_no_run_shows_none(rows: Sources) -> None:
    found = rows("dataset", "Rows in no project", **EVERYWHERE)
    assert found
    assert not any("projects" in row for row in found)
