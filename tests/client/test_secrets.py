"""The API key and signed URLs, looked for in everything that a flow leaves behind, at DEBUG level on all loggers."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.client.conversations import KEY, Runner
from support.client.scripted_server import Asked, Drops, Hangs, Plays, ScriptedServer, data

from labelbox_export_provider.client import flows, graphql
from labelbox_export_provider.client.retry import RetryPolicy
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import StreamType
from labelbox_export_provider.errors import LabelboxExportError

POLICY = RetryPolicy(attempts=2)
SIGNATURE = "s1gnatur3-do-not-show"
URL = f"https://storage.example/bucket/file?X-Goog-Signature={SIGNATURE}"
SECRETS = (KEY, SIGNATURE, "hunter2")
FILE = {"offsets": {"start": 0, "end": 9}, "lines": {"start": 0, "end": 1}, "file": URL}


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    names = [
        name for name in logging.root.manager.loggerDict if name.startswith(("httpx", "httpcore", "h11", "asyncio"))
    ]
    loggers = [logging.getLogger(name) for name in [*names, "labelbox_export_provider"]]
    before = [(logger, logger.level, logger.disabled, logger.propagate) for logger in loggers]
    caplog.set_level(logging.DEBUG)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.disabled, logger.propagate = False, True
    yield
    for logger, level, disabled, propagate in before:
        logger.setLevel(level)
        logger.disabled, logger.propagate = disabled, propagate


def _echo(status: int) -> Callable[[Asked], Plays]:
    def echo(asked: Asked) -> Plays:
        return Plays(status, {"message": f"{asked.headers['authorization']} {asked.headers} {URL}"})

    return echo


def _echo_as_error(asked: Asked) -> Plays:
    return Plays(200, {"errors": [{"message": f"{asked.headers} {URL}", "extensions": {"code": "TEAPOT"}}]})


ANSWERS: dict[str, Any] = {
    "a file": data(task={"exportFileFromOffset": FILE}),
    "a file at another offset": data(task={"exportFileFromOffset": {**FILE, "offsets": {"start": 5, "end": 9}}}),
    "a file in no known shape": data(task={"exportFileFromOffset": URL}),
    "totals that are a URL": data(task={"exportMetadataHeader": {"totalSize": URL, "totalLines": KEY}}),
    "a user that is the key": data(user=KEY, organization=URL),
    "echo, HTTP 200": _echo(200),
    "echo, HTTP 400": _echo(400),
    "echo, HTTP 401": _echo(401),
    "echo, HTTP 429": _echo(429),
    "echo, HTTP 500": _echo(500),
    "echo in errors": _echo_as_error,
    "a redirect": Plays(302, "", {"Location": "https://sso.example/x"}),
    "a dropped connection": Drops(),
    "a broken body": Plays(body=b"{", announce=9),
    "silence": Hangs(),
}


def _flows() -> list[Any]:
    return [
        flows.who_am_i(POLICY),
        flows.start_once(graphql.START_PROJECT_EXPORT, {"filters": {"projectId": "p"}}, POLICY),
        flows.stream_totals("t1", StreamType.RESULT, POLICY),
        flows.file_at("t1", StreamType.RESULT, 0, POLICY),
        flows.created_tasks_named("u1", "n", POLICY),
    ]


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
def test_neither_key_nor_signed_url_is_logged_or_raised(
    answer: Any, server: ScriptedServer, runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ConnectionSettings(api_key=KEY, endpoint=server.url, timeout=0.1)
    left: list[str] = [repr(settings)]
    for flow in _flows():
        server.play(answer)
        try:
            left.append(repr(runner.run(settings, flow)))
        except LabelboxExportError as error:
            left.extend(traceback.format_exception(error))
    _assert_clean("\n".join([*left, caplog.text]))
    assert "httpcore" in caplog.text
    assert any(KEY in str(asked.headers) for asked in server.asked), "the key was really sent"


def test_a_proxys_password_is_not_logged_or_raised(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedServer().serving() as proxy:
        proxy.play(Plays(403, ""))
        settings = ConnectionSettings(
            api_key=KEY, endpoint="https://labelbox.example", proxy=f"http://me:hunter2@{proxy.address}"
        )
        with pytest.raises(LabelboxExportError) as raised:
            runner.run(settings, flows.who_am_i(POLICY))
    _assert_clean("\n".join([repr(settings), *traceback.format_exception(raised.value), caplog.text]))
    assert "CONNECT" in caplog.text


def _assert_clean(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text
