"""Places of a generated workspace: unknown ones, limits, names and listings."""

from __future__ import annotations

from typing import Any

import pytest
from support.fake_client import START, Client
from support.workspace_exports import EVERYWHERE, Sources, ids, in_dataset, searched

from labelbox_export_provider.testing import FakeLabelbox, Place, Slice, Workspace, generate_rows


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


def test_expected_rows_are_known_for_every_source(fake: FakeLabelbox, rows: Sources) -> None:
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
