"""The metrics of this package, sent by Airflow's own settings for StatsD or OpenTelemetry ([metrics]).

The names are public (docs/formats.md, docs/monitoring.md); Airflow puts its prefix before them. Where no metrics are
switched on, Airflow drops them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from labelbox_export_provider.airflow_compat import task_stats, triggerer_stats

PREFIX = "labelbox_export"
Kind = Literal["counter", "timer", "gauge"]
TAGS = ("dag_id", "task_id", "source_kind", "source_id", "outcome")
"""Tags, where they are known: the source in a task that has a handle, the outcome of a wait."""
METRICS: dict[str, tuple[Kind, str]] = {
    "started": ("counter", "exports that were started"),
    "adopted": ("counter", "exports of an earlier try that were adopted instead of starting another one"),
    "refused": ("counter", "starts that Labelbox refused at a limit, and that are tried again"),
    "queued": ("timer", "from the first refusal at a limit to the start; only of starts that were refused"),
    "waited": ("timer", "from an export's start to the moment when its end was seen, or to the end of the wait"),
    "rows": ("counter", "rows landed"),
    "error_rows": ("counter", "error rows landed beside them"),
    "bytes": ("counter", "bytes of the objects with rows, as stored"),
    "landing": ("timer", "from the first request for an export's totals to its manifest"),
    "resumed": ("counter", "downloads that broke off and were resumed at their byte, in landings that succeeded"),
    "window_end": ("gauge", "end of the window that was landed, in seconds since 1970-01-01 UTC"),
    "window_age": ("gauge", "seconds from that end to the landing's"),
}
"""What is sent, by name after the prefix: the kind, and what it counts."""


class _Named(Protocol):
    @property
    def dag_id(self) -> str: ...

    task_id: str


@dataclass(frozen=True, slots=True)
class Metrics:
    """Sends metrics of one task instance, from a task or from its trigger."""

    stats: Any
    tags: dict[str, str]

    @classmethod
    def of_task(cls, task: _Named, source: Any = None) -> Metrics:
        """Return the metrics of a task or task instance; `source` has the kind and the id of what it exports."""
        tags = {"dag_id": task.dag_id, "task_id": task.task_id}
        if source is not None:
            tags |= {"source_kind": source.kind, "source_id": source.id}
        return cls(task_stats(), tags)

    @classmethod
    def of_trigger(cls, task_instance: Any) -> Metrics:
        """Return the metrics of a trigger, by the task instance that waits for it; None has no tags."""
        tags = {name: value for name in ("dag_id", "task_id") if (value := getattr(task_instance, name, None))}
        return cls(triggerer_stats(), tags)

    def count(self, name: str, number: int = 1) -> None:
        """Add to a counter."""
        self.stats.incr(self._full(name, "counter"), count=number, tags=self.tags)

    def time(self, name: str, length: timedelta, **more_tags: str) -> None:
        """Send a length of time."""
        self.stats.timing(self._full(name, "timer"), length, tags={**self.tags, **more_tags})

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        self.stats.gauge(self._full(name, "gauge"), value, tags=self.tags)

    def waited(self, started_at: datetime | None, now: datetime, outcome: str) -> None:
        """Send how long a wait took, where it is known when the export was started."""
        if started_at is not None:
            self.time("waited", max(now - started_at, timedelta(0)), outcome=outcome)

    @staticmethod
    def _full(name: str, kind: Kind) -> str:
        assert METRICS[name][0] == kind, name  # noqa: S101  a name that is not in the table is a bug
        return f"{PREFIX}.{name}"
