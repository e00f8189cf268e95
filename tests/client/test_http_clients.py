"""Both drivers over real sockets: their requests and the results of their answers."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging

import pytest
from support.client.conversations import KEY, USER_AGENT, Runner
from support.client.scripted_server import Asked, Hangs, Plays, ScriptedServer, bodies, data

from labelbox_export_provider.client import flows, graphql
from labelbox_export_provider.client.exchange import MAX_BODY
from labelbox_export_provider.client.http_clients import (
    AsyncLabelboxClient,
    LabelboxClient,
)
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import Answer, Flow, Reply, Send, Sleep, TransportFailure
from labelbox_export_provider.errors import AuthenticationError, ConnectionSettingsError

OWNER = data(user={"id": "u1", "email": None, "timezone": None}, organization={"id": "o1", "name": "Org"})


def one_reply() -> Flow[Reply]:
    return (yield Send(graphql.WHO_AM_I, {}))


def test_a_request_is_one_post_of_query_and_variables(
    server: ScriptedServer, settings: ConnectionSettings, runner: Runner
) -> None:
    server.play(data(x={"taskId": "t1", "isStreamable": True}))
    given = {"taskName": "Grüße \ud83d", "filters": {"projectId": "clp1"}}
    runner.run(settings, flows.start_once(graphql.START_PROJECT_EXPORT, given))
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/graphql")
    assert asked.json == {"query": graphql.START_PROJECT_EXPORT.text, "variables": {"input": given}}
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["accept"] == "application/json"
    assert asked.headers["user-agent"] == USER_AGENT


def test_a_redirect_is_not_followed_so_the_key_goes_nowhere_else(
    server: ScriptedServer, settings: ConnectionSettings, runner: Runner
) -> None:
    with ScriptedServer().serving() as elsewhere:
        elsewhere.play(OWNER)
        for status in (301, 302, 303, 307, 308):
            server.play(Plays(status, "", {"Location": f"{elsewhere.url}?token=abcdef"}))
            with pytest.raises(ConnectionSettingsError, match="it is probably wrong") as raised:
                runner.run(settings, flows.who_am_i())
            assert elsewhere.address in str(raised.value)
            assert "abcdef" not in str(raised.value)
        assert elsewhere.asked == []


def test_an_answer_carries_status_headers_body_time_and_host(
    server: ScriptedServer, settings: ConnectionSettings, runner: Runner
) -> None:
    server.play(Plays(429, "slow", {"Retry-After": "7", "Date": "now"}))
    reply = runner.run(settings, one_reply())
    assert isinstance(reply, Answer)
    assert (reply.status, reply.body, reply.headers["retry-after"], reply.host) == (429, b"slow", "7", server.address)
    assert 0 < reply.elapsed < 5


def test_no_more_of_an_answer_than_the_bound_is_read(
    server: ScriptedServer, settings: ConnectionSettings, runner: Runner
) -> None:
    server.play(Hangs(drip=0, chunk=b" " * 2**20))
    reply = runner.run(settings, one_reply())
    assert isinstance(reply, Answer)
    assert len(reply.body) == MAX_BODY


@pytest.mark.parametrize("hangs", [Hangs(), Hangs(drip=0.01)], ids=["silent", "dripping"])
def test_the_time_limit_bounds_the_whole_answer(hangs: Hangs, server: ScriptedServer, runner: Runner) -> None:
    server.play(hangs)
    reply = runner.run(ConnectionSettings(api_key=KEY, endpoint=server.url, timeout=0.15), one_reply())
    assert isinstance(reply, TransportFailure)
    assert reply.message.startswith(f"{server.address} gave no answer: timed out")
    assert 0.1 < reply.elapsed < 2


def test_echoed_key_is_not_in_the_error(server: ScriptedServer, settings: ConnectionSettings, runner: Runner) -> None:
    """A server that echoes the key does not get it into an error."""

    def echo(asked: Asked) -> Plays:
        reported = asked.headers["authorization"]
        return Plays(401, {"message": f"{reported} / {reported.removeprefix('Bearer ')} is expired"})

    server.play(echo)
    with pytest.raises(AuthenticationError, match="is expired") as raised:
        runner.run(settings, flows.who_am_i())
    assert KEY not in str(raised.value)


def test_flows_share_a_connection(server: ScriptedServer, settings: ConnectionSettings, runner: Runner) -> None:
    """Flows of one client share a connection and a broken one is replaced."""
    server.play(Plays(503, ""), OWNER)
    runner.run(settings, flows.who_am_i(), flows.who_am_i())
    assert bodies(server.asked) == [{"query": graphql.WHO_AM_I.text, "variables": {}}] * 3


def test_a_noticeable_wait_is_logged_with_its_length_and_reason(
    settings: ConnectionSettings, runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    def waits() -> Flow[None]:
        yield Sleep(5.0, "nothing to see")
        yield Sleep(12.34, "too many requests")

    caplog.set_level(logging.INFO, "labelbox_export_provider")
    runner.run(settings, waits())
    assert [each.getMessage() for each in caplog.records] == ["Waiting 12.3 s: too many requests"]
    assert runner.slept == [5.0, 12.34]


def test_a_flow_is_closed_when_its_wait_is_interrupted(settings: ConnectionSettings) -> None:
    def waits() -> Flow[None]:
        yield Sleep(1, "a while")

    # Held here, so that it is not the garbage collector who closes them.
    waiting, waiting_too = waits(), waits()

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    async def canceled(_: float) -> None:
        raise asyncio.CancelledError

    async def run() -> None:
        async with AsyncLabelboxClient(settings, user_agent=USER_AGENT, sleep=canceled) as client:
            await client.run(waiting_too)

    with (
        pytest.raises(KeyboardInterrupt),
        LabelboxClient(settings, user_agent=USER_AGENT, sleep=interrupted) as client,
    ):
        client.run(waiting)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert inspect.getgeneratorstate(waiting) == inspect.getgeneratorstate(waiting_too) == inspect.GEN_CLOSED


def test_one_async_client_runs_many_flows_at_once(server: ScriptedServer, settings: ConnectionSettings) -> None:
    server.play(OWNER)

    async def run() -> int:
        async with AsyncLabelboxClient(settings, user_agent=USER_AGENT) as client:
            return len(await asyncio.gather(*(client.run(flows.who_am_i()) for _ in range(20))))

    assert asyncio.run(run()) == 20


def test_variables_travel_as_plain_json(server: ScriptedServer, settings: ConnectionSettings, runner: Runner) -> None:
    server.play(data(x={"taskId": "t1"}))
    runner.run(settings, flows.start_once(graphql.START_PROJECT_EXPORT, {"n": 2**63, "t": True, "s": "\u2028"}))
    assert json.loads(server.asked[0].body)["variables"]["input"] == {"n": 2**63, "t": True, "s": "\u2028"}
