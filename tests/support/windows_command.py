"""Ten real nights of two projects in a real store, and the command `windows` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from support.streaming.exports import ERROR_LINES, LandingClient

from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.errors import TooManyErrorRowsError
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.testing.faults import ErrorRows

COMMAND = [sys.executable, "-m", "labelbox_export_provider", "windows"]
PREFIX = "team/labels"
OTHER = "clpotherproject0000000000"
DAY = timedelta(days=1)
NOW = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
FIRST = NOW - timedelta(days=10, hours=12)
"""The last of the ten nights ended half a day ago, so that it is due, and the next one is not for hours."""
NIGHTS = 10


@dataclass(frozen=True)
class Lake:
    """A store that nights are landed in: its sink, its address, and the environment with its credentials."""

    sink: Sink
    address: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Done:
    """One run of the command."""

    code: int
    out: str
    err: str

    @property
    def snapshot(self) -> dict[str, Any]:
        """The output of `--json`."""
        made: dict[str, Any] = json.loads(self.out)
        return made

    def source(self, name: str) -> dict[str, Any]:
        """Return the part of one project."""
        found: dict[str, Any] = next(each for each in self.snapshot["sources"] if each["id"] == name)
        return found


def night(number: int) -> FixedWindow:
    """Return the window of one night."""
    return FixedWindow(FIRST + number * DAY, FIRST + (number + 1) * DAY)


def land_nights(
    at: LandingClient, sink: Sink, project: str, numbers: Collection[int], **options: Any
) -> dict[int, int]:
    """Land these nights of a project, and return how many rows each has."""
    options = {"prefix": PREFIX, **options}
    exports = {number: at.export(window=night(number), project_id=project) for number in numbers}
    return {number: at.land(export, sink, **options).summary.rows for number, export in exports.items()}


def reject_night(at: LandingClient, sink: Sink, project: str, number: int) -> None:
    """Land a night with too many error rows."""
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    handle = at.export(window=night(number), project_id=project)
    try:
        at.land(handle, sink, prefix=PREFIX)
    except TooManyErrorRowsError:
        return
    raise AssertionError("the night was landed")


def run_windows(*arguments: str, environment: Mapping[str, str] | None = None) -> Done:
    """Run the command; it never ends with a traceback."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GOOGLE_"))}
    kept |= environment or {}
    done = subprocess.run(
        [*COMMAND, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        env={**kept, **(environment or {})},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)
