"""A receiver of metrics as Airflow sends them by StatsD, with tags in the form of InfluxDB."""

from __future__ import annotations

import re
import socket
from threading import Thread

_LINE = re.compile(r"([\w.]+?)((?:,[\w.]+=[^,:]*)*):([^|]+)\|(\w+)")


class MetricsReceiver:
    """Receives datagrams on this machine until it is closed."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.lines: list[str] = []
        self._thread = Thread(target=self._receive, daemon=True)
        self._thread.start()

    @property
    def airflow_settings(self) -> dict[str, str]:
        """Return the settings with which Airflow sends its metrics here."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self._socket.getsockname()[1]),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
            # Of the others there are thousands, and a datagram that finds the receiver busy is lost.
            "AIRFLOW__METRICS__METRICS_ALLOW_LIST": "labelbox_export",
        }

    def of(self, name: str, **tags: str) -> list[tuple[float, str, dict[str, str]]]:
        """Return value, kind and tags of what was sent under a name, with these tags."""
        found = []
        for line in list(self.lines):
            match = _LINE.fullmatch(line)
            if match is None or match[1] != f"airflow.labelbox_export.{name}":
                continue
            own = dict(pair.split("=", 1) for pair in match[2].split(",")[1:])
            if tags.items() <= own.items():
                found.append((float(match[3]), match[4], own))
        return found

    def close(self) -> None:
        """Stop receiving."""
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _receive(self) -> None:
        while content := self._socket.recv(65536):
            self.lines += content.decode().splitlines()
