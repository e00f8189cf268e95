"""Names of landed and rejected exports, as the product names them, without a store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from support.handles import WINDOW, handle_json

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.object_names import layout_names
from labelbox_export_provider.sinks.base import ListedObject
from labelbox_export_provider.windows_check.check import Expected, Gap, SourceReport, WindowsReport, check_windows
from labelbox_export_provider.windows_check.names import SourceKey, read_names

PREFIX = "labels"
DAY = timedelta(days=1)
FIRST = datetime(2026, 11, 1, 2, tzinfo=timezone.utc)


def source(name: str = "clp1") -> SourceKey:
    """Return a project."""
    return SourceKey("project", name)


def handle(
    key: SourceKey, start: datetime, end: datetime | None, *, export_id: str = "clx1", **changes: Any
) -> ExportHandle:
    """Return the handle of an export of this window."""
    window = None
    if end is not None:
        moments = {"start": start, "queried_start": start, "end": end, "queried_end": end}
        window = {**WINDOW, **{name: iso_utc(moment) for name, moment in moments.items()}}
    given = {"source": {"kind": key.kind, "id": key.id}, "export_id": export_id, "window": window}
    return ExportHandle.model_validate(handle_json(**given, started_at=iso_utc(end or start), **changes))


def name_of(
    key: SourceKey, start: datetime, end: datetime | None, state: str = "ok", *, export_id: str = "clx1"
) -> ListedObject:
    """Return the manifest of one export in a listing, or its error rows where it was `rejected`."""
    names = layout_names(handle(key, start, end, export_id=export_id), PREFIX, "gzip")
    landed_at = (end or start) + timedelta(hours=1)
    return ListedObject(names.errors if state == "rejected" else names.manifest(state), 9, None, landed_at)  # type: ignore[arg-type]  # any of State's words


def nights(key: SourceKey, days: Iterable[int], state: str = "ok") -> list[ListedObject]:
    """Return the names of these nights, counted from `FIRST` on."""
    return [name_of(key, FIRST + day * DAY, FIRST + (day + 1) * DAY, state) for day in days]


def local_nights(first: datetime, count: int) -> list[datetime]:
    """Return the borders of nights that begin at one time of the clock, with days of 23 and 25 hours."""
    # Within one zone, Python adds to the clock and not to the time that passes.
    return [(first + day * DAY).astimezone(timezone.utc) for day in range(count + 1)]


def checked(listed: Sequence[ListedObject], now: datetime, **expected: Any) -> WindowsReport:
    """Return the report of a listing."""
    return check_windows(read_names(listed, PREFIX), now, Expected(**expected))


def of_source(report: WindowsReport, key: SourceKey | None = None) -> SourceReport:
    """Return the part of one source."""
    return next(each for each in report.sources if each.source == (key or source()))


def short(gaps: Iterable[Gap]) -> list[tuple[str, int, str, int]]:
    """Return gaps as source, first day from `FIRST`, state and number of windows."""
    return [(gap.source.id, (gap.start - FIRST) // DAY, gap.state, gap.windows) for gap in gaps]
