"""The nights that the demo lands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from labelbox_export_provider.testing.data.export_file import refuse_other_formats

if TYPE_CHECKING:
    from pathlib import Path

FEWEST_NIGHTS = 3
MAX_NIGHTS = 14
"""More than this and the demo takes the newest ones: each night costs some ten seconds."""

GENERATED_DAYS = 5
"""Generated rows are spread over this many days, of which the demo brings those in the middle."""


@dataclass(frozen=True)
class Night:
    """One data interval, `[start, end)` in UTC."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        """Show both ends to the minute."""
        return f"{self.start:%Y-%m-%d %H:%M} .. {self.end:%Y-%m-%d %H:%M}"

    @property
    def stem(self) -> str:
        """The beginning of the names of this window's objects."""
        return f"{self.start:%Y%m%dT%H%M%SZ}_{self.end:%Y%m%dT%H%M%SZ}"


@dataclass(frozen=True)
class Export:
    """An export file that the user gave: its rows as they are, and when each was last touched, where it is known."""

    project_id: str
    rows: tuple[tuple[datetime | None, bytes], ...]

    def between(self, nights: list[Night]) -> list[bytes]:
        """Return the rows whose last activity is in one of these nights."""
        return [
            line
            for moment, line in self.rows
            if moment is not None and any(night.start <= moment < night.end for night in nights)
        ]


def read_export(path: Path) -> Export:
    """Read an export file by the demo's own means, so that what landed is compared with the file itself."""
    try:
        refuse_other_formats(path)
        lines = path.read_bytes().split(b"\n")
    except (OSError, ValueError) as error:
        raise SystemExit(f"ROWS: {error}") from None
    rows: list[tuple[datetime | None, bytes]] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            details = row["data_row"].get("details") or {}
            for project_id in row.get("projects") or {}:
                counts[project_id] = counts.get(project_id, 0) + 1
            moment = _moment(details.get("last_activity_at"))
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            raise SystemExit(f"{path}, line {number}: not a data row of a Labelbox export") from None
        rows.append((moment, line))
    if not counts or not any(moment for moment, _ in rows):
        raise SystemExit(
            f"{path} has no row that is in a project and has data_row.details.last_activity_at. "
            "Export it with project details and data row details."
        )
    project_id = max(counts, key=lambda name: counts[name])
    return Export(project_id=project_id, rows=tuple(rows))


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def days_of(export: Export) -> tuple[date, date]:
    """Return the first and the last logical date whose nights hold all rows, whatever hour the nights begin at.

    A night that begins on the day before the first row's day covers that day's small hours. At least `FEWEST_NIGHTS`,
    at most `MAX_NIGHTS`, the newest ones.
    """
    moments = [moment for moment, _ in export.rows if moment is not None]
    first = min(moments).astimezone(timezone.utc).date() - timedelta(days=1)
    last = max(moments).astimezone(timezone.utc).date()
    first = min(first, last - timedelta(days=FEWEST_NIGHTS - 1))
    return max(first, last - timedelta(days=MAX_NIGHTS - 1)), last


def generated_days(today: date) -> tuple[date, date, date]:
    """Return the day from which rows are generated, and the first and last logical date of the nights in the middle."""
    start = today - timedelta(days=GENERATED_DAYS + 2)
    first = start + timedelta(days=1)
    return start, first, first + timedelta(days=FEWEST_NIGHTS - 1)
