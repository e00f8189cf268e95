"""Filters find exactly the rows that they mean, and nonsense in them is refused."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from support.fake_client import START, Client, between

from labelbox_export_provider.testing import FakeLabelbox, ManualClock, generate_rows

DETAILS = {"params": {"includeDataRowDetails": True, "includeProjectDetails": True, "includeLabelDetails": True}}
MIDNIGHT = datetime(2024, 5, 8, tzinfo=timezone.utc)
LAST_ACTIVITY = "data_row_last_activity_at"


def ids(rows: list[bytes]) -> set[str]:
    return {json.loads(row)["data_row"]["id"] for row in rows}


def one_sided(operator: str, value: str, zone: str = "UTC", kind: str = LAST_ACTIVITY) -> dict[str, Any]:
    return {"type": kind, "value": {"operator": operator, "timezone": zone, "value": value}}


def activities(rows: list[bytes]) -> list[datetime]:
    return [datetime.fromisoformat(json.loads(row)["data_row"]["details"]["last_activity_at"]) for row in rows]


def test_without_filter_every_row_of_the_project_is_exported(fake: FakeLabelbox, client: Client) -> None:
    assert client.rows(**DETAILS) == fake.rows_for(like=fake.exports[-1].export_id)
    assert len(client.rows()) == 90


def test_between_takes_both_ends_and_not_a_millisecond_more(client: Client) -> None:
    found = activities(client.rows(between("2024-05-08T00:00:00+0000", "2024-05-09T00:00:00+0000"), **DETAILS))
    everything = activities(client.rows(**DETAILS))
    day = timedelta(days=1)
    assert sorted(found) == sorted(moment for moment in everything if MIDNIGHT <= moment <= MIDNIGHT + day)
    assert {MIDNIGHT, MIDNIGHT + day} <= set(found)
    assert {MIDNIGHT - timedelta(milliseconds=1), MIDNIGHT + day + timedelta(milliseconds=1)} <= set(everything)


def test_between_can_be_made_to_leave_its_ends_out(fake: FakeLabelbox, client: Client) -> None:
    fake.change(between_includes_ends=False)
    found = activities(client.rows(between("2024-05-08", "2024-05-09"), **DETAILS))
    assert found
    assert not {MIDNIGHT, MIDNIGHT + timedelta(days=1)} & set(found)


def test_the_index_can_be_made_to_know_whole_seconds_only(fake: FakeLabelbox, client: Client) -> None:
    fake.change(search_resolution="second")
    found = activities(client.rows(one_sided("LESS_THAN_OR_EQUAL", "2024-05-08"), **DETAILS))
    assert max(found) == MIDNIGHT + timedelta(milliseconds=999)


def test_one_sided_dates_take_their_end(client: Client) -> None:
    later = activities(client.rows(one_sided("GREATER_THAN_OR_EQUAL", "2024-05-08"), **DETAILS))
    earlier = activities(client.rows(one_sided("LESS_THAN_OR_EQUAL", "2024-05-08"), **DETAILS))
    assert min(later) == max(earlier) == MIDNIGHT
    assert len(later) + len(earlier) == 90 + later.count(MIDNIGHT)


@pytest.mark.parametrize(
    ("start", "zone"),
    [
        ("2024-05-08", "UTC"),
        ("2024-05-08 00:00:00", "UTC"),
        ("2024-05-08T00:00:00+0000", "UTC"),
        ("2024-05-08T00:00:00+0000", "Asia/Tokyo"),
        ("2024-05-08 02:00:00", "Europe/Berlin"),
        ("2024-05-07 17:00:00", "America/Los_Angeles"),
    ],
)
def test_all_spellings_of_an_instant_mean_the_same(client: Client, start: str, zone: str) -> None:
    found = activities(client.rows(one_sided("GREATER_THAN_OR_EQUAL", start, zone), **DETAILS))
    assert min(found) == MIDNIGHT


@pytest.mark.parametrize(
    "value",
    [
        "2024-5-8",
        "2024-05-08T00:00:00Z",
        "2024-05-08T00:00:00.000+0000",
        "2024-05-08T00:00:00+00:00",
        "2024-05-08T00:00:00+0530",
        "2024-02-30",
        "yesterday",
        "",
    ],
)
def test_other_dates_are_refused(client: Client, value: str) -> None:
    variables = client.start_variables([one_sided("GREATER_THAN_OR_EQUAL", value)])
    assert client.refusal(START % ("Project", "Project"), variables)[:2] == (200, "INTERNAL_SERVER_ERROR")


@pytest.mark.parametrize(
    "entry",
    [
        one_sided("GREATER_THAN_OR_EQUAL", "2024-05-08", "Mars/Olympus"),
        one_sided("BETWEEN", "2024-05-08"),
        {"type": "task_queue_status", "status": "ToLabel"},
        {"type": "task_queue_status"},
        {"type": "task_queue_not_exist", "status": "ToLabel"},
        {"type": "batch", "operator": "is", "ids": []},
        {"type": "batch", "ids": ["a"]},
        {"type": "data_row_id", "operator": "is", "ids": ["a"] * 2001},
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(fake: FakeLabelbox, client: Client, entry: dict[str, Any]) -> None:
    answer = client.post(START % ("Project", "Project"), client.start_variables([entry])).json()
    assert answer["errors"][0]["extensions"]["exception"]["status"] == 400
    assert fake.exports == []


def test_the_two_id_filters_exclude_each_other(client: Client) -> None:
    both = [{"type": kind, "operator": "is", "ids": ["a"]} for kind in ("data_row_id", "global_key")]
    assert "cannot be used in one" in client.refusal(START % ("Project", "Project"), client.start_variables(both))[2]


def test_labels_are_found_by_their_creation(client: Client) -> None:
    found = client.rows(between("2024-05-07", "2024-05-08", kind="labeled_at"), **DETAILS)

    def is_labeled_in_window(row: bytes) -> bool:
        (project,) = json.loads(row)["projects"].values()
        times = [datetime.fromisoformat(label["label_details"]["created_at"]) for label in project["labels"]]
        return any(MIDNIGHT - timedelta(days=1) <= moment <= MIDNIGHT for moment in times)

    assert found
    assert ids(found) == ids([row for row in client.rows(**DETAILS) if is_labeled_in_window(row)])


def test_workflow_states_part_the_project(client: Client) -> None:
    entries: dict[str, dict[str, Any]] = {
        "TO_LABEL": {"type": "task_queue_not_exist"},
        "IN_REVIEW": {"type": "task_queue_status", "status": "InReview"},
        "IN_REWORK": {"type": "task_queue_status", "status": "InRework"},
        "DONE": {"type": "task_queue_status", "status": "Done"},
    }
    found = {status: client.rows(entry, **DETAILS) for status, entry in entries.items()}
    for status, rows in found.items():
        details = [next(iter(json.loads(row)["projects"].values()))["project_details"] for row in rows]
        assert {detail["workflow_status"] for detail in details} == {status}
    assert sum(map(len, found.values())) == 90


def test_rows_are_found_by_id_key_batch_and_dataset(fake: FakeLabelbox, client: Client) -> None:
    rows = [json.loads(row) for row in client.rows(**DETAILS)]
    row = next(row for row in rows if "global_key" in row["data_row"])
    (project,) = row["projects"].values()
    values = {
        "data_row_id": row["data_row"]["id"],
        "global_key": row["data_row"]["global_key"],
        "batch": project["project_details"]["batch_id"],
        "dataset": row["data_row"]["details"]["dataset_id"],
    }
    sizes = {}
    for kind, value in values.items():
        found = ids(client.rows({"type": kind, "operator": "is", "ids": [value, "other"]}))
        assert row["data_row"]["id"] in found
        sizes[kind] = len(found)
    assert sizes["data_row_id"] == sizes["global_key"] == 1
    assert 1 < sizes["batch"] < 90
    assert 1 < sizes["dataset"] < 90


def test_unknown_row_ids_give_an_empty_export(client: Client) -> None:
    """Unknown row ids give a complete export with a null header."""
    export_id = client.start({"type": "data_row_id", "operator": "is", "ids": ["unknown"]})
    assert client.status(export_id) == "COMPLETE"
    assert client.header(export_id) is None
    assert client.file_at(export_id) is None


def test_filters_are_joined_with_and(client: Client) -> None:
    done = {"type": "task_queue_status", "status": "Done"}
    day = between("2024-05-08", "2024-05-09")
    both = ids(client.rows(done, day))
    assert both
    assert both == ids(client.rows(done)) & ids(client.rows(day)) < ids(client.rows(done))


def test_an_edited_row_moves_to_another_window(fake: FakeLabelbox, client: Client, clock: ManualClock) -> None:
    row_id = fake.row_ids()[0]
    fake.edit(row_id, datetime(2024, 7, 1, tzinfo=timezone.utc))
    (row,) = client.rows(between("2024-06-30", "2024-07-02"), **DETAILS)
    assert json.loads(row)["data_row"]["id"] == row_id
    assert activities([row]) == [datetime(2024, 7, 1, tzinfo=timezone.utc)]


def test_the_search_can_lag_behind_edits(fake: FakeLabelbox, client: Client, clock: ManualClock) -> None:
    fake.change(search_lag_seconds=5)
    fake.edit(fake.row_ids()[0], datetime(2024, 7, 1, tzinfo=timezone.utc))
    later = one_sided("GREATER_THAN_OR_EQUAL", "2024-06-30")
    clock.advance(4)
    assert client.rows(later) == []
    clock.advance(1)
    assert len(client.rows(later)) == 1


def test_catalog_export_searches_everywhere() -> None:
    """A catalog export searches everywhere and shows projects on request."""
    with FakeLabelbox([*generate_rows(10), *generate_rows(10, project_id="clsecondproject0000000000")]) as fake:
        client = Client(fake)
        filters: dict[str, Any] = {"searchQuery": {"scope": None, "query": []}}
        bare = [json.loads(r) for r in client.read(client.start_from("Catalog", filters)).splitlines()]
        assert len(bare) == 20
        assert not any("projects" in row for row in bare)
        one = client.read(client.start_from("Catalog", filters, projectIds=[fake.project_id]))
        assert [("projects" in json.loads(row)) for row in one.splitlines()] == [True] * 10 + [False] * 10
        every = client.read(client.start_from("Catalog", filters, allProjects=True))
        assert all("projects" in json.loads(row) for row in every.splitlines())
        assert fake.exports[-1].source_kind == "catalog"
