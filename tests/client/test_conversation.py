"""A whole conversation with the fake Labelbox, through both drivers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.client.conversations import Runner

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.graphql import START_BY_MUTATION, START_PROJECT_EXPORT
from labelbox_export_provider.client.retry import ONCE, RetryPolicy
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import Started, StreamType, TaskStatus
from labelbox_export_provider.errors import (
    AnotherUsersExportError,
    AuthenticationError,
    NotFoundError,
    RefusedError,
    RunningExportLimitError,
)
from labelbox_export_provider.testing import FakeLabelbox

POLICY = RetryPolicy(attempts=3, jitter=lambda: 0.0)


@pytest.fixture
def fake() -> Iterator[FakeLabelbox]:
    with FakeLabelbox() as running:
        yield running


def settings_of(fake: FakeLabelbox, key: str | None = None) -> ConnectionSettings:
    return ConnectionSettings.from_parts(
        host=fake.base_url, password=key or fake.api_key, extra={"timeout": "10"}, conn_id="labelbox_fake"
    )


def mutation_input(fake: FakeLabelbox, name: str = "nightly") -> dict[str, Any]:
    filters = {"projectId": fake.project_id, "searchQuery": {"scope": None, "query": []}}
    return {
        "taskName": name,
        "isStreamableReady": True,
        "streamable": True,
        "filters": filters,
        "params": {"includeDataRowDetails": True},
    }


def start(fake: FakeLabelbox, runner: Runner, name: str = "nightly") -> str:
    flow = flows.start_once(START_PROJECT_EXPORT, mutation_input(fake, name), POLICY)
    started = runner.run(settings_of(fake), flow)
    assert isinstance(started, Started)
    return started.export_id


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"uint64_as_text": False, "created_tasks_newest_first": False},
        {"created_tasks_by_name": False, "status_in_task": False, "authentication_status": 200},
    ],
    ids=["as usual", "numbers and oldest first", "no filter by name"],
)
def test_an_export_is_started_found_followed_and_read(
    switches: dict[str, Any], fake: FakeLabelbox, runner: Runner
) -> None:
    fake.change(**switches)
    settings = settings_of(fake)
    owner = runner.run(settings, flows.who_am_i(POLICY))
    assert owner.organization_id == fake.organization_id
    other, export_id = start(fake, runner, "another"), start(fake, runner)

    (found,) = runner.run(settings, flows.created_tasks_named(owner.user_id, "nightly", POLICY))
    assert (found.export_id, found.name, found.type) == (export_id, "nightly", flows.EXPORT_TASK_TYPE)
    assert found.created_at is not None
    assert found.created_at.tzinfo is not None
    assert export_id != other

    state = runner.run(settings, flows.task_state(export_id, owner.user_id, POLICY))
    assert state.status == TaskStatus.COMPLETE

    totals = runner.run(settings, flows.stream_totals(export_id, StreamType.RESULT, POLICY))
    assert totals.lines == len(fake.row_ids())
    size, lines, offset = 0, 0, 0
    while offset < totals.size:
        file = runner.run(settings, flows.file_at(export_id, StreamType.RESULT, offset, POLICY))
        settings.check_file_url(file.url)
        assert (file.start, file.line_start) == (offset, lines)
        size, lines, offset = size + file.size, file.line_end + 1, file.end + 1
    assert (size, lines) == (totals.size, totals.lines)


def test_an_empty_stream_has_neither_totals_nor_a_file(fake: FakeLabelbox, runner: Runner) -> None:
    export_id = start(fake, runner)
    for form in ("null", "zero", "null_members"):
        fake.change(empty_header=form)
        assert runner.run(settings_of(fake), flows.stream_totals(export_id, StreamType.ERRORS, POLICY)) is None
    assert runner.run(settings_of(fake), flows.has_file(export_id, StreamType.ERRORS, POLICY)) is False
    assert runner.run(settings_of(fake), flows.has_file(export_id, StreamType.RESULT, POLICY)) is True


def test_refusals_are_distinguished(fake: FakeLabelbox, runner: Runner) -> None:
    """A revoked key an unknown project and an unknown param are distinguished."""
    unknown = mutation_input(fake)
    unknown["filters"] = {**unknown["filters"], "projectId": "no-such-project"}
    with pytest.raises(NotFoundError, match="no-such-project"):
        runner.run(settings_of(fake), flows.start_once(START_PROJECT_EXPORT, unknown, POLICY))
    wrong = {**mutation_input(fake), "params": {"allProjects": True}}
    with pytest.raises(RefusedError, match="allProjects"):
        runner.run(settings_of(fake), flows.start_once(START_PROJECT_EXPORT, wrong, POLICY))
    fake.revoke(fake.api_key)
    with pytest.raises(AuthenticationError, match="Workspace settings"):
        runner.run(settings_of(fake), flows.who_am_i(POLICY))


@pytest.mark.parametrize("form", ["graphql", "http", "not_allowed"])
def test_a_running_export_limit_is_waited_out_then_reported(form: Any, fake: FakeLabelbox, runner: Runner) -> None:
    fake.change(running_limit_form=form, running_exports_per_project=1, seconds_per_export=3600)
    start(fake, runner)
    flow = flows.start_once(START_PROJECT_EXPORT, mutation_input(fake), POLICY)
    with pytest.raises(RunningExportLimitError, match="No export was started"):
        runner.run(settings_of(fake), flow)
    assert len(runner.slept) == 2
    assert len(fake.exports) == 1


def test_the_key_of_another_user_is_reported_with_both_users(fake: FakeLabelbox, runner: Runner) -> None:
    export_id = start(fake, runner)
    owner = runner.run(settings_of(fake), flows.who_am_i(POLICY))
    colleague = fake.add_user()
    with pytest.raises(AnotherUsersExportError, match=owner.user_id):
        runner.run(settings_of(fake, colleague.api_key), flows.task_state(export_id, owner.user_id, POLICY))


def test_an_export_can_be_canceled(fake: FakeLabelbox, runner: Runner) -> None:
    fake.change(seconds_per_export=3600)
    export_id = start(fake, runner)
    state = runner.run(settings_of(fake), flows.task_state(export_id, policy=POLICY))
    assert state.status == TaskStatus.IN_PROGRESS
    assert runner.run(settings_of(fake), flows.cancel_export(export_id, state.type, POLICY)) is True
    assert runner.run(settings_of(fake), flows.task_state(export_id, policy=POLICY)).status == TaskStatus.CANCELED
    fake.change(exports_cancelable=False)
    assert runner.run(settings_of(fake), flows.cancel_export(start(fake, runner), policy=POLICY)) is False


@pytest.mark.parametrize("mutation", START_BY_MUTATION)
def test_every_start_document_is_valid_in_the_schema(mutation: str, fake: FakeLabelbox, runner: Runner) -> None:
    with pytest.raises(RefusedError, match="nonsense") as raised:
        runner.run(settings_of(fake), flows.start_once(START_BY_MUTATION[mutation], {"nonsense": 1}, ONCE))
    assert "Cannot query" not in str(raised.value)
