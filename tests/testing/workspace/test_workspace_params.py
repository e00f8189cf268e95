"""Export params add and remove the parts of a row as the export field table has them."""

from __future__ import annotations

from typing import Any

import pytest
from support.workspace_exports import DATA_ROW, EVERYWHERE, Sources


def test_project_tags_are_in_project_exports_only(rows: Sources) -> None:
    """A project export has project tags and a catalog export none."""

    def project_keys(found: list[dict[str, Any]]) -> set[str]:
        return {key for row in found for project in row["projects"].values() for key in project}

    assert project_keys(rows("project", "Clips")) == {"name", "labels", "project_tags"}
    clips = {"projectIds": [rows.id_of("Clips")]}
    found = [row for row in rows("dataset", "Clips and chats", **clips) if "projects" in row]
    assert project_keys(found) == {"name", "labels"}


def test_model_run_export_has_labels_always(rows: Sources) -> None:
    """A model run export has experiments and labels always and the rest on request."""

    def runs(**params: Any) -> list[dict[str, Any]]:
        found = rows("model_run", "Detector v1", **params)
        assert {key for row in found for key in row} - DATA_ROW == {"experiments"}
        ((model_id, _),) = {(key, model["name"]) for row in found for key, model in row["experiments"].items()}
        assert model_id == rows.id_of("Detector")
        return [row["experiments"][model_id]["runs"][rows.id_of("Detector v1")] for row in found]

    always = {"name", "run_data_row_id", "labels"}
    assert {key for run in runs() for key in run} == always
    assert any(run["labels"] for run in runs())
    assert len({run["run_data_row_id"] for run in runs()}) == len(runs())
    predicted = runs(includePredictions=True)
    assert all(set(run) == {*always, "predictions"} and run["predictions"] for run in predicted)
    label_keys = {key for run in predicted for label in (*run["labels"], *run["predictions"]) for key in label}
    assert label_keys == {"label_kind", "version", "id", "annotations"}
    assert {run["split"] for run in runs(includeModelRunDetails=True)} == {"Training", "Validation", "Test"}


def test_predictions_come_on_request(rows: Sources) -> None:
    """Predictions of the catalog come on request for the runs that are shown."""

    def run_keys(**params: Any) -> set[str]:
        found = rows("catalog", **params)
        models = [model for row in found for model in row.get("experiments", {}).values()]
        return {key for model in models for run in model["runs"].values() for key in run}

    assert run_keys(includePredictions=True) == set()
    assert run_keys(allModelRuns=True) == {"name", "run_data_row_id", "labels", "split"}
    shown = run_keys(includePredictions=True, allModelRuns=True)
    assert shown == {"name", "run_data_row_id", "labels", "split", "predictions"}


@pytest.mark.parametrize(("kind", "name"), [("project", "Clips"), ("dataset", "Clips and chats"), ("catalog", "")])
def test_label_params_add_their_part_to_labels_of_projects(rows: Sources, kind: str, name: str) -> None:
    everywhere = {} if kind == "project" else EVERYWHERE

    def added(param: str) -> tuple[set[str], set[str]]:
        def keys(**params: Any) -> tuple[set[str], set[str]]:
            projects = [p for row in rows(kind, name, **params, **everywhere) for p in row.get("projects", {}).values()]
            return {key for p in projects for key in p}, {key for p in projects for one in p["labels"] for key in one}

        before, after = keys(), keys(**{param: True})
        return after[0] - before[0], after[1] - before[1]

    assert added("includeProjectDetails") == ({"project_details"}, set())
    assert added("includeLabelDetails") == (set(), {"label_details"})
    assert added("includePerformanceDetails") == (set(), {"performance_details"})


@pytest.mark.parametrize(
    ("kind", "name"), [("project", "Clips"), ("dataset", "Clips and chats"), ("model_run", "Detector v1")]
)
def test_row_params_add_their_part_to_rows_of_every_kind(rows: Sources, kind: str, name: str) -> None:
    bare = {key for row in rows(kind, name) for key in row}
    for param, key in (("Attachments", "attachments"), ("Metadata", "metadata_fields"), ("Embeddings", "embeddings")):
        assert {key for row in rows(kind, name, **{f"include{param}": True}) for key in row} - bare == {key}
    assert all("details" in row["data_row"] for row in rows(kind, name, includeDataRowDetails=True))
    assert not any("details" in row["data_row"] for row in rows(kind, name))


@pytest.mark.parametrize(
    ("kind", "name", "params"),
    [
        ("project", "Clips", {}),
        ("dataset", "Clips and chats", {"allProjects": True}),
        ("slice", "Everything", {"allModelRuns": True, "includePredictions": True}),
        ("model_run", "Detector v1", {"includePredictions": True}),
    ],
)
def test_without_the_flag_videos_have_key_frames_alone(
    rows: Sources, kind: str, name: str, params: dict[str, Any]
) -> None:
    def frames(**more: Any) -> list[int]:
        videos = [r for r in rows(kind, name, **params, **more) if r["media_attributes"]["mime_type"] == "video/mp4"]
        projects = [project for video in videos for project in video.get("projects", {}).values()]
        models = [model for video in videos for model in video.get("experiments", {}).values()]
        parts = [*projects, *(run for model in models for run in model["runs"].values())]
        labels = [label for part in parts for label in (*part["labels"], *part.get("predictions", ()))]
        return [len(label["annotations"]["frames"]) for label in labels]

    key_frames, all_frames = frames(), frames(includeInterpolatedFrames=True)
    assert set(key_frames) == {2}
    assert len(all_frames) == len(key_frames)
    assert min(all_frames) > 2
