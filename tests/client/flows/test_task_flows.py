"""Flows that find tasks by name or by id, without driver, network or clock."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from support.client.conversations import answer, by_hand
from support.client.flow_answers import FORBIDDEN, INVALID, OWNER, POLICY, UNKNOWN, task, tasks

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.types import (
    Answer,
    ExportTaskState,
    Send,
)
from labelbox_export_provider.errors import (
    AnotherUsersExportError,
    AuthorizationError,
    NotFoundError,
    ProtocolError,
)


def test_tasks_by_name_come_oldest_first() -> None:
    """Tasks of a name are asked for by name and given oldest first."""
    newer, older = task("t2", created="2026-11-22T03:00:00.000Z"), task("t1", created="2026-11-22T02:00:00.000+00:00")
    undated = task("t0", created=None)
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), tasks(undated, newer, older))
    assert [each.export_id for each in done.value] == ["t1", "t2", "t0"]
    assert [each.variables for each in done.sends] == [{"userId": "u1", "name": "nightly", "skip": 0, "first": 100}]


@pytest.mark.parametrize(
    "text", ["2026-11-22T03:00:00.250Z", "2026-11-22T03:00:00.250+00:00", "2026-11-22T04:00:00.25+01:00"]
)
def test_moments_are_read_in_any_form(text: str) -> None:
    """Labelbox's own form, which has a short way, and others give the same moment."""
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), tasks(task("t1", created=text)), tasks())
    assert done.value[0].created_at == datetime(2026, 11, 22, 3, 0, 0, 250_000, tzinfo=timezone.utc)


def test_names_are_compared_here_too() -> None:
    """Names are compared here too since a filter may match more or be ignored."""
    page = tasks(task("t1"), task("t2", "nightly 2"), task("t3", "Nightly"), {**task("t4"), "name": None})
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), page, tasks())
    assert [each.export_id for each in done.value] == ["t1"]


def test_whole_list_is_read_without_a_name_filter() -> None:
    """Where names are no filter the whole list is read page by page."""
    first = tasks(*(task(f"a{index}", "other") for index in range(100)))
    second = tasks(*(task(f"b{index}", "other") for index in range(30)), task("t1"))
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), INVALID, first, second, tasks())
    assert [each.export_id for each in done.value] == ["t1"]
    assert done.operations == ["CreatedTasksByName", *["CreatedTasks"] * 3]
    assert [each.variables["skip"] for each in done.sends] == [0, 0, 100, 131]


def test_short_pages_hide_nothing() -> None:
    """A server that gives shorter pages than asked for hides nothing."""
    pages = [tasks(task("a1", "other"), task("a2", "other")), tasks(task("t1")), tasks()]
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), INVALID, *pages)
    assert [each.export_id for each in done.value] == ["t1"]


def test_a_server_that_ignores_paging_is_not_asked_for_ever() -> None:
    done = by_hand(flows.created_tasks_named("u1", "nightly", POLICY), INVALID, tasks(task("t1"), task("t2", "other")))
    assert [each.export_id for each in done.value] == ["t1"]
    assert len(done.sends) == 3


def _endless(step: int) -> Any:
    flow = flows.created_tasks_named("u1", "nightly", POLICY)
    effect, sent = flow.send(None), 0
    reply: Any = INVALID
    while True:
        try:
            effect = flow.send(reply)
        except StopIteration as stop:
            return sent, stop.value
        sent += 1
        assert isinstance(effect, Send)
        begin = effect.variables["skip"]
        stamps = [datetime.fromtimestamp(10**9 + step * (begin + index), timezone.utc) for index in range(100)]
        reply = tasks(*(task(f"t{begin + i}", "other", at.isoformat()) for i, at in enumerate(stamps)))


def test_newest_thousand_are_read_of_a_sorted_list() -> None:
    """A list that comes newest first is read for its newest thousand."""
    assert _endless(-60) == (10, ())


def test_unfinished_unsorted_list_is_an_error() -> None:
    """An unfinished list in another order is an error and not an answer."""
    with pytest.raises(ProtocolError, match="cannot be finished"):
        _endless(60)


def test_hidden_user_is_an_error() -> None:
    """A user whom the key cannot see is an error and not an empty list."""
    done = by_hand(flows.created_tasks_named("u2", "nightly", POLICY), answer({"user": None}))
    assert isinstance(done.error, NotFoundError)
    assert "u2" in str(done.error)


def test_an_export_is_looked_up_among_its_users_tasks() -> None:
    found = {**task(), "completionPercentage": 12.5, "updatedAt": "2026-11-22T02:05:00Z"}
    done = by_hand(flows.task_state("t1", "u1", POLICY), tasks(found))
    assert done.value == ExportTaskState(
        "t1",
        "nightly",
        "IN_PROGRESS",
        "export-data-rows",
        12.5,
        datetime(2026, 11, 22, 2, tzinfo=timezone.utc),
        datetime(2026, 11, 22, 2, 5, tzinfo=timezone.utc),
    )
    assert [each.variables for each in done.sends] == [{"userId": "u1", "taskId": "t1"}]


def test_without_a_user_the_keys_owner_is_asked_for_first() -> None:
    done = by_hand(flows.task_state("t1", policy=POLICY), answer(OWNER), tasks(task()))
    assert done.operations == ["WhoAmI", "CreatedTaskById"]
    assert done.sends[1].variables["userId"] == "u1"


def test_only_id_and_status_are_needed() -> None:
    """Only id and status are needed and an unknown status is kept."""
    odd = {"id": "t1", "status": "PAUSED", "createdAt": "yesterday", "completionPercentage": "half"}
    done = by_hand(flows.task_state("t1", "u1", POLICY), tasks(odd))
    assert done.value == ExportTaskState("t1", None, "PAUSED", None, None, None, None)


def test_export_not_listed_is_asked_for_by_id() -> None:
    """What is not among the user's tasks is asked for by id alone."""
    done = by_hand(flows.task_state("t1", "u1", POLICY), tasks(), answer({"task": task()}))
    assert done.value.export_id == "t1"
    assert done.operations == ["CreatedTaskById", "Task"]


@pytest.mark.parametrize("first", [tasks(), tasks(task("t9")), UNKNOWN, answer({"user": None})])
@pytest.mark.parametrize("second", [answer({"task": None}), UNKNOWN, INVALID])
def test_missing_export_is_not_found(first: Answer, second: Answer) -> None:
    """An export that is nowhere is not found and the message says for whom."""
    error = by_hand(flows.task_state("t1", "u1", POLICY), first, second, answer(OWNER)).error
    assert type(error) is NotFoundError
    assert "t1" in str(error)
    assert "a@b.example" in str(error)


@pytest.mark.parametrize("first", [tasks(), UNKNOWN, FORBIDDEN])
def test_export_of_another_user_names_both(first: Answer) -> None:
    """An export of another user that is hidden is reported with both users."""
    done = by_hand(
        flows.task_state("t1", "u2", POLICY), first, *[answer({"task": None})] * (first is not FORBIDDEN), answer(OWNER)
    )
    assert type(done.error) is AnotherUsersExportError
    assert "u1" in str(done.error)
    assert "u2" in str(done.error)


def test_own_user_gets_the_refusal_itself() -> None:
    """The key's own user who may not look gets the refusal itself."""
    done = by_hand(flows.task_state("t1", "u1", POLICY), FORBIDDEN, answer(OWNER))
    assert type(done.error) is AuthorizationError
