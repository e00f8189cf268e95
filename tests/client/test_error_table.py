"""The whole error table of the protocol, through both drivers, over real HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from support.client.conversations import KEY, Runner
from support.client.scripted_server import Drops, Hangs, Plays, ScriptedServer, Step, closed_port, data, graphql_error

from labelbox_export_provider import errors
from labelbox_export_provider.client import flows
from labelbox_export_provider.client.graphql import START_PROJECT_EXPORT
from labelbox_export_provider.client.retry import RetryPolicy
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import KeyOwner, Started, StartLost
from labelbox_export_provider.errors import ConnectionSettingsError as SettingsError
from labelbox_export_provider.errors import RunningExportLimitError

ATTEMPTS = 4
FEW = 3
ONCE = 1
POLICY = RetryPolicy(attempts=ATTEMPTS, first_wait=1, max_wait=60, total_seconds=1000, jitter=lambda: 1.0)
OWNER = data(user={"id": "u1", "email": None, "timezone": None}, organization={"id": "o1", "name": "Org"})
STARTED = data(exportDataRowsInProject={"taskId": "t1", "isStreamable": True})
INPUT = {"taskName": "n", "streamable": True, "filters": {"projectId": "clp1"}, "params": {}}
HTML = "<html><body>Bad gateway</body></html>"
COMPLEX = "query complexity limit exceeded"
PLAN = "You have exceeded the exports that your plan allows"
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


UNKNOWN, AGAIN, RAISES = "lost", "sent again", "raises"


def waits(name: str, answer: Step, says: str = "", *, tries: int = ATTEMPTS, timeout: float = 5) -> Row:
    return Row(name, answer, errors.UnreachableError, tries, UNKNOWN, says, timeout)


def hopeless(name: str, answer: Step, says: str = "") -> Row:
    return waits(name, answer, says, tries=FEW)


def limited(name: str, answer: Step, error: type[errors.TemporaryError] = errors.RateLimitedError) -> Row:
    return Row(name, answer, error, ATTEMPTS, AGAIN)


def fatal(name: str, answer: Step, error: type[errors.LabelboxExportError], says: str = "") -> Row:
    return Row(name, answer, error, ONCE, RAISES, says)


def meaningless(name: str, answer: Step) -> Row:
    return Row(name, answer, errors.ProtocolError, ONCE, UNKNOWN, "neither data nor errors")


INTERNAL, BESIDE_DATA = "INTERNAL_SERVER_ERROR", {"message": "x", "extensions": {"code": "AUTHORIZATION_ERROR"}}
TABLE = [
    waits("no reply in time", Hangs(), "timed out", timeout=0.1),
    waits("a reply that drips", Hangs(drip=0.01), "timed out", timeout=0.1),
    waits("connection reset", Drops(), "connection broke"),
    waits("connection closed", Drops(reset=False), "connection broke"),
    waits("body cut off", Plays(body='{"da', announce=99), "connection broke"),
    waits("HTTP 500", Plays(500, "oops"), 'HTTP 500: "oops"'),
    waits("HTTP 502 of a gateway", Plays(502, HTML), "Bad gateway"),
    waits("HTTP 503", Plays(503, "upstream connect error"), "upstream connect error"),
    waits("HTTP 504 with a JSON body", Plays(504, {"data": {}}), "HTTP 504"),
    waits("HTTP 500 with GraphQL errors", graphql_error("RESOURCE_CONFLICT", status=500), "HTTP 500"),
    waits("HTTP 408", Plays(408, ""), "timed out waiting"),
    waits("503 inside", graphql_error(INTERNAL, inside=503), "an internal error"),
    hopeless("500 inside", graphql_error(INTERNAL, inside=500), "an internal error"),
    hopeless("nothing inside", graphql_error(INTERNAL), "an internal error"),
    hopeless("nonsense inside", graphql_error(INTERNAL, inside=["x"]), "an internal error"),
    hopeless("HTML with HTTP 200", Plays(200, HTML), "not the GraphQL endpoint"),
    hopeless("cut-off JSON with HTTP 200", Plays(200, '{"data": {"us'), "cut-off answer"),
    hopeless("nothing with HTTP 200", Plays(200, b""), "with an empty body"),
    hopeless("bytes that are not UTF-8", Plays(200, b'{"data": "\xff"}'), "not JSON"),
    hopeless("JSON nested too deeply", Plays(200, b"[" * 200_000), "not JSON"),
    hopeless("JSON that is no object", Plays(200, "[1]"), "not JSON"),
    meaningless("neither data nor errors", Plays(200, {"hello": 1})),
    meaningless("null data", Plays(200, {"data": None})),
    meaningless("data that is text", Plays(200, {"data": "x", "errors": []})),
    limited("HTTP 429", Plays(429, {"message": "slow down"})),
    limited("HTTP 429 with HTML", Plays(429, HTML)),
    limited("You have exceeded, HTTP 200", Plays(200, {"message": "You have exceeded 1500 calls"})),
    limited("You have exceeded, HTTP 400", Plays(400, {"message": "You have exceeded 1500 calls"})),
    limited("You have exceeded, in errors", graphql_error(None, "You have exceeded 1500 calls")),
    limited("429 inside", graphql_error(INTERNAL, "busy", inside=429)),
    limited("running exports, 429 inside", graphql_error(INTERNAL, RUNNING, inside=429), RunningExportLimitError),
    limited("running exports, 422 inside", graphql_error(INTERNAL, RUNNING, inside=422), RunningExportLimitError),
    limited("running exports, 500 inside", graphql_error(INTERNAL, RUNNING, inside=500), RunningExportLimitError),
    limited("running exports, HTTP 429", Plays(429, {"message": RUNNING}), RunningExportLimitError),
    limited("running exports, not allowed", graphql_error("OPERATION_NOT_ALLOWED", RUNNING), RunningExportLimitError),
    limited("running exports, no code", graphql_error(None, "Too many exports, wait"), RunningExportLimitError),
    fatal("key not accepted, HTTP 200", graphql_error("AUTHENTICATION_ERROR"), errors.AuthenticationError, "expired"),
    fatal("key not accepted, HTTP 401", graphql_error("AUTHENTICATION_ERROR", status=401), errors.AuthenticationError),
    fatal("key not accepted, HTTP 500", graphql_error("AUTHENTICATION_ERROR", status=500), errors.AuthenticationError),
    fatal("API access off", Plays(401, {"message": "off"}), errors.AuthenticationError, "off for the plan"),
    fatal("HTTP 401 not JSON", Plays(401, "who?"), errors.AuthenticationError, "Workspace settings"),
    fatal("not allowed to", graphql_error("AUTHORIZATION_ERROR"), errors.AuthorizationError, "role"),
    fatal("HTTP 403", Plays(403, {"message": "no"}), errors.AuthorizationError, '"no"'),
    fatal("errors beside data", Plays(body={"data": {}, "errors": [BESIDE_DATA]}), errors.AuthorizationError),
    fatal("validation", graphql_error("GRAPHQL_VALIDATION_FAILED", "no x", status=400), errors.RefusedError, "no x"),
    fatal("complexity", graphql_error("GRAPHQL_VALIDATION_FAILED", COMPLEX), errors.RefusedError, COMPLEX),
    fatal("parse", graphql_error("GRAPHQL_PARSE_FAILED"), errors.RefusedError, "GRAPHQL_PARSE_FAILED"),
    fatal("variables", graphql_error("BAD_USER_INPUT", RUNNING), errors.RefusedError, "BAD_USER_INPUT"),
    fatal("not found", graphql_error("RESOURCE_NOT_FOUND"), errors.NotFoundError, "no such id"),
    fatal("conflict", graphql_error("RESOURCE_CONFLICT"), errors.RefusedError, "RESOURCE_CONFLICT"),
    fatal("malformed", graphql_error("MALFORMED_REQUEST", errors=[{"m": "inner"}]), errors.RefusedError, "inner"),
    fatal(
        "malformed, bare", Plays(400, {"errors": [{"extensions": {"code": "MALFORMED_REQUEST"}}]}), errors.RefusedError
    ),
    fatal("400 inside", graphql_error(INTERNAL, "bad id", inside=400), errors.RefusedError, "bad id"),
    fatal("422 inside, as text", graphql_error(INTERNAL, inside="422"), errors.RefusedError, "422"),
    fatal("426 inside", graphql_error(INTERNAL, PLAN, inside=426), errors.RefusedError, "plan does not allow"),
    fatal("operation not allowed", graphql_error("OPERATION_NOT_ALLOWED", PLAN), errors.RefusedError, PLAN),
    fatal("unknown code", graphql_error("TEAPOT", "short and stout"), errors.ProtocolError, "short and stout"),
    fatal("unknown code, HTTP 400", graphql_error("TEAPOT", "stout", status=400), errors.RefusedError, "stout"),
    fatal("errors without extensions", Plays(body={"errors": [{"message": "boom"}]}), errors.ProtocolError, "boom"),
    fatal("errors with nulls", Plays(body={"errors": [{"message": None, "extensions": None}]}), errors.ProtocolError),
    fatal("errors that are null", Plays(body={"errors": [None]}), errors.ProtocolError),
    fatal("errors that are text", Plays(body={"errors": ["boom"]}), errors.ProtocolError, "boom"),
    fatal("errors that are no list", Plays(body={"errors": {"message": "boom"}}), errors.ProtocolError, "boom"),
    fatal("HTML with HTTP 404", Plays(404, HTML), errors.ConnectionSettingsError, "no GraphQL endpoint"),
    fatal("HTTP 400 not JSON", Plays(400, "bad"), errors.RefusedError, '"bad"'),
    fatal("HTTP 407", Plays(407, ""), errors.ConnectionSettingsError, "proxy"),
    fatal(
        "a redirect", Plays(302, "", {"Location": "https://sso.example/login?to=x"}), SettingsError, "example/login?***"
    ),
    fatal("a redirect to nowhere", Plays(308, ""), SettingsError, "it is probably wrong"),
]

rows = pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])


def _settings(server: ScriptedServer, row: Row) -> ConnectionSettings:
    return ConnectionSettings(api_key=KEY, endpoint=server.url, timeout=row.timeout)


@rows
def test_a_read_is_retried_exactly_as_in_the_table(row: Row, server: ScriptedServer, runner: Runner) -> None:
    server.play(row.answer)
    with pytest.raises(errors.LabelboxExportError) as raised:
        runner.run(_settings(server, row), flows.who_am_i(POLICY))
    assert type(raised.value) is row.error
    # A client that gives up after a tenth of a second may do so before a busy server has read the request.
    assert len(server.asked) == row.tries or row.timeout < 1
    assert runner.slept == [1.0, 2.0, 4.0][: row.tries - 1]
    message = str(raised.value)
    assert row.says in message
    assert (raised.value.details or "").startswith("WhoAmI: ")
    assert server.address in (raised.value.details or "")
    assert "WhoAmI" not in raised.value.message
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


def test_refused_connection_lets_a_start_be_resent(runner: Runner) -> None:
    """A refused connection reached nobody so a start is sent again until the policy ends."""
    settings = ConnectionSettings(api_key=KEY, endpoint=f"http://127.0.0.1:{closed_port()}", timeout=5)
    with pytest.raises(errors.UnreachableError, match=r"Gave up after 4 tries.*No export was started.*no connection"):
        runner.run(settings, flows.start_once(START_PROJECT_EXPORT, INPUT, POLICY))
    assert runner.slept == [1.0, 2.0, 4.0]


def test_an_unknown_host_name_is_named(runner: Runner) -> None:
    settings = ConnectionSettings(api_key=KEY, endpoint="https://labelbox.invalid", timeout=5)
    with pytest.raises(errors.UnreachableError, match=r"labelbox\.invalid gave no answer: no connection"):
        runner.run(settings, flows.who_am_i(RetryPolicy(attempts=1)))
