"""A crowd of waits: requests in flight, and the lines that their polls write."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from support.client.conversations import USER_AGENT
from support.client.scripted_server import ScriptedServer, data

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.http_clients import MAX_IN_FLIGHT, AsyncLabelboxClient
from labelbox_export_provider.client.polling import LINE_EVERY, PollResult, ProgressLog
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import ExportTaskState

OWNER = data(user={"id": "u1", "email": None, "timezone": None}, organization={"id": "o1", "name": "Org"})


def test_httpx_never_holds_more_requests_than_connections(server: ScriptedServer, settings: ConnectionSettings) -> None:
    """Of 100 requests at once 80 wait outside of httpx, whose pool looks through its queue at every event."""
    server.play(OWNER)
    held = most = 0

    async def sent(_: httpx.Request) -> None:
        nonlocal held, most
        held += 1
        most = max(most, held)

    async def answered(_: httpx.Response) -> None:
        nonlocal held
        held -= 1

    async def ask_at_once() -> None:
        async with AsyncLabelboxClient(settings, user_agent=USER_AGENT) as client:
            pool = client._http._transport._pool  # type: ignore[attr-defined]
            assert (pool._max_connections, pool._keepalive_expiry) == (MAX_IN_FLIGHT, 90.0)
            client._http.event_hooks = {"request": [sent], "response": [answered]}
            await asyncio.gather(*(client.run(flows.who_am_i()) for _ in range(100)))

    asyncio.run(ask_at_once())
    assert (most, held, len(server.asked)) == (MAX_IN_FLIGHT, 0, 100)


def _poll(percentage: float | None) -> PollResult:
    return PollResult(None, f"at {percentage}", _state("IN_PROGRESS", percentage))


def _state(status: str, percentage: float | None) -> ExportTaskState:
    return ExportTaskState("e1", None, status, None, percentage, None, None)


@pytest.mark.parametrize(
    ("polls", "written"),
    [
        ([(0, 10), (5, 10), (10, 10)], ["at 10"]),
        ([(0, 10), (5, 20), (10, 20)], ["at 10", "at 20"]),
        ([(0, 10), (LINE_EVERY - 1, 10), (LINE_EVERY, 10), (LINE_EVERY + 5, 10)], ["at 10", "at 10"]),
    ],
)
def test_a_line_is_written_when_something_changed(polls: list[tuple[float, float]], written: list[str]) -> None:
    """A wait writes a line when its percentage has changed, or a minute has passed since the last line."""
    lines: list[str] = []
    moments = [float(moment) for moment, _ in polls]
    progress = ProgressLog(lines.append, iter(moments).__next__)
    for _, percentage in polls:
        progress.add(_poll(percentage))
    assert lines == written


def test_the_end_of_an_export_is_always_written() -> None:
    lines: list[str] = []
    progress = ProgressLog(lines.append, lambda: 0.0)
    progress.add(_poll(100))
    progress.add(PollResult("COMPLETE", "is COMPLETE", _state("COMPLETE", 100)))
    assert lines == ["at 100", "is COMPLETE"]
