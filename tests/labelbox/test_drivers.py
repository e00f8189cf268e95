"""Both drivers over real sockets: what they send, to whom, and what they make of what comes back."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.labelbox_conversations import KEY, USER_AGENT, Runner
from support.labelbox_scripted_server import Asked, Hangs, Plays, ScriptedServer, bodies, data
from support.streaming_tls import certificate as own_certificate

from labelbox_export_provider.labelbox import documents, flows
from labelbox_export_provider.labelbox.connection import ConnectionSettings
from labelbox_export_provider.labelbox.drivers import (
    MAX_BODY,
    AsyncLabelboxClient,
    LabelboxClient,
    create_ssl_context,
)
from labelbox_export_provider.labelbox.model import Answer, Flow, Reply, Send, Sleep, TransportFailure
from labelbox_export_provider.labelbox.retry import ONCE, RetryPolicy
from labelbox_export_provider.spec.errors import AuthenticationError, ConnectionSettingsError, UnreachableError

OWNER = data(user={"id": "u1", "email": None, "timezone": None}, organization={"id": "o1", "name": "Org"})


def one_reply() -> Flow[Reply]:
    return (yield Send(documents.WHO_AM_I, {}))


def test_a_request_is_one_post_of_query_and_variables(
    server: ScriptedServer, settings: ConnectionSettings, runner: Runner
) -> None:
    server.play(data(x={"taskId": "t1", "isStreamable": True}))
    given = {"taskName": "Grüße \ud83d", "filters": {"projectId": "clp1"}}
    runner.run(settings, flows.start_once(documents.START_PROJECT_EXPORT, given))
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/graphql")
    assert asked.json == {"query": documents.START_PROJECT_EXPORT.text, "variables": {"input": given}}
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
            with pytest.raises(ConnectionSettingsError, match="it probably is wrong") as raised:
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


def test_a_server_that_echoes_the_key_does_not_get_it_into_an_error(
    server: ScriptedServer, settings: ConnectionSettings, runner: Runner
) -> None:
    def echo(asked: Asked) -> Plays:
        said = asked.headers["authorization"]
        return Plays(401, {"message": f"{said} / {said.removeprefix('Bearer ')} is expired"})

    server.play(echo)
    with pytest.raises(AuthenticationError, match="is expired") as raised:
        runner.run(settings, flows.who_am_i())
    assert KEY not in str(raised.value)


def test_flows_of_one_client_share_a_connection_and_a_broken_one_is_replaced(
    server: ScriptedServer, settings: ConnectionSettings, runner: Runner
) -> None:
    server.play(Plays(503, ""), OWNER)
    runner.run(settings, flows.who_am_i(), flows.who_am_i())
    assert bodies(server.asked) == [{"query": documents.WHO_AM_I.text, "variables": {}}] * 3


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


# --- proxies -------------------------------------------------------------------------------------------------------


@pytest.fixture
def proxy() -> Iterator[ScriptedServer]:
    with ScriptedServer().serving() as serving:
        serving.play(OWNER)
        yield serving


def test_the_connections_proxy_is_used_and_wins_over_the_environment(
    server: ScriptedServer, proxy: ScriptedServer, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings = ConnectionSettings(api_key=KEY, endpoint=server.url, proxy=f"http://me:hunter2@{proxy.address}")
    runner.run(settings, flows.who_am_i(ONCE))
    assert server.asked == []
    assert proxy.asked[0].path == server.url
    assert proxy.asked[0].headers["proxy-authorization"].startswith("Basic ")


def test_without_one_the_environments_proxy_is_used(
    settings: ConnectionSettings, proxy: ScriptedServer, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
    runner.run(settings, flows.who_am_i(ONCE))
    assert len(proxy.asked) == 1


def test_a_proxy_that_refuses_to_connect_is_told_apart_and_never_sees_the_key(
    proxy: ScriptedServer, runner: Runner
) -> None:
    proxy.play(Plays(407, ""))
    settings = ConnectionSettings(
        api_key=KEY, endpoint="https://labelbox.example", proxy=f"http://me:hunter2@{proxy.address}"
    )
    with pytest.raises(UnreachableError, match="the proxy did not connect, 407") as raised:
        runner.run(settings, flows.who_am_i(ONCE))
    assert "hunter2" not in str(raised.value)
    assert [each.method for each in proxy.asked] == ["CONNECT"]
    assert KEY not in str(proxy.asked)


def test_an_unusable_proxy_of_the_environment_is_named(
    settings: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "gopher://me:hunter2@proxy.example")
    for client in (LabelboxClient, AsyncLabelboxClient):
        with pytest.raises(ConnectionSettingsError, match="proxy variable of the environment") as raised:
            client(settings, user_agent=USER_AGENT)
        assert "hunter2" not in str(raised.value)


# --- certificates --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return own_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def secure(certificate: tuple[Path, ssl.SSLContext]) -> Iterator[ScriptedServer]:
    with ScriptedServer(certificate[1]).serving() as serving:
        serving.play(OWNER)
        yield serving


def test_a_certificate_that_is_not_trusted_is_not_waited_out_and_the_fix_is_named(
    secure: ScriptedServer, runner: Runner
) -> None:
    settings = ConnectionSettings(api_key=KEY, endpoint=f"https://{secure.address}", timeout=5)
    with pytest.raises(ConnectionSettingsError, match=r"certificate is not trusted.*'?verify'?"):
        runner.run(settings, flows.who_am_i(RetryPolicy()))
    assert runner.slept == []
    assert secure.asked == []


@pytest.mark.parametrize("verify", ["bundle", False])
def test_verify_takes_a_ca_bundle_or_switches_the_check_off(
    verify: str | bool, secure: ScriptedServer, certificate: tuple[Path, ssl.SSLContext], runner: Runner
) -> None:
    chosen = str(certificate[0]) if verify == "bundle" else verify
    settings = ConnectionSettings(api_key=KEY, endpoint=f"https://{secure.address}", verify=chosen, timeout=5)
    assert runner.run(settings, flows.who_am_i(ONCE)).user_id == "u1"


def test_the_certificates_that_httpx_brings_are_read_once_and_never_where_the_environment_names_a_bundle(
    secure: ScriptedServer,
    certificate: tuple[Path, ssl.SSLContext],
    runner: Runner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = ConnectionSettings(api_key=KEY, endpoint=f"https://{secure.address}", timeout=5)
    usual = create_ssl_context(settings)
    assert create_ssl_context(settings) is usual
    # What urllib3 sets on its own must not reach connections that carry the key.
    assert create_ssl_context(settings, used_by="urllib3") is not usual
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert runner.run(settings, flows.who_am_i(ONCE)).user_id == "u1"


def test_a_ca_bundle_that_is_none_is_refused_by_name(certificate: tuple[Path, ssl.SSLContext]) -> None:
    settings = ConnectionSettings(api_key=KEY, verify=__file__)
    with pytest.raises(ConnectionSettingsError, match=r"test_drivers\.py"):
        create_ssl_context(settings)


def test_a_folder_of_certificates_can_be_a_ca_bundle(tmp_path: Path) -> None:
    assert create_ssl_context(ConnectionSettings(api_key=KEY, verify=str(tmp_path))).verify_mode is ssl.CERT_REQUIRED


def test_variables_travel_as_plain_json(server: ScriptedServer, settings: ConnectionSettings, runner: Runner) -> None:
    server.play(data(x={"taskId": "t1"}))
    runner.run(settings, flows.start_once(documents.START_PROJECT_EXPORT, {"n": 2**63, "t": True, "s": "\u2028"}))
    assert json.loads(server.asked[0].body)["variables"]["input"] == {"n": 2**63, "t": True, "s": "\u2028"}
