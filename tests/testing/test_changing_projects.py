"""Projects that are added and deleted while the fake runs, and how it lists them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.fake_client import START, Client

from labelbox_export_provider.testing import FakeLabelbox, generate_rows

LIST = "query ($skip: Int, $first: Int) { projects(where: {deleted: false} skip: $skip first: $first) { id name } }"


def listed(client: Client, **paging: int) -> list[str]:
    found: list[dict[str, Any]] = client.ask(LIST, paging)["projects"]
    return [each["id"] for each in found]


def test_a_project_added_with_its_rows_is_listed_and_exported(fake: FakeLabelbox, client: Client) -> None:
    fake.add_project("clpempty", "Empty")
    fake.add_project("clpadded", "Added", generate_rows(7, project_id="clpadded", project_name="Added"))
    assert listed(client) == [fake.project_id, "clpempty", "clpadded"]
    assert fake.projects["clpadded"] == "Added"
    assert client.read(client.start(project_id="clpadded")).splitlines() == fake.rows_for("clpadded", params={})
    assert client.header(client.start(project_id="clpempty")) is None
    fake.edit(fake.row_ids("clpadded")[0])


def test_a_deleted_project_is_gone_with_its_labels(fake: FakeLabelbox, client: Client) -> None:
    """Its rows stay in their dataset, as in Labelbox; an export that was started keeps what it found."""
    fake.add_project("clpkept", "Kept")
    project_id, rows = fake.project_id, len(fake.workspace.rows)
    running = client.start()
    fake.delete_project(project_id)
    assert listed(client) == ["clpkept"]
    variables = client.start_variables(project_id=project_id)
    assert client.refusal(START % ("Project", "Project"), variables)[1] == "RESOURCE_NOT_FOUND"
    assert len(client.read(running).splitlines()) == rows
    search: dict[str, Any] = {"searchQuery": {"scope": None, "query": []}}
    catalog = client.read(client.start_from("Catalog", search, allProjects=True))
    found = [json.loads(row) for row in catalog.splitlines()]
    assert (len(found), [row for row in found if "projects" in row]) == (rows, [])
    with pytest.raises(LookupError, match=project_id):
        fake.delete_project(project_id)


def test_order_and_size_of_pages_are_switches(fake: FakeLabelbox, client: Client) -> None:
    for number in range(4):
        fake.add_project(f"clp{number}", "Another")
    oldest_first = [fake.project_id, "clp0", "clp1", "clp2", "clp3"]
    assert listed(client, skip=1, first=2) == ["clp0", "clp1"]
    fake.change(places_newest_first=True, places_per_page=3)
    assert listed(client, first=100) == oldest_first[:1:-1]
    assert listed(client, skip=3, first=100) == oldest_first[1::-1]


def test_a_project_can_be_seen_and_not_exported(fake: FakeLabelbox, client: Client) -> None:
    fake.add_project("clpdenied", "Denied")
    fake.deny_project("clpdenied")
    assert "clpdenied" in listed(client)
    variables = client.start_variables(project_id="clpdenied")
    _, code, message = client.refusal(START % ("Project", "Project"), variables)
    assert (code, "clpdenied" in message) == ("AUTHORIZATION_ERROR", True)
    assert client.start() == fake.exports[0].export_id
