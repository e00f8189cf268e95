"""The facts of a DAG run that windows depend on, and the window that results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from labelbox_export_provider.domain.options.dates import iso_utc, wire_range
from labelbox_export_provider.errors import WindowError

WindowField = Literal["last_activity_at", "label_created_at"]

MAX_END = timedelta(days=1)
"""How far in the future the end of a window may lie when its run starts."""


class AnyResolved(Protocol):
    """A window with its field and both ends, such as that of a handle."""

    @property
    def field(self) -> str:
        """Which date decides."""

    @property
    def start(self) -> datetime:
        """The first moment in the window."""

    @property
    def end(self) -> datetime:
        """The first moment after it."""


def describe_window(window: AnyResolved) -> str:
    """Return a window as messages show it."""
    return f"[{iso_utc(window.start)}, {iso_utc(window.end)}) UTC of {window.field}"


@dataclass(frozen=True, slots=True)
class Timetable:
    """The timetable of a run's DAG, as far as the advice for a refused run depends on it.

    `has_intervals` is False where that is unknown. `cron` and `timezone` are set where the timetable has one each.
    """

    name: str = ""
    has_intervals: bool = False
    cron: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class RunInterval:
    """The facts of a DAG run that a window depends on.

    Airflow leaves both ends and the logical date out of runs without a logical date, and gives a partition date to
    runs of partitioned timetables only. `params` are those that the run was given, with the DAG's defaults, and
    `labels` their titles in the trigger form. Windows do not depend on what follows `partition_date`, messages do.
    """

    start: datetime | None
    end: datetime | None
    run_id: str = ""
    logical_date: datetime | None = None
    params: Mapping[str, object] | None = None
    partition_key: str | None = None
    partition_date: datetime | None = None
    run_type: str = ""
    timetable: Timetable = Timetable()
    labels: Mapping[str, str] = field(default_factory=dict)
    has_form: bool = False

    def describe(self) -> str:
        """Return the run's name, for the beginning of a sentence."""
        return f"Run {self.run_id!r}" if self.run_id else "This run"

    @property
    def is_manual(self) -> bool:
        """Whether the run can be triggered again with another date or form."""
        return self.run_type in {"manual", "operator_triggered"}


@dataclass(frozen=True, slots=True)
class ResolvedWindow:
    """The window of one run. `queried_start` is None for a first load, which has no lower bound.

    `ready_at` is when the export may be started (`wait_until`): the end plus the time that the index needs to settle.
    """

    field: WindowField
    start: datetime
    end: datetime
    queried_start: datetime | None
    queried_end: datetime
    trim: bool
    ready_at: datetime | None = None

    def render(self) -> dict[str, object]:
        """Render the `value` member of the date filter."""
        return wire_range(self.queried_start, self.queried_end)


def wait_until(window: ResolvedWindow, now: datetime) -> datetime | None:
    """Return the moment at which the export of a window may be started, or None if that is in the past.

    Raises `WindowError` when the window ends more than a day after `now`: a mistaken date would wait for years.
    """
    if window.end - now > MAX_END:
        raise WindowError(
            f"The window [{iso_utc(window.start)}, {iso_utc(window.end)}) ends in {window.end - now}, more than a day "
            "from now. Nothing was exported. Run it when the window is over, or give an earlier end."
        )
    return None if window.ready_at is None or window.ready_at <= now else window.ready_at
