"""The fake Labelbox as a process of its own, and its rows."""

from __future__ import annotations

import json
import secrets
import sys
from typing import TYPE_CHECKING, Any

import httpx

from demo.airflow_api import until
from demo.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.days import Night
    from demo.processes import Processes

SECONDS_PER_EXPORT = 8
"""Long enough to see tasks wait for their exports, and short enough for them to wait in the worker."""


class FakeLabelboxServer:
    """`python -m labelbox_export_provider.testing` as a child of `processes`, with a key made for this run."""

    def __init__(self, processes: Processes, environment: dict[str, str], arguments: Sequence[str]) -> None:
        port, file_port = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.api_key = f"demo-key-{secrets.token_hex(12)}"
        command = [sys.executable, "-m", "labelbox_export_provider.testing"]
        command += ["--port", str(port), "--file-port", str(file_port), "--api-key", self.api_key]
        command += ["--seconds-per-export", str(SECONDS_PER_EXPORT), *arguments]
        self._server = processes.start("fake-labelbox", command, environment=environment)
        self._log = processes.home / "fake-labelbox.log"

    def wait(self, timeout: float = 60) -> None:
        """Wait until it answers."""

        def answers() -> bool:
            if self._server.poll() is not None:
                raise RuntimeError(f"the fake Labelbox ended while starting:\n{self._log.read_text()[-3000:]}")
            try:
                return httpx.get(f"{self.url}/_fake/projects", timeout=5, trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        until("the fake Labelbox to answer", answers, timeout=timeout, every=0.2)

    @property
    def airflow_connection(self) -> str:
        """The connection `labelbox_default` as Airflow reads it from the environment."""
        return json.dumps({"conn_type": "labelbox", "host": f"{self.url}/graphql", "password": self.api_key})

    def project_id(self) -> str:
        """Return the id of its only project."""
        return str(next(iter(self._get("projects").json())))

    def rows(self, project_id: str, night: Night, export_id: str) -> list[bytes]:
        """Return the rows that it holds for a night, with the fields that this export asked for."""
        window = {"start": night.start.isoformat(), "end": night.end.isoformat()}
        lines = self._get("rows", project=project_id, export=export_id, **window).content.split(b"\n")
        return lines[:-1]

    def _get(self, name: str, **query: Any) -> httpx.Response:
        return httpx.get(f"{self.url}/_fake/{name}", params=query, timeout=60, trust_env=False).raise_for_status()
