"""One asynchronous client per event loop and connection, whatever the number of waiting exports (guarantee G9).

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


@dataclass
class _Lease:
    client: AsyncLabelboxClient
    holders: int = 0


_leases: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[ConnectionSettings, _Lease]] = WeakKeyDictionary()


@asynccontextmanager
async def shared_client(settings: ConnectionSettings) -> AsyncIterator[AsyncLabelboxClient]:
    """Share the running loop's client for these settings; the last holder closes it."""
    from labelbox_export_provider.client.http_clients import AsyncLabelboxClient

    on_this_loop = _leases.setdefault(asyncio.get_running_loop(), {})
    lease = on_this_loop.get(settings)
    if lease is None:
        lease = on_this_loop[settings] = _Lease(AsyncLabelboxClient(settings, user_agent=user_agent()))
    lease.holders += 1
    try:
        yield lease.client
    finally:
        lease.holders -= 1
        if lease.holders == 0:
            on_this_loop.pop(settings, None)
            await lease.client.close()


def clients_open() -> int:
    """Count the clients of all loops, for tests and diagnostics."""
    return sum(len(on_one_loop) for on_one_loop in _leases.values())
