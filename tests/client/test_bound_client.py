"""A client that is bound to a token ends its requests and waits as soon as the token is cancelled."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from support.client.scripted_server import Hangs, Plays, ScriptedServer

from labelbox_export_provider.cancellation import CancelToken, StoppedError
from labelbox_export_provider.client import flows
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.settings import ConnectionSettings

KEY = "a-key-of-twenty-characters"


@contextmanager
def deaf_address() -> Iterator[str]:
    """An address where connections are neither taken nor refused: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = []
        for _ in range(3):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
        for each in waiting:
            each.close()


def seconds_until_stopped(endpoint: str, *, wait_for: Callable[[], bool] = lambda: True) -> float:
    token = CancelToken()
    client = LabelboxClient(ConnectionSettings(api_key=KEY, endpoint=endpoint))

    def cancel() -> None:
        while not wait_for():
            time.sleep(0.01)
        time.sleep(0.1)
        begun.append(time.monotonic())
        token.cancel(ValueError("over"))

    begun: list[float] = []
    canceller = threading.Thread(target=cancel)
    with client, client.bound_to(token) as bound:
        canceller.start()
        with pytest.raises(StoppedError):
            bound.run(flows.who_am_i())
        ended = time.monotonic() - begun[0]
        canceller.join()
    return ended


@pytest.mark.parametrize(
    "plays", [Hangs(), Hangs(drip=0.5), Plays(503, "", {"Retry-After": "30"})], ids=["silent", "drips", "down"]
)
def test_whatever_the_api_does_a_stop_ends_it(server: ScriptedServer, plays: Hangs | Plays) -> None:
    """A request without answer, one that drips and the sleep between two tries end, and the request's thread too."""
    server.play(*[plays] * 30)
    assert seconds_until_stopped(server.url, wait_for=lambda: bool(server.asked)) < 1
    deadline = time.monotonic() + 2
    while any(thread.name == "labelbox-call" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_connection_that_nobody_takes_is_left() -> None:
    """Nothing wakes a thread that connects, so whoever waits for it leaves it behind."""
    with deaf_address() as address:
        assert seconds_until_stopped(address) < 1
