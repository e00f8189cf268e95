"""What is sent to Airflow's metrics, in a list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest


class SentMetrics:
    """Takes the place of Airflow's `Stats`, in tasks and in triggers alike."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[str, Any, dict[str, str]]] = []
        for process in ("task_stats", "triggerer_stats"):
            monkeypatch.setattr(f"labelbox_export_provider.metrics.{process}", lambda: self)

    def incr(self, stat: str, count: int = 1, rate: float = 1, *, tags: dict[str, str]) -> None:
        self.sent.append((stat, count, tags))

    def timing(self, stat: str, dt: timedelta, *, tags: dict[str, str]) -> None:
        self.sent.append((stat, dt.total_seconds(), tags))

    def gauge(self, stat: str, value: float, *, tags: dict[str, str]) -> None:
        self.sent.append((stat, value, tags))

    def of(self, name: str) -> list[Any]:
        """Return the values that were sent under a name."""
        return [value for stat, value, _ in self.sent if stat == f"labelbox_export.{name}"]

    def tags(self, name: str) -> dict[str, str]:
        """Return the tags of the only metric of a name."""
        [tags] = [tags for stat, _, tags in self.sent if stat == f"labelbox_export.{name}"]
        return tags
