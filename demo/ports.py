"""Free TCP ports for servers that must be told theirs before they start."""

from __future__ import annotations

import contextlib
import random
import socket

_BELOW_THE_EPHEMERAL_RANGE = range(15_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Return that many distinct ports of 127.0.0.1 that nobody listens on now.

    They lie below the range from which the system takes the ports of outgoing connections, so that none is lost to
    such a connection before its server has started.
    """
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        for port in random.sample(_BELOW_THE_EPHEMERAL_RANGE, k=len(_BELOW_THE_EPHEMERAL_RANGE)):
            if len(ports) == count:
                return ports
            server = held.enter_context(socket.socket())
            try:
                server.bind(("127.0.0.1", port))
            except OSError:  # taken
                continue
            ports.append(port)
    raise OSError(f"fewer than {count} free ports between {_BELOW_THE_EPHEMERAL_RANGE}")
