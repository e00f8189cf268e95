"""States of many exports by one request: whose error it is, and what is asked for once more."""

from __future__ import annotations

from typing import Any

import pytest
from support.client.conversations import Runner
from support.client.scripted_server import Asked, Plays, ScriptedServer

from labelbox_export_provider.client.batch_polling import newest_states, states_together
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.errors import (
    AuthenticationError,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    UnreachableError,
)

IDS = ["e0", "e1", "e2"]


def task(export_id: str, status: str = "IN_PROGRESS") -> dict[str, Any]:
    return {"id": export_id, "name": None, "status": status, "type": None, "completionPercentage": 5}


def answer(*lists: Any, errors: Any = None) -> Plays:
    """An answer whose aliases hold these lists of tasks, in order."""
    user = {f"task{place}": each for place, each in enumerate(lists)}
    return Plays(body={"data": {"user": user}, **({"errors": errors} if errors else {})})


def error(*path: str, code: str = "INTERNAL_SERVER_ERROR", text: str = "went wrong") -> dict[str, Any]:
    return {"message": text, "extensions": {"code": code}, **({"path": list(path)} if path else {})}


def ids_of(asked: Asked) -> list[str]:
    variables = asked.json["variables"]
    return [variables[name] for name in variables if name.startswith("taskId")]


def test_one_request_reads_many_states(server: ScriptedServer, settings: ConnectionSettings, runner: Runner) -> None:
    """The query's text is built from the number of ids alone; ids are variables."""
    server.play(answer([task("e0")], [task("e1", "COMPLETE")], [task("e2", "FAILED")]))
    states = runner.run(settings, states_together("u1", IDS))
    assert {each.export_id: each.status for each in states.values()} == {
        "e0": "IN_PROGRESS",
        "e1": "COMPLETE",
        "e2": "FAILED",
    }
    [asked] = server.asked
    assert ids_of(asked) == IDS
    assert not any(each in asked.json["query"] for each in (*IDS, "u1"))


@pytest.mark.parametrize("hidden", [[], None, [{"id": "e1"}], [task("another")], "text"])
def test_a_state_that_is_missing_or_unreadable_is_left_out(
    server: ScriptedServer, settings: ConnectionSettings, runner: Runner, hidden: Any
) -> None:
    server.play(answer([task("e0")], hidden, [task("e2")]))
    assert sorted(runner.run(settings, states_together("u1", IDS))) == ["e0", "e2"]


def test_an_error_of_one_export_is_its_own(
    server: ScriptedServer, settings: ConnectionSettings, runner: Runner
) -> None:
    """An error that names one export leaves the others' states as they are."""
    server.play(answer([task("e0")], None, [task("e2")], errors=[error("user", "task1")]))
    assert sorted(runner.run(settings, states_together("u1", IDS))) == ["e0", "e2"]
    assert len(server.asked) == 1


def test_states_lost_to_anothers_error_are_asked_for_again(
    server: ScriptedServer, settings: ConnectionSettings, runner: Runner
) -> None:
    """Where an error of one export leaves no data at all, the others are asked for once more, without it."""
    server.play(
        Plays(body={"data": {"user": None}, "errors": [error("user", "task1", code="RESOURCE_NOT_FOUND")]}),
        answer([task("e0")], [task("e2")]),
    )
    assert sorted(runner.run(settings, states_together("u1", IDS))) == ["e0", "e2"]
    assert [ids_of(asked) for asked in server.asked] == [IDS, ["e0", "e2"]]


@pytest.mark.parametrize(
    ("played", "raised"),
    [
        (Plays(body={"errors": [error(code="GRAPHQL_VALIDATION_FAILED", text="too complex")]}), RefusedError),
        (Plays(body={"errors": [error()]}), UnreachableError),
        (Plays(502, "bad gateway"), UnreachableError),
        (Plays(429, "", headers={"Retry-After": "7"}), RateLimitedError),
        (answer(None, [], [], errors=[error("user", "task0", text="You have exceeded the limit")]), RateLimitedError),
        (
            answer(None, [], [], errors=[error("user", "task0", code="AUTHENTICATION_ERROR")]),
            AuthenticationError,
        ),
        (answer(None, [], [], errors=[error("user", "task0"), error("user")]), UnreachableError),
        (Plays(body={"data": {"user": None}}), NotFoundError),
    ],
)
def test_an_error_of_the_request_is_raised(
    server: ScriptedServer, settings: ConnectionSettings, runner: Runner, played: Plays, raised: type[Exception]
) -> None:
    """What is not about one export is raised at once, after one try, with the pause that Labelbox asks for."""
    server.play(played)
    with pytest.raises(raised) as caught:
        runner.run(settings, states_together("u1", IDS))
    assert len(server.asked) == 1
    if played.headers:
        assert getattr(caught.value, "retry_after", None) == 7


def test_the_newest_tasks_are_one_page(server: ScriptedServer, settings: ConnectionSettings, runner: Runner) -> None:
    server.play(Plays(body={"data": {"user": {"createdTasks": [task("e2"), task("e0")]}}}))
    assert sorted(runner.run(settings, newest_states("u1"))) == ["e0", "e2"]
    assert len(server.asked) == 1
