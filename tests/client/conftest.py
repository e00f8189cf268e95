"""Servers, settings and drivers for the tests of the client."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.client.conversations import KEY, Runner
from support.client.scripted_server import ScriptedServer

from labelbox_export_provider.client.settings import ConnectionSettings


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def _served() -> Iterator[ScriptedServer]:
    with ScriptedServer().serving() as server:
        yield server


@pytest.fixture
def server(_served: ScriptedServer) -> ScriptedServer:
    _served.play()
    return _served


@pytest.fixture(params=["sync", "async"])
def runner(request: pytest.FixtureRequest) -> Runner:
    return Runner(request.param)


@pytest.fixture
def settings(server: ScriptedServer) -> ConnectionSettings:
    return ConnectionSettings(api_key=KEY, endpoint=server.url, timeout=5)
