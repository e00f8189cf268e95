"""The order in which starts that rested were released and reached Labelbox, and whether it is the promised one.

Promised is: higher `priority_weight`, then the newest window, then the first refusal, among the starts that rest when
there is a place. When a start began to rest, and when it was released, is what its trigger logs; the rest is what the
fake Labelbox has seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from labelbox_export_provider.testing import FakeLabelbox

KINDS = ("urgent", "tonight", "backfill")
"""Kinds of sources, in the order in which they are promised to start."""
NOT_BEFORE = timedelta(seconds=31)
"""Time after a refusal before which a start is not released: those of the trigger, and one for the clocks."""
TOGETHER = 1.0
"""Seconds within which starts count as released at once."""
_RESTS = "Too many exports run, and the start rests"
_RELEASED = "The start is tried again"


@dataclass(frozen=True)
class Start:
    """One source's start; seconds since the run began. `rests` and `released` are None where it was not refused.

    `rests` is when it could be released: it is in the queue, and its shortest rest is over.
    """

    kind: str
    number: int
    refusals: int
    refused: float | None
    rests: float | None
    released: float | None
    started: float

    @property
    def rank(self) -> tuple[int, float]:
        """The promised order among starts that rest."""
        return KINDS.index(self.kind), self.refused or 0.0


def overtaken(starts: Sequence[Start]) -> list[tuple[Start, Start]]:
    """Return the pairs of which the second was released while the first rested, though the first comes before it."""
    return [
        (first, second)
        for first in starts
        for second in starts
        if first.rests is not None and first.released is not None and second.released is not None
        if first.rank < second.rank
        if first.rests <= second.released < first.released - TOGETHER
    ]


class TriggerLogs:
    """What the triggers of a DAG log. To be read every few seconds: a task's next trigger overwrites its file."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._found: dict[tuple[str, str], dict[str, datetime]] = {}

    def read(self) -> None:
        """Keep the first moment of each event of each task."""
        for log in self._logs.glob("run_id=*/task_id=*/map_index=*/attempt=*.log.trigger.*"):
            task = log.parts[-3].partition("=")[2], log.parts[-2].partition("=")[2]
            for line in log.read_text().splitlines():
                with suppress(ValueError):  # the last line may be half written
                    record = json.loads(line)
                    moment = moment_of(record["timestamp"])
                    found = self._found.setdefault(task, {})
                    found[record["event"]] = min(moment, found.get(record["event"], moment))

    def first(self, kind: str, number: int, beginning: str) -> datetime | None:
        """Return when a task's triggers first logged an event that begins so."""
        found = self._found.get((kind, str(number)), {})
        return min((moment for event, moment in found.items() if event.startswith(beginning)), default=None)


def read_starts(
    labelbox: FakeLabelbox, logs: TriggerLogs, projects: Mapping[str, Sequence[str]], began: datetime
) -> list[Start]:
    """Return the starts of a run in the order in which Labelbox carried them out."""
    asked: dict[str, list[datetime]] = {}
    for each in labelbox.requests.asking("StartProjectExport"):
        asked.setdefault(str(each.variables["input"]["filters"]["projectId"]), []).append(each.at)
    place = {project: (kind, number) for kind in projects for number, project in enumerate(projects[kind])}

    def seconds(moment: datetime) -> float:
        return round((moment - began).total_seconds(), 3)

    def start(project: str) -> Start:
        kind, number = place[project]
        refused, started = asked[project][0], asked[project][-1]
        refusals = len(asked[project]) - 1
        if not refusals:
            return Start(kind, number, 0, None, None, None, seconds(started))
        released = logs.first(kind, number, _RELEASED)
        if released is None:
            raise LookupError(f"{kind} {number} was refused, and no trigger logged {_RELEASED!r}")
        rests = max(logs.first(kind, number, _RESTS) or refused, refused + NOT_BEFORE)
        return Start(kind, number, refusals, *map(seconds, (refused, rests, released, started)))

    return [start(str(export.source_id)) for export in labelbox.exports]


def moment_of(text: str) -> datetime:
    """Read a moment as Airflow writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
