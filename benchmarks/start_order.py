"""The order in which starts that rested were released and reached Labelbox, and whether it is the promised one.

Promised is: higher `priority_weight`, then the newest window, then the first refusal, among the starts that rest when
there is a place. When a start began to rest, and when it was released, is what its trigger logs; the rest is what the
fake Labelbox has seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from labelbox_export_provider.testing import FakeLabelbox

KINDS = ("urgent", "tonight", "backfill")
"""Kinds of sources, in the order in which they are promised to start."""
NOT_BEFORE = 31.0
"""Seconds after a refusal before which a start is not released: those of the trigger, and one for the clocks."""
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


def read_starts(
    labelbox: FakeLabelbox, logs: Path, projects: Mapping[str, Sequence[str]], began: datetime
) -> list[Start]:
    """Return the starts of a run in the order in which Labelbox carried them out; `logs` are those of its DAG."""
    asked: dict[str, list[float]] = {}
    for each in labelbox.requests.asking("StartProjectExport"):
        project = str(each.variables["input"]["filters"]["projectId"])
        asked.setdefault(project, []).append(_seconds(each.at, began))
    place = {project: (kind, number) for kind in projects for number, project in enumerate(projects[kind])}
    return [
        _start(*place[str(export.source_id)], asked[str(export.source_id)], logs, began) for export in labelbox.exports
    ]


def _start(kind: str, number: int, asked: Sequence[float], logs: Path, began: datetime) -> Start:
    refusals = len(asked) - 1
    if not refusals:
        return Start(kind, number, 0, None, None, None, asked[0])
    found: dict[str, float] = {}
    for event, moment in _events(logs, kind, number):
        for beginning in (_RESTS, _RELEASED):
            if event.startswith(beginning):
                found.setdefault(beginning, _seconds(moment, began))
    rests = round(max(found.get(_RESTS, asked[0]), asked[0] + NOT_BEFORE), 3)
    return Start(kind, number, refusals, asked[0], rests, found[_RELEASED], asked[-1])


def _events(logs: Path, kind: str, number: int) -> Iterator[tuple[str, datetime]]:
    """Return what triggers logged for one task, in order."""
    for log in sorted(logs.glob(f"run_id=*/task_id={kind}/map_index={number}/attempt=*.log.trigger.*")):
        for line in log.read_text().splitlines():
            record = json.loads(line)
            yield str(record["event"]), moment_of(record["timestamp"])


def moment_of(text: str) -> datetime:
    """Read a moment as Airflow writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _seconds(moment: datetime, began: datetime) -> float:
    return round((moment - began).total_seconds(), 3)
