"""A whole workspace: every source finds its rows, and params add and remove what the export field table says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.fake_client import START, Client, between

from labelbox_export_provider.testing import FakeLabelbox, Place, Slice, Workspace, generate_rows, generate_workspace

EVERYWHERE = {"allProjects": True, "allModelRuns": True}
DATA_ROW = {"data_row", "media_attributes"}


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeLabelbox]:
    """One workspace for all tests of this module, none of which changes it."""
    with FakeLabelbox(workspace=generate_workspace()) as running:
        yield running


@pytest.fixture(scope="module")
def client(fake: FakeLabelbox) -> Client:
    return Client(fake)


@pytest.fixture(autouse=True)
def same_switches(fake: FakeLabelbox) -> Iterator[None]:
    before = dict(fake.behaviour.__dict__)
    yield
    fake.change(**before)


def searched(*query: Any) -> dict[str, Any]:
    return {"searchQuery": {"scope": None, "query": list(query)}}


def in_dataset(dataset_id: str) -> dict[str, Any]:
    return {"type": "dataset", "operator": "is", "ids": [dataset_id]}


class Sources:
    """Starts an export of any source and gives its rows, parsed."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.id_of = client.fake.workspace.id_of

    def lines(self, kind: str, name: str = "", *query: Any, **params: Any) -> list[bytes]:
        made: dict[str, Callable[[], tuple[str, dict[str, Any]]]] = {
            "project": lambda: ("Project", {"projectId": self.id_of(name), **searched(*query)}),
            "dataset": lambda: ("Catalog", searched(*query, in_dataset(self.id_of(name)))),
            "catalog": lambda: ("Catalog", searched(*query)),
            "slice": lambda: ("Slice", {"sliceId": self.id_of(name)}),
            "model_run": lambda: ("ModelRun", {"modelRunId": self.id_of(name)}),
        }
        place, filters = made[kind]()
        export_id = self.client.start_from(place, filters, **params)
        content = self.client.read(export_id)
        assert content == self.client.fake.expected_rows(export_id)
        return content.split(b"\n")[:-1]

    def __call__(self, kind: str, name: str = "", *query: Any, **params: Any) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines(kind, name, *query, **params)]


@pytest.fixture(scope="module")
def rows(client: Client) -> Sources:
    return Sources(client)


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["data_row"]["id"] for row in rows]


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


@pytest.mark.parametrize(
    ("place", "filters"),
    [
        ("Project", {"projectId": "clnothere", **searched()}),
        ("Catalog", searched(in_dataset("clnothere"))),
        ("Slice", {"sliceId": "clnothere"}),
        ("ModelRun", {"modelRunId": "clnothere"}),
    ],
)
def test_a_source_that_does_not_exist_is_not_found(client: Client, place: str, filters: dict[str, Any]) -> None:
    given = {"taskName": None, "isStreamableReady": True, "streamable": True, "filters": filters, "params": {}}
    status, code, message = client.refusal(START % (place, place), {"input": given})
    assert (status, code) == (200, "RESOURCE_NOT_FOUND")
    assert "clnothere" in message


def test_an_unknown_dataset_can_be_made_to_pass_for_an_empty_one(fake: FakeLabelbox, client: Client) -> None:
    fake.change(unknown_dataset="empty")
    assert client.header(client.start_from("Catalog", searched(in_dataset("clnothere")))) is None


def test_both_id_filters_can_be_made_to_find_what_both_name(fake: FakeLabelbox, rows: Sources) -> None:
    fake.change(id_filters_exclude_each_other=False)
    row = next(row for row in fake.workspace.rows if row.global_key)
    found = rows(
        "catalog",
        "",
        {"type": "data_row_id", "operator": "is", "ids": [row.row_id, "other"]},
        {"type": "global_key", "operator": "is", "ids": [row.global_key]},
    )
    assert ids(found) == [row.row_id]


@pytest.mark.parametrize("member", ["projectIds", "modelRunIds"])
def test_thirty_projects_and_model_runs_can_be_named_at_most(client: Client, member: str) -> None:
    params = {member: ["a"] * 31}
    given = {"taskName": None, "isStreamableReady": True, "streamable": True, "filters": searched(), "params": params}
    assert "30 ids at most" in client.refusal(START % ("Catalog", "Catalog"), {"input": given})[2]


def test_switches_decide_which_disputed_params_exist(fake: FakeLabelbox, client: Client) -> None:
    fake.change(catalog_predictions=False, model_run_interpolated_frames=False)
    run = {"modelRunId": fake.workspace.id_of("Detector v1")}
    for place, filters, param in (
        ("Catalog", searched(), "includePredictions"),
        ("ModelRun", run, "includeInterpolatedFrames"),
    ):
        given = {"isStreamableReady": True, "streamable": True, "filters": filters, "params": {param: True}}
        assert client.refusal(START % (place, place), {"input": given})[1] == "GRAPHQL_VALIDATION_FAILED"


def test_the_truth_of_a_window_is_told_for_every_source(fake: FakeLabelbox, rows: Sources) -> None:
    params: dict[str, Any] = {"includeDataRowDetails": True}
    assert fake.rows_for(rows.id_of("Clips")) == rows.lines("project", "Clips", **params)
    assert fake.rows_for(dataset_id=rows.id_of("Clips and chats")) == rows.lines("dataset", "Clips and chats", **params)
    assert fake.rows_for(slice_id=rows.id_of("Everything")) == rows.lines("slice", "Everything", **params)
    assert fake.rows_for(model_run_id=rows.id_of("Reader v1")) == rows.lines("model_run", "Reader v1", **params)
    assert fake.rows_for(everything=True, params=EVERYWHERE) == rows.lines("catalog", "", **EVERYWHERE)
    assert fake.rows_for(like=fake.exports[-1].export_id) == rows.lines("catalog", "", **EVERYWHERE)
    with pytest.raises(LookupError, match=f"no model run has the id x; there are .*{rows.id_of('Reader v1')}"):
        fake.rows_for(model_run_id="x")
    with pytest.raises(ValueError, match="one source at a time, not dataset and catalog"):
        fake.rows_for(dataset_id="x", everything=True)


def test_places_are_found_by_name(fake: FakeLabelbox) -> None:
    """Places are found by name and a name that nothing has is reported."""
    assert fake.projects[fake.workspace.id_of("Clips")] == "Clips"
    with pytest.raises(LookupError, match=r"0 places are named 'Clip'; there are .*Clips"):
        fake.workspace.id_of("Clip")


def test_places_and_batches_are_listed_page_by_page(fake: FakeLabelbox, client: Client) -> None:
    def names(skip: int, first: int) -> list[str]:
        page = client.ask(
            "query ($skip: Int, $first: Int) { datasets(skip: $skip, first: $first) { name } }",
            {"skip": skip, "first": first},
        )
        return [dataset["name"] for dataset in page["datasets"]]

    assert names(0, 2) + names(2, 2) + names(4, 2) == [place.name for place in fake.workspace.datasets]
    assert client.ask("{ projects(where: {deleted: true}) { id } }") == {"projects": []}
    query = (
        "query ($id: ID!, $after: String) { project(where: {id: $id}) "
        "{ batches(after: $after, first: 1) { nodes { name size } pageInfo { endCursor hasNextPage } } } }"
    )
    found, after = [], None
    while page := client.ask(query, {"id": fake.workspace.id_of("Clips"), "after": after})["project"]["batches"]:
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert [batch["name"] for batch in found] == ["Clips batch 1", "Clips batch 2"]
    assert sum(batch["size"] for batch in found) == len(fake.row_ids(fake.workspace.id_of("Clips")))


def test_own_workspace_lists_only_unnamed_places() -> None:
    """A workspace of one's own needs to list only what no row names."""
    first = generate_rows(4)
    place = Slice(id="s1", name="Half", query=[{"type": "data_row_id", "operator": "is", "ids": [first[0].row_id]}])
    workspace = Workspace(rows=first, projects=[Place(id="p0", name="Empty")], slices=[place])
    with FakeLabelbox(workspace=workspace) as fake:
        assert list(fake.projects.values()) == ["Empty", "Street scenes"]
        assert {batch.name for batch in fake.workspace.batches} <= {"batch 0", "batch 1", "batch 2"}
        assert len(Client(fake).read(Client(fake).start_from("Slice", {"sliceId": "s1"})).splitlines()) == 1
    with pytest.raises(ValueError, match="either workspace= or rows"):
        FakeLabelbox(first, workspace=workspace)
