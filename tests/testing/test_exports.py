"""Export tasks run in time, belong to their user, and count for the limits."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import httpx
import pytest
from support.fake_client import BY_NAME, FILE, START, Client

from labelbox_export_provider.testing import FakeLabelbox, FakeUser, ManualClock

PROJECT = START % ("Project", "Project")


def test_export_runs_for_its_seconds(fake: FakeLabelbox, client: Client, clock: ManualClock) -> None:
    """An export is in progress for its seconds and then complete."""
    fake.change(seconds_per_export=10)
    export_id = client.start()
    clock.advance(5)
    task = client.task(export_id)
    assert task is not None
    assert (task["status"], task["completionPercentage"]) == ("IN_PROGRESS", 50.0)
    assert client.header(export_id) is None
    assert client.file_at(export_id) is None
    clock.advance(5)
    task = client.task(export_id)
    assert task is not None
    assert (task["status"], task["completionPercentage"]) == ("COMPLETE", 100.0)
    assert (task["createdAt"], task["updatedAt"]) == ("2024-05-13T00:00:00.000Z", "2024-05-13T00:00:10.000Z")
    assert client.header(export_id) is not None


def test_an_export_can_take_a_number_of_looks_instead(fake: FakeLabelbox, client: Client) -> None:
    fake.change(polls_per_export=2, completion_percentage_of=1)
    export_id = client.start()
    assert [client.status(export_id) for _ in range(3)] == ["IN_PROGRESS", "IN_PROGRESS", "COMPLETE"]
    task = client.task(export_id)
    assert task is not None
    assert task["completionPercentage"] == 1.0


def test_the_result_is_that_of_the_start_whatever_happens_later(fake: FakeLabelbox, client: Client) -> None:
    export_id = client.start(params={"includeDataRowDetails": True})
    before = fake.rows_for()
    fake.edit(fake.row_ids()[0], datetime(2025, 1, 1, tzinfo=timezone.utc))
    assert client.read(export_id) == b"".join(row + b"\n" for row in before)
    assert fake.rows_for() != before


def test_exports_are_found_by_name_and_listed_newest_first(fake: FakeLabelbox, client: Client) -> None:
    ids = {name: client.start(name=name) for name in ("one", "two")}
    assert client.ask(BY_NAME, {"name": "one"})["user"]["createdTasks"][0]["id"] == ids["one"]
    assert client.ask(BY_NAME, {"name": "none"})["user"]["createdTasks"] == []
    listed = "query { user { createdTasks(skip: 0, first: 1) { name } } }"
    assert client.ask(listed)["user"]["createdTasks"] == [{"name": "two"}]
    fake.change(created_tasks_newest_first=False)
    assert client.ask(listed)["user"]["createdTasks"] == [{"name": "one"}]


def test_started_exports_can_be_inspected(fake: FakeLabelbox, client: Client) -> None:
    export_id = client.start(name="nightly", params={"includeAttachments": True})
    (export,) = fake.exports
    assert (export.export_id, export.name, export.source_kind) == (export_id, "nightly", "project")
    assert (export.source_id, export.user_id, export.status) == (fake.project_id, fake.user.user_id, "COMPLETE")
    assert export.filters == {"projectId": fake.project_id, "searchQuery": {"scope": None, "query": []}}
    assert export.params == {"mediaTypeOverride": None, "includeAttachments": True}
    assert (export.rows, export.error_rows) == (90, 0)


def test_a_key_sees_the_exports_of_its_own_user_only(fake: FakeLabelbox, client: Client) -> None:
    colleague = fake.add_user()
    other = Client(fake, colleague.api_key)
    export_id = client.start()
    assert client.task(export_id) is not None
    assert other.task(export_id) is None
    variables = {"where": {"id": export_id}, "streamType": "RESULT", "offset": 0}
    assert other.refusal(FILE, variables)[1] == "RESOURCE_NOT_FOUND"
    fake.change(tasks_of_other_users=True)
    assert other.task(export_id) is not None
    assert other.file_at(export_id) is not None


def test_a_second_key_of_the_same_user_sees_the_same(fake: FakeLabelbox, client: Client) -> None:
    rotated = Client(fake, fake.accounts.add_key(fake.user))
    assert rotated.task(client.start()) is not None


def test_an_unknown_or_revoked_key_is_refused(fake: FakeLabelbox, client: Client) -> None:
    assert Client(fake, "wrong").refusal("{ user { id } }")[:2] == (401, "AUTHENTICATION_ERROR")
    client.start()
    fake.revoke(fake.api_key)
    assert client.refusal(PROJECT, client.start_variables())[:2] == (401, "AUTHENTICATION_ERROR")
    fake.change(authentication_status=200)
    assert client.refusal(PROJECT, client.start_variables())[:2] == (200, "AUTHENTICATION_ERROR")
    assert len(fake.exports) == 1


def test_a_user_without_the_right_is_refused() -> None:
    with FakeLabelbox(user=FakeUser(may_export=False)) as fake:
        client = Client(fake)
        assert client.refusal(PROJECT, client.start_variables())[1] == "AUTHORIZATION_ERROR"
        assert fake.exports == []


def test_ten_exports_run_at_once_in_a_project(fake: FakeLabelbox, client: Client, clock: ManualClock) -> None:
    fake.change(seconds_per_export=60)
    for _ in range(10):
        client.start()
    answer = client.post(PROJECT, client.start_variables())
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["extensions"]["code"]) == (200, "INTERNAL_SERVER_ERROR")
    assert error["extensions"]["exception"]["status"] == 429
    assert error["message"] == "You have reached the limit of 10 running exports per project"
    assert len(fake.exports) == 10
    clock.advance(60)
    client.start()


def test_twenty_exports_run_at_once_in_the_organization(fake: FakeLabelbox, client: Client) -> None:
    fake.change(seconds_per_export=60)
    everything: dict[str, Any] = {"searchQuery": {"scope": None, "query": []}}
    for _ in range(20):
        client.start_from("Catalog", everything)
    message = client.refusal(PROJECT, client.start_variables())[2]
    assert message == "You have reached the limit of 20 running exports per organization"


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [("not_allowed", 200, "OPERATION_NOT_ALLOWED"), ("http", 429, None)],
)
def test_the_limit_can_be_reported_in_other_forms(
    fake: FakeLabelbox, client: Client, form: str, status: int, code: str | None
) -> None:
    fake.change(running_exports_per_project=0, running_limit_form=form)
    answer = client.post(PROJECT, client.start_variables())
    assert answer.status_code == status
    if code is None:
        assert "limit of 0 running exports" in answer.json()["message"]
    else:
        assert answer.json()["errors"][0]["extensions"]["code"] == code


def test_a_running_export_can_be_canceled(fake: FakeLabelbox, client: Client, clock: ManualClock) -> None:
    fake.change(seconds_per_export=60, seconds_to_cancel=2)
    export_id = client.start()
    cancel = "mutation ($id: ID!) { cancelBulkOperationJob(id: $id) { success } }"
    assert client.ask(cancel, {"id": export_id})["cancelBulkOperationJob"]["success"]
    assert client.status(export_id) == "CANCELLING"
    clock.advance(2)
    assert client.status(export_id) == "CANCELED"
    assert client.header(export_id) is None
    fake.change(exports_cancelable=False)
    assert client.refusal(cancel, {"id": export_id})[1] == "OPERATION_NOT_ALLOWED"
    assert "exportDataRows" not in client.ask("{ cancelableTaskTypes }")["cancelableTaskTypes"]


@pytest.mark.parametrize(
    ("form", "header"),
    [
        ("null", None),
        ("zero", {"totalSize": "0", "totalLines": "0"}),
        ("null_members", {"totalSize": None, "totalLines": None}),
    ],
)
def test_an_empty_stream_has_one_of_three_headers(
    fake: FakeLabelbox, client: Client, form: str, header: object
) -> None:
    fake.change(empty_header=form)
    assert client.header(client.start(), "ERRORS") == header


def test_a_project_without_rows_exports_nothing() -> None:
    with FakeLabelbox(projects={"clempty": "Empty"}) as fake:
        client = Client(fake)
        assert fake.projects["clempty"] == "Empty"
        assert client.header(client.start(project_id="clempty")) is None


def test_streamable_can_be_denied(fake: FakeLabelbox, client: Client) -> None:
    fake.change(is_streamable=False)
    data = client.ask(PROJECT, client.start_variables())
    assert data["exportDataRowsInProject"]["isStreamable"] is False


def test_the_request_log_holds_requests_and_no_key(fake: FakeLabelbox, client: Client) -> None:
    export_id = client.start(name="nightly")
    client.read(export_id)
    Client(fake, "some-secret").post("query Mine { user { id } }")
    (start,) = fake.requests.asking("exportDataRowsInProject")
    assert (start.user_id, start.status, start.variables["input"]["taskName"]) == (fake.user.user_id, 200, "nightly")
    (refused,) = fake.requests.asking("Mine")
    assert (refused.user_id, refused.status, refused.error_codes) == (None, 401, ("AUTHENTICATION_ERROR",))
    (file,) = fake.requests.files
    assert (file.status, file.had_authorization, file.had_cookie) == (200, False, False)
    assert start.headers["authorization"] == "Bearer ***"
    logged = repr(fake.requests.api) + repr(fake.requests.files) + repr(fake.user) + repr(fake.exports)
    assert fake.api_key not in logged
    assert "some-secret" not in logged
    assert "Signature" not in logged


def test_stopping_ends_open_connections() -> None:
    with FakeLabelbox([]) as fake, httpx.Client() as connection:
        assert connection.get(fake.endpoint).status_code == 405
        fake.__exit__(None, None, None)
        with pytest.raises(httpx.TransportError):
            connection.get(fake.endpoint)
