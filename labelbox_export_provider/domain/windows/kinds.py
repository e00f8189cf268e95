"""The kinds of window. Each is a pure function of the DAG run.

No kind falls back to another kind, to "now" or to an unfiltered export: a run that has no window is refused, with
advice.

The wire has whole seconds and a range of unknown closedness, so the query is a second wider at both ends
(`queried_start`, `queried_end`), and a row in these margins is left out while the result is read (`TrimRule`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator
from typing_extensions import Self

from labelbox_export_provider.domain.options.dates import iso_utc, shifted, to_utc, whole_second
from labelbox_export_provider.domain.options.option_model import OptionModel
from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.domain.windows.advice import no_interval, no_partition, zero_width
from labelbox_export_provider.domain.windows.fields import Instant, Lookback, Settle, Width, ZoneName, as_utc
from labelbox_export_provider.domain.windows.resolved import ResolvedWindow, RunInterval, WindowField
from labelbox_export_provider.domain.windows.trim_rule import MARGIN
from labelbox_export_provider.errors import ManualRunError, WindowError


class Window(OptionModel):
    """Base of the options of all kinds of window."""

    owner: ClassVar[str] = "a window"
    keyword: ClassVar[str] = "window"

    @model_serializer(mode="wrap")
    def _with_kind(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # The kind is a default, which `exclude_unset` leaves out; without it the plain form could not be read back.
        return {"kind": type(self).model_fields["kind"].default, **handler(self)}


class DatedWindow(Window):
    """Base of all windows that know their own ends.

    `field` is the date that rows are selected by. `trim=False` keeps the rows of the one-second margins and does not
    turn on `data_row_details`. `settle` is how long Labelbox's search index needs after the end of a window until it
    is complete; the export is not started before.
    """

    field: WindowField = "last_activity_at"
    trim: bool | None = None
    settle: Settle = timedelta(minutes=15)

    @model_validator(mode="after")
    def _trim_what_can_be(self) -> Self:
        if self.trim is True and self.field == "label_created_at":
            raise ValueError(
                "a label_created_at window cannot be trimmed, since one data row has many labels. "
                "Leave trim out: rows on a border then land in both windows (at least once)."
            )
        return self

    def resolved(self, start: datetime, end: datetime, *, queried_from: datetime | None) -> ResolvedWindow:
        """Return the window [start, end) with these options; `queried_from` None has no lower bound."""
        # A row has many labels, each with its own time: no single timestamp decides which rows to leave out.
        trim = self.field == "last_activity_at" if self.trim is None else self.trim
        return ResolvedWindow(
            field=self.field,
            start=start,
            end=end,
            queried_start=None if queried_from is None else shifted(whole_second(queried_from, "start"), -MARGIN),
            queried_end=shifted(whole_second(end, "end"), MARGIN),
            trim=trim,
            ready_at=shifted(end, self.settle),
        )


class RecurringWindow(DatedWindow):
    """Base of windows that follow each other.

    `lookback` also exports rows that are up to that much older; it widens the query and not the window's name, and its
    rows are never trimmed. `open_start_at` is the start of the first window, which has no lower bound: the first load.
    """

    lookback: Lookback = timedelta(0)
    open_start_at: Instant | None = None

    def recurring(self, start: datetime, end: datetime, run: RunInterval) -> ResolvedWindow:
        """Return a window of the sequence; raises `WindowError` before `open_start_at`."""
        if self.open_start_at is not None:
            opening = as_utc(self.open_start_at)
            if end <= opening:
                raise WindowError(
                    f"{run.describe()} has the window [{iso_utc(start)}, {iso_utc(end)}), which lies before "
                    f"open_start_at={self.open_start_at}. Its rows are in the first load, which has no lower bound. "
                    "Nothing was exported. Start with the run whose window starts there, or set open_start_at earlier."
                )
            # A window with the moment strictly inside is the first load too: if it were bounded, all later windows
            # would start after it, and older rows would never be exported.
            if start <= opening:
                return self.resolved(start, end, queried_from=None)
        return self.resolved(start, end, queried_from=shifted(start, -self.lookback))


class DataIntervalWindow(RecurringWindow):
    """The data interval of the DAG run: the usual choice.

    Refuses runs whose interval is missing or of zero width: bare cron strings give those in Airflow 3.

    :param field: `last_activity_at`, or `label_created_at` (never trimmed: at least once).
    :param lookback: exports that much more before the start, for an index that lags by more than `settle`.
    :param settle: the export is started no earlier than this after the end of the window.
    :param open_start_at: the window that starts then has no lower bound, so that one export loads all older rows.
    :param trim: False also lands the one-second margins, and does not turn on `data_row_details`.
    """

    kind: Literal["data_interval"] = "data_interval"

    def resolve(self, run: RunInterval) -> ResolvedWindow:
        """Return the window of a run; raises `WindowError`, which names the timetable to use."""
        if run.start is None or run.end is None:
            raise no_interval(run)
        start, end = as_utc(run.start), as_utc(run.end)
        if start == end:
            raise zero_width(run, start)
        if start > end:
            raise ManualRunError(
                f"{run.describe()} has a data interval that ends ({end.isoformat()}) before it starts "
                f"({start.isoformat()}). Nothing was exported. Trigger the DAG again with data_interval_start before "
                "data_interval_end."
            )
        return self.recurring(start, end, run)


class PartitionWindow(RecurringWindow):
    """The partition of the DAG run: from its partition date on, as long as `width`.

    Whole days are calendar days in `timezone`, which must be the timetable's zone, so that days of 23 and 25 hours
    leave no gap. (Where clocks change at midnight itself, as in Cairo, two windows a year share an hour.) Any other
    width is a fixed duration. Refuses runs without a partition date.
    """

    kind: Literal["partition"] = "partition"
    width: Width
    timezone: ZoneName = "UTC"

    def __init__(self, /, width: object = None, **options: Any) -> None:
        super().__init__(**{"width": width, **options})

    def resolve(self, run: RunInterval) -> ResolvedWindow:
        """Return the window of a run; raises `WindowError`, which names the timetable to use."""
        if run.partition_date is None:
            raise no_partition(run)
        start = as_utc(run.partition_date)
        return self.recurring(start, self._end(start), run)

    def _end(self, start: datetime) -> datetime:
        if self.width % timedelta(days=1):
            return shifted(start, self.width)
        local = start.astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None)
        # Where a clock change gives two readings, the later one: an hour landed twice is better than a missing hour.
        return to_utc(shifted(local, self.width), self.timezone, "end")


class FixedWindow(DatedWindow):
    """A window with given ends, which may be templates: `FixedWindow(start="{{ params.start }}", end=...)`.

    It waits for its own end and `settle` like any other. An end that is not after the start is refused at parse time.
    """

    kind: Literal["fixed"] = "fixed"
    start: Instant
    end: Instant

    def __init__(self, /, start: object = None, end: object = None, **options: Any) -> None:
        super().__init__(**{"start": start, "end": end, **options})

    @model_validator(mode="after")
    def _ends_in_order(self) -> Self:
        if not is_template(self.start) and not is_template(self.end) and as_utc(self.start) >= as_utc(self.end):
            raise ValueError(
                f"FixedWindow: end ({self.end}) must be after start ({self.start}); the window is [start, end)."
            )
        return self

    def resolve(self, run: RunInterval) -> ResolvedWindow:
        """Return the window; the run does not matter."""
        del run
        start, end = as_utc(self.start), as_utc(self.end)
        return self.resolved(start, end, queried_from=start)
