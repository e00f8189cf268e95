"""One asynchronous client, poller and watcher per event loop and connection, whatever waits there (guarantee G9).

Building a client loads the CA bundle: 25 ms of a blocked loop and most of a megabyte each, which a thousand deferred
sensors would pay a thousand times.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.hooks.labelbox import user_agent

if TYPE_CHECKING:
    from labelbox_export_provider.client.http_clients import AsyncLabelboxClient
    from labelbox_export_provider.triggers.gate_watcher import GateWatcher
    from labelbox_export_provider.triggers.poller import Poller


@dataclass
class _Lease:
    client: AsyncLabelboxClient
    poller: Poller
    gate: GateWatcher
    holders: int = 0


_leases: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[ConnectionSettings, _Lease]] = WeakKeyDictionary()


@asynccontextmanager
async def shared_client(settings: ConnectionSettings) -> AsyncIterator[AsyncLabelboxClient]:
    """Share the running loop's client for these settings; the last holder closes it."""
    async with _leased(settings) as lease:
        yield lease.client


@asynccontextmanager
async def shared_poller(settings: ConnectionSettings) -> AsyncIterator[Poller]:
    """Share the running loop's poller for these settings; the last holder closes it."""
    async with _leased(settings) as lease:
        yield lease.poller


@asynccontextmanager
async def shared_gate(settings: ConnectionSettings) -> AsyncIterator[GateWatcher]:
    """Share the running loop's watcher of resting starts for these settings; the last holder closes it."""
    async with _leased(settings) as lease:
        yield lease.gate


@asynccontextmanager
async def _leased(settings: ConnectionSettings) -> AsyncIterator[_Lease]:
    on_this_loop = _leases.setdefault(asyncio.get_running_loop(), {})
    lease = on_this_loop.get(settings)
    if lease is None:
        lease = on_this_loop[settings] = _opened(settings)
    lease.holders += 1
    try:
        yield lease
    finally:
        lease.holders -= 1
        if lease.holders == 0:
            on_this_loop.pop(settings, None)
            await lease.gate.close()
            await lease.poller.close()
            await lease.client.close()


def _opened(settings: ConnectionSettings) -> _Lease:
    from labelbox_export_provider.client.http_clients import AsyncLabelboxClient
    from labelbox_export_provider.triggers.gate_watcher import GateWatcher
    from labelbox_export_provider.triggers.poller import Poller

    client = AsyncLabelboxClient(settings, user_agent=user_agent())
    gate = GateWatcher(client, settings.max_running_exports, settings.polls_per_minute)
    return _Lease(client, Poller(client, settings.polls_per_minute), gate)


def clients_open() -> int:
    """Count the clients of all loops, for tests and diagnostics."""
    return sum(len(on_one_loop) for on_one_loop in _leases.values())
