"""A snapshot of many sources over years, made from names by the functions of the check itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from labelbox_export_provider.windows_check.check import check_windows
from labelbox_export_provider.windows_check.fill import Schedule, fills
from labelbox_export_provider.windows_check.names import ExportState, NamedExport, Names, SourceKey
from labelbox_export_provider.windows_check.snapshot import snapshot

DAY = timedelta(days=1)
PREFIX = "s3://my-data-lake/labelbox"


def snapshot_of(sources: int, nights: int, end: datetime) -> dict[str, object]:
    """Return what a check finds of that many projects, landed every night but for a few, up to a night's end."""
    exports = [export for number in range(sources) for export in _exports(number, nights, end)]
    report = check_windows(Names(tuple(exports)), end + timedelta(hours=8))
    return snapshot(report, fills(report, Schedule("labelbox_all_projects")), PREFIX)


def _exports(number: int, nights: int, end: datetime) -> Iterator[NamedExport]:
    source = SourceKey("project", f"clproject{number:016d}")
    for night in range(nights):
        start = end - (nights - night) * DAY
        if number % 17 == 3 and nights - 24 <= night < nights - 20:
            continue
        rejected = number % 29 == 3 and night == nights - 90
        state: ExportState = "rejected" if rejected else "empty" if (night * 7 + number) % 31 == 0 else "ok"
        # Rows like those of a team that rests at weekends.
        rows = (40 if start.weekday() > 4 else 400) + (night * 37 + number * 101) % 700
        landed_at = start + DAY + timedelta(minutes=20)
        yield NamedExport(source, start, start + DAY, "g00000001", state, "", landed_at, rows if state == "ok" else 0)
