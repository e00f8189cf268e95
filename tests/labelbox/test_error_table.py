"""The whole error table of the protocol, through both drivers, over real HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from support.labelbox_conversations import KEY, Runner
from support.labelbox_scripted_server import Drops, Hangs, Plays, ScriptedServer, Step, closed_port, data, graphql_error

from labelbox_export_provider.labelbox import flows
from labelbox_export_provider.labelbox.connection import ConnectionSettings
from labelbox_export_provider.labelbox.documents import START_PROJECT_EXPORT
from labelbox_export_provider.labelbox.model import KeyOwner, Started, StartLost
from labelbox_export_provider.labelbox.retry import RetryPolicy
from labelbox_export_provider.spec import errors

ATTEMPTS = 4
FEW = 3
ONCE = 1
POLICY = RetryPolicy(attempts=ATTEMPTS, first_wait=1, max_wait=60, total_seconds=1000, jitter=lambda: 1.0)
OWNER = data(user={"id": "u1", "email": None, "timezone": None}, organization={"id": "o1", "name": "Org"})
STARTED = data(exportDataRowsInProject={"taskId": "t1", "isStreamable": True})
INPUT = {"taskName": "n", "streamable": True, "filters": {"projectId": "clp1"}, "params": {}}
HTML = "<html><body>Bad gateway</body></html>"
RUNNING = "You have reached the limit of 10 concurrent exports for this project"


@dataclass(frozen=True)
class Row:
    """`tries`: how often a read is sent when this answer never changes. `start`: what a start makes of it."""

    name: str
    answer: Step
    error: type[errors.LabelboxExportError]
    tries: int
    start: str
    says: str = ""
    timeout: float = 5


LOST, AGAIN, RAISES = "lost", "sent again", "raises"

TABLE = [
    Row("no reply in time", Hangs(), errors.UnreachableError, ATTEMPTS, LOST, "timed out", timeout=0.1),
    Row("a reply that drips", Hangs(drip=0.01), errors.UnreachableError, ATTEMPTS, LOST, "timed out", timeout=0.1),
    Row("connection reset", Drops(), errors.UnreachableError, ATTEMPTS, LOST, "connection broke"),
    Row("connection closed", Drops(reset=False), errors.UnreachableError, ATTEMPTS, LOST, "connection broke"),
    Row("body cut off", Plays(body='{"da', announce=99), errors.UnreachableError, ATTEMPTS, LOST, "connection broke"),
    Row("HTTP 500", Plays(500, "oops"), errors.UnreachableError, ATTEMPTS, LOST, "HTTP 500: 'oops'"),
    Row("HTTP 502 of a gateway", Plays(502, HTML), errors.UnreachableError, ATTEMPTS, LOST, "Bad gateway"),
    Row("HTTP 503", Plays(503, "upstream connect error"), errors.UnreachableError, ATTEMPTS, LOST, "upstream"),
    Row("HTTP 504 with a JSON body", Plays(504, {"data": {}}), errors.UnreachableError, ATTEMPTS, LOST, "HTTP 504"),
    Row("HTTP 500 with GraphQL errors", graphql_error("RESOURCE_CONFLICT", status=500), errors.UnreachableError, ATTEMPTS, LOST),
    Row("HTML with HTTP 200", Plays(200, HTML), errors.UnreachableError, FEW, LOST, "not the GraphQL endpoint"),
    Row("cut-off JSON with HTTP 200", Plays(200, '{"data": {"us'), errors.UnreachableError, FEW, LOST, "not JSON"),
    Row("nothing with HTTP 200", Plays(200, b""), errors.UnreachableError, FEW, LOST, "nothing"),
    Row("bytes that are not UTF-8", Plays(200, b'{"data": "\xff"}'), errors.UnreachableError, FEW, LOST, "not JSON"),
    Row("JSON nested too deeply", Plays(200, b"[" * 200_000), errors.UnreachableError, FEW, LOST, "not JSON"),
    Row("JSON that is no object", Plays(200, "[1]"), errors.UnreachableError, FEW, LOST),
    Row("neither data nor errors", Plays(200, {"hello": 1}), errors.ProtocolError, ONCE, LOST, "neither data nor errors"),
    Row("null data", Plays(200, {"data": None}), errors.ProtocolError, ONCE, LOST, "neither data nor errors"),
    Row("HTML with HTTP 404", Plays(404, HTML), errors.ConnectionSettingsError, ONCE, RAISES, "no GraphQL endpoint"),
    Row("HTTP 400 not JSON", Plays(400, "bad"), errors.RefusedError, ONCE, RAISES, "'bad'"),
    Row("HTTP 401 not JSON", Plays(401, "who?"), errors.AuthenticationError, ONCE, RAISES, "Workspace settings"),
    Row("HTTP 407", Plays(407, ""), errors.ConnectionSettingsError, ONCE, RAISES, "proxy"),
    Row("HTTP 408", Plays(408, ""), errors.UnreachableError, ATTEMPTS, LOST),
    Row("HTTP 429", Plays(429, {"message": "slow down"}), errors.RateLimitedError, ATTEMPTS, AGAIN, "slow down"),
    Row("HTTP 429 with HTML", Plays(429, HTML), errors.RateLimitedError, ATTEMPTS, AGAIN),
    Row("You have exceeded, HTTP 200", Plays(200, {"message": "You have exceeded 1500 calls"}), errors.RateLimitedError, ATTEMPTS, AGAIN),
    Row("You have exceeded, HTTP 400", Plays(400, {"message": "You have exceeded 1500 calls"}), errors.RateLimitedError, ATTEMPTS, AGAIN),
    Row("You have exceeded, in errors", graphql_error(None, "You have exceeded 1500 calls"), errors.RateLimitedError, ATTEMPTS, AGAIN),
    Row("429 inside", graphql_error("INTERNAL_SERVER_ERROR", "busy", inside=429), errors.RateLimitedError, ATTEMPTS, AGAIN),
    Row("running exports, 429 inside", graphql_error("INTERNAL_SERVER_ERROR", RUNNING, inside=429), errors.RunningExportLimitError, ATTEMPTS, AGAIN),
    Row("running exports, HTTP 429", Plays(429, {"message": RUNNING}), errors.RunningExportLimitError, ATTEMPTS, AGAIN),
    Row("running exports, not allowed", graphql_error("OPERATION_NOT_ALLOWED", RUNNING), errors.RunningExportLimitError, ATTEMPTS, AGAIN),
    Row("running exports, no code", graphql_error(None, "Too many exports, wait"), errors.RunningExportLimitError, ATTEMPTS, AGAIN),
    Row("running exports, 422 inside", graphql_error("INTERNAL_SERVER_ERROR", RUNNING, inside=422), errors.RunningExportLimitError, ATTEMPTS, AGAIN),
    Row("key not accepted, HTTP 200", graphql_error("AUTHENTICATION_ERROR"), errors.AuthenticationError, ONCE, RAISES, "Workspace settings"),
    Row("key not accepted, HTTP 401", graphql_error("AUTHENTICATION_ERROR", status=401), errors.AuthenticationError, ONCE, RAISES),
    Row("key not accepted, HTTP 500", graphql_error("AUTHENTICATION_ERROR", status=500), errors.AuthenticationError, ONCE, RAISES),
    Row("API access off", Plays(401, {"message": "plan"}), errors.AuthenticationError, ONCE, RAISES, "'plan'"),
    Row("not allowed to", graphql_error("AUTHORIZATION_ERROR"), errors.AuthorizationError, ONCE, RAISES, "role"),
    Row("HTTP 403", Plays(403, {"message": "no"}), errors.AuthorizationError, ONCE, RAISES, "'no'"),
    Row("validation", graphql_error("GRAPHQL_VALIDATION_FAILED", "no field x", status=400), errors.RefusedError, ONCE, RAISES, "no field x"),
    Row("complexity", graphql_error("GRAPHQL_VALIDATION_FAILED", "query complexity limit exceeded"), errors.RefusedError, ONCE, RAISES, "complexity"),
    Row("parse", graphql_error("GRAPHQL_PARSE_FAILED"), errors.RefusedError, ONCE, RAISES),
    Row("variables", graphql_error("BAD_USER_INPUT"), errors.RefusedError, ONCE, RAISES),
    Row("not found", graphql_error("RESOURCE_NOT_FOUND"), errors.NotFoundError, ONCE, RAISES, "no such id"),
    Row("conflict", graphql_error("RESOURCE_CONFLICT"), errors.RefusedError, ONCE, RAISES, "RESOURCE_CONFLICT"),
    Row("malformed", graphql_error("MALFORMED_REQUEST", errors=[{"message": "inner"}]), errors.RefusedError, ONCE, RAISES, "inner"),
    Row("malformed, bare", Plays(400, {"errors": [{"extensions": {"code": "MALFORMED_REQUEST"}}]}), errors.RefusedError, ONCE, RAISES, "no text"),
    Row("400 inside", graphql_error("INTERNAL_SERVER_ERROR", inside=400), errors.RefusedError, ONCE, RAISES),
    Row("422 inside, as text", graphql_error("INTERNAL_SERVER_ERROR", inside="422"), errors.RefusedError, ONCE, RAISES),
    Row("426 inside", graphql_error("INTERNAL_SERVER_ERROR", inside=426), errors.RefusedError, ONCE, RAISES, "plan"),
    Row("500 inside", graphql_error("INTERNAL_SERVER_ERROR", inside=500), errors.UnreachableError, FEW, LOST),
    Row("nothing inside", graphql_error("INTERNAL_SERVER_ERROR"), errors.UnreachableError, FEW, LOST),
    Row("nonsense inside", graphql_error("INTERNAL_SERVER_ERROR", inside=["x"]), errors.UnreachableError, FEW, LOST),
    Row("503 inside", graphql_error("INTERNAL_SERVER_ERROR", inside=503), errors.UnreachableError, ATTEMPTS, LOST),
    Row("operation not allowed", graphql_error("OPERATION_NOT_ALLOWED", "your plan has no exports"), errors.RefusedError, ONCE, RAISES),
    Row("unknown code", graphql_error("TEAPOT", "short and stout"), errors.ProtocolError, ONCE, RAISES, "short and stout"),
    Row("unknown code, HTTP 400", graphql_error("TEAPOT", "short and stout", status=400), errors.RefusedError, ONCE, RAISES, "stout"),
    Row("errors without extensions", Plays(200, {"errors": [{"message": "boom"}]}), errors.ProtocolError, ONCE, RAISES, "boom"),
    Row("errors with null members", Plays(200, {"errors": [{"message": None, "extensions": None}]}), errors.ProtocolError, ONCE, RAISES),
    Row("errors that are text", Plays(200, {"errors": ["boom"]}), errors.ProtocolError, ONCE, RAISES, "boom"),
    Row("errors that are no list", Plays(200, {"errors": {"message": "boom"}}), errors.ProtocolError, ONCE, RAISES, "boom"),
    Row("errors beside data", Plays(200, {"data": {"user": None}, "errors": [{"message": "x", "extensions": {"code": "AUTHORIZATION_ERROR"}}]}), errors.AuthorizationError, ONCE, RAISES),
    Row("a redirect", Plays(302, "", {"Location": "https://sso.example/login?next=secret"}), errors.ConnectionSettingsError, ONCE, RAISES, "https://sso.example/login?***"),
    Row("a redirect to nowhere", Plays(308, ""), errors.ConnectionSettingsError, ONCE, RAISES, "host is probably wrong"),
]  # fmt: skip

rows = pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])


def _settings(server: ScriptedServer, row: Row) -> ConnectionSettings:
    return ConnectionSettings(api_key=KEY, endpoint=server.url, timeout=row.timeout)


@rows
def test_a_read_is_asked_again_exactly_where_the_table_says_so(
    row: Row, server: ScriptedServer, runner: Runner
) -> None:
    server.play(row.answer)
    with pytest.raises(errors.LabelboxExportError) as raised:
        runner.run(_settings(server, row), flows.who_am_i(POLICY))
    assert type(raised.value) is row.error
    assert len(server.asked) == row.tries
    assert runner.slept == [1.0, 2.0, 4.0][: row.tries - 1]
    message = str(raised.value)
    assert row.says in message
    assert message.startswith("WhoAmI: ")
    assert server.address in message
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


@pytest.mark.parametrize("row", [row for row in TABLE if row.tries > 1], ids=lambda row: row.name)
def test_a_fault_that_passes_is_forgotten(row: Row, server: ScriptedServer, runner: Runner) -> None:
    server.play(row.answer, OWNER)
    owner = runner.run(_settings(server, row), flows.who_am_i(POLICY))
    assert owner == KeyOwner("u1", None, None, "o1", "Org")
    assert runner.slept == [1.0]


@rows
def test_a_start_is_sent_again_only_after_a_definite_refusal(row: Row, server: ScriptedServer, runner: Runner) -> None:
    server.play(row.answer, STARTED)
    flow = flows.start_once(START_PROJECT_EXPORT, INPUT, POLICY)
    if row.start == RAISES:
        with pytest.raises(row.error, match="clp1"):
            runner.run(_settings(server, row), flow)
    else:
        outcome: Any = runner.run(_settings(server, row), flow)
        assert isinstance(outcome, Started if row.start == AGAIN else StartLost)
    assert len(server.asked) == (2 if row.start == AGAIN else 1)


def test_a_refused_connection_reached_nobody_so_a_start_is_sent_again_until_the_policy_ends(runner: Runner) -> None:
    settings = ConnectionSettings(api_key=KEY, endpoint=f"http://127.0.0.1:{closed_port()}", timeout=5)
    with pytest.raises(errors.UnreachableError, match=r"no connection.*Gave up after 4 tries.*No export was started"):
        runner.run(settings, flows.start_once(START_PROJECT_EXPORT, INPUT, POLICY))
    assert runner.slept == [1.0, 2.0, 4.0]


def test_an_unknown_host_name_is_named(runner: Runner) -> None:
    settings = ConnectionSettings(api_key=KEY, endpoint="https://labelbox.invalid", timeout=5)
    with pytest.raises(errors.UnreachableError, match=r"labelbox\.invalid gave no answer: no connection"):
        runner.run(settings, flows.who_am_i(RetryPolicy(attempts=1)))
