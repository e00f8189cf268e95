"""The schema takes what the protocol has, word for word, and refuses everything else."""

from __future__ import annotations

import httpx
import pytest
from support.fake_client import FILE, HEADER, START, STATUS, Client

from labelbox_export_provider.testing import FakeLabelbox, FakeUser


def test_user_and_organization_can_be_asked_in_one_query(fake: FakeLabelbox, client: Client) -> None:
    data = client.ask("query { user { id email timezone } organization { id name } }")
    assert data["user"] == {"id": fake.user.user_id, "email": fake.user.email, "timezone": "UTC"}
    assert data["organization"] == {"id": fake.organization_id, "name": "Fake Labelbox"}


def test_a_user_may_have_no_time_zone() -> None:
    with FakeLabelbox([], user=FakeUser(timezone=None)) as fake:
        assert Client(fake).ask("query { user { timezone } }") == {"user": {"timezone": None}}


def test_every_query_of_the_protocol_is_understood(fake: FakeLabelbox, client: Client) -> None:
    export_id = client.start()
    task = client.task(export_id)
    assert task is not None
    assert (task["id"], task["status"], task["type"]) == (export_id, "COMPLETE", "export-data-rows")
    assert client.header(export_id) == {"totalSize": str(fake.exports[0].result_bytes), "totalLines": "90"}
    assert client.file_at(export_id, "0")["lines"] == {"start": "0", "end": "89"}
    assert "exportDataRows" in client.ask("query { cancelableTaskTypes }")["cancelableTaskTypes"]
    cancel = "mutation ($id: ID!) { cancelBulkOperationJob(id: $id) { success } }"
    assert client.ask(cancel, {"id": export_id}) == {"cancelBulkOperationJob": {"success": False}}


def test_a_task_can_be_asked_for_its_status_directly(client: Client) -> None:
    query = "query ($where: WhereUniqueIdInput) { task(where: $where) { status completionPercentage } }"
    assert client.ask(query, {"where": {"id": client.start()}})["task"]["status"] == "COMPLETE"


@pytest.mark.parametrize("offset", ["0", 0])
def test_uint64_is_taken_as_text_and_as_number(client: Client, offset: str | int) -> None:
    assert client.file_at(client.start(), offset)["offsets"]["start"] == "0"


def test_uint64_can_be_answered_as_number(fake: FakeLabelbox, client: Client) -> None:
    fake.change(uint64_as_text=False)
    export_id = client.start()
    assert client.header(export_id)["totalLines"] == 90
    assert client.file_at(export_id)["offsets"]["start"] == 0


@pytest.mark.parametrize("offset", ["-1", "1.5", "0x10", "", True, 1.5, None, str(1 << 64)])
def test_what_is_no_uint64_is_refused(client: Client, offset: object) -> None:
    variables = {"where": {"id": client.start()}, "streamType": "RESULT", "offset": offset}
    assert client.refusal(FILE, variables)[:2] == (400, "GRAPHQL_VALIDATION_FAILED")


@pytest.mark.parametrize(
    "query",
    [
        "query { user { id apiKeys } }",
        "query { user(id: 1) { id } }",
        "query { users { id } }",
        "query ($taskId: String!) { task(where: {id: $taskId, name: 1}) { id } }",
        HEADER.replace("TaskStreamType!", "String!"),
        FILE.replace("UInt64!", "Int!"),
        STATUS.replace("status type", "state type"),
        "mutation { exportDataRowsInProject(input: {}) { taskId } }",
        "subscription { user { id } }",
    ],
)
def test_query_outside_the_schema_is_refused(client: Client, query: str) -> None:
    """A query that does not fit the schema is refused before anything runs."""
    assert client.refusal(query)[:2] == (400, "GRAPHQL_VALIDATION_FAILED")


def test_a_query_that_cannot_be_parsed_is_refused(client: Client) -> None:
    assert client.refusal("query { user { id ")[:2] == (400, "GRAPHQL_PARSE_FAILED")


@pytest.mark.parametrize("name", ["projectIds", "allProjects", "includePredictions", "includeBogus"])
def test_project_params_take_no_params_of_other_sources(fake: FakeLabelbox, client: Client, name: str) -> None:
    variables = client.start_variables(params={name: None})
    status, code, message = client.refusal(START % ("Project", "Project"), variables)
    assert (status, code) == (400, "GRAPHQL_VALIDATION_FAILED")
    assert name in message
    assert fake.exports == []


@pytest.mark.parametrize("place", [(), ("filters",), ("filters", "searchQuery"), ("params",)])
def test_unknown_input_members_are_refused_at_every_level(client: Client, place: tuple[str, ...]) -> None:
    variables = client.start_variables()
    member = variables["input"]
    for name in place:
        member = member[name]
    member["surprise"] = 1
    assert "surprise" in client.refusal(START % ("Project", "Project"), variables)[2]


def test_the_code_for_variables_that_do_not_fit_can_be_changed(fake: FakeLabelbox, client: Client) -> None:
    fake.change(variables_code="BAD_USER_INPUT")
    assert client.refusal(START % ("Project", "Project"), {"input": {}})[:2] == (400, "BAD_USER_INPUT")


def test_switches_take_fields_out_of_the_schema(fake: FakeLabelbox, client: Client) -> None:
    by_name = 'query { user { createdTasks(where: {name: "x"}) { id } } }'
    status = 'query { task(where: {id: "x"}) { status } }'
    assert client.ask(by_name) == {"user": {"createdTasks": []}}
    fake.change(created_tasks_by_name=False, status_in_task=False)
    assert client.refusal(by_name)[1] == "GRAPHQL_VALIDATION_FAILED"
    assert client.refusal(status)[1] == "GRAPHQL_VALIDATION_FAILED"
    assert client.header(client.start()) is not None


def test_files_by_line_are_served_on_request_only(fake: FakeLabelbox, client: Client) -> None:
    query = FILE.replace("$offset: UInt64!", "$line: UInt64!").replace(
        "exportFileFromOffset(streamType: $streamType, offset: $offset)",
        "exportFileFromLine(streamType: $streamType, line: $line)",
    )
    variables = {"where": {"id": client.start()}, "streamType": "RESULT", "line": 89}
    assert client.refusal(query, variables)[1] == "GRAPHQL_VALIDATION_FAILED"
    fake.change(file_from_line=True)
    assert client.ask(query, variables)["task"]["exportFileFromLine"]["lines"]["end"] == "89"
    assert client.ask(query, {**variables, "line": 90})["task"]["exportFileFromLine"] is None


def test_unknown_ids_are_not_found(client: Client) -> None:
    for query in ("project", "task", "dataset", "user"):
        status, code, message = client.refusal('query { %s(where: {id: "clnothere"}) { id } }' % query)  # noqa: UP031
        assert (status, code) == (200, "RESOURCE_NOT_FOUND")
        assert "clnothere" in message
    variables = client.start_variables(project_id="clnothere")
    assert client.refusal(START % ("Project", "Project"), variables)[1] == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize("body", ["", "[]", '{"query": 1}', '{"query": "{user{id}}", "variables": []}', "query {"])
def test_a_body_that_is_no_request_is_malformed(fake: FakeLabelbox, body: str) -> None:
    headers = {"Authorization": f"Bearer {fake.api_key}", "Content-Type": "application/json"}
    answer = httpx.post(fake.endpoint, content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "MALFORMED_REQUEST"


def test_other_paths_answer_html_and_other_methods_are_refused(fake: FakeLabelbox) -> None:
    assert httpx.get(fake.endpoint).status_code == 405
    answer = httpx.post(fake.base_url + "/other", json={})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
