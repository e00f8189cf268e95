"""Starting and ending the servers of a benchmark: each by its own process id, all of them when the benchmark ends."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


class ServerMissingError(Exception):
    """A server cannot be started here; the text says what is missing and how to get it."""


class Servers(contextlib.AbstractContextManager["Servers"]):
    """Processes started by one benchmark, ended in reverse order at its end."""

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._running: list[subprocess.Popen[Any]] = []

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.Popen[Any]:
        """Start a server that logs into a file."""
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        self._running.append(process)
        return process

    def start_own(self, module: str, *arguments: str) -> tuple[subprocess.Popen[Any], str]:
        """Start a server of this package, which prints its port; gives its address, too."""
        with (self._logs / f"{module.rpartition('.')[2]}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        self._running.append(process)
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"{module} did not start: {self.log(module.rpartition('.')[2])}")
        return process, f"http://127.0.0.1:{int(port)}"

    def log(self, name: str) -> str:
        """Return the end of a server's log."""
        return (self._logs / f"{name}.log").read_text(errors="replace")[-2000:]

    def end(self) -> None:
        """End all of them, the last one started first."""
        for process in reversed(self._running):
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        self._running.clear()

    def __exit__(self, *error: object) -> None:
        self.end()


def free_port() -> int:
    """Ask the system for a port that nobody uses."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def until(what: str, look: Callable[[], bool], seconds: float = 60) -> None:
    """Poll until it is true."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise ServerMissingError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.1)


def is_listening(port: int) -> bool:
    """Return whether a server accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def plain_environment(**more: str) -> dict[str, str]:
    """Return this process's environment without proxies and without settings that change what is measured."""
    unwanted = ("AWS_", "GOOGLE_", "STORAGE_", "BOTO_", "AIRFLOW", "PYTHON")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(unwanted) and not name.lower().endswith("_proxy")
    }
    return {**kept, **more}
