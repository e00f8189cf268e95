"""Time windows: what a DAG run asks for, how it goes on the wire, and which rows of the answer belong to it.

A window is half-open, `[start, end)` in UTC, and a pure function of the run. Nothing falls back to another kind of
window, to "now" or to an unfiltered export: a run that gives no interval is refused with the timetable to use instead.

The wire has whole seconds and a range of unknown closedness, so the query is a second wider at both ends
(`queried_start`, `queried_end`), and a row in these margins is dropped again while the result is read (`TrimRule`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, model_validator
from typing_extensions import Self

from labelbox_export_provider.spec.dates import iso_utc, read_date, shifted, whole_second, wire_range
from labelbox_export_provider.spec.errors import ConfigurationError, WindowError
from labelbox_export_provider.spec.option_model import OptionModel, plain
from labelbox_export_provider.spec.templates import is_template

WindowField = Literal["last_activity_at", "label_created_at"]
MARGIN = timedelta(seconds=1)

USE_INTERVALS = (
    "Use schedule=CronDataIntervalTimetable('0 2 * * *', timezone='UTC') with catchup=True "
    "(from airflow.sdk or airflow.timetables.interval), or window=FixedWindow(start, end) for a one-off."
)


@dataclass(frozen=True, slots=True)
class RunInterval:
    """What a window may know about a DAG run. Airflow leaves both ends out of runs without a logical date."""

    start: datetime | None
    end: datetime | None
    run_id: str = ""
    logical_date: datetime | None = None
    params: Mapping[str, object] | None = None
    partition_key: str | None = None
    partition_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class ResolvedWindow:
    """A window of one run. `queried_start` is None where the first load is meant to have no lower bound.

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


FURTHEST_END = timedelta(days=1)


def wait_until(window: ResolvedWindow, now: datetime) -> datetime | None:
    """Give the moment at which the export of a window may be started, or None if that is over already.

    Fails with `WindowError` when the window ends more than a day after `now`: a mistaken date would wait for years.
    """
    if window.end - now > FURTHEST_END:
        raise WindowError(
            f"The window [{iso_utc(window.start)}, {iso_utc(window.end)}) ends in {window.end - now}, more than "
            "a day from now. Nothing was exported. Run it when the window is over, or give an earlier end."
        )
    return None if window.ready_at is None or window.ready_at <= now else window.ready_at


def _as_utc(value: object) -> datetime:
    moment = read_date(value)
    if moment.tzinfo is None:
        raise ConfigurationError(
            "a window needs an instant: give an offset ('2024-01-10T00:00:00+00:00') or a datetime with a time zone."
        )
    return moment.astimezone(timezone.utc)


def _text(value: object) -> object:
    if isinstance(value, str):
        return value
    if value is None:
        raise ValueError("a window needs both ends: FixedWindow(start, end).")
    return _instant(value).isoformat()


def _check_instant(text: str) -> str:
    if not is_template(text):
        _instant(text)
    return text


def _instant(value: object) -> datetime:
    try:
        return _as_utc(value)
    except ConfigurationError as error:
        raise ValueError(str(error)) from None  # so that the message names the option, too


Instant = Annotated[str, BeforeValidator(_text), AfterValidator(_check_instant)]
"""Text of an instant with its offset, or a template that becomes one."""


class Window(OptionModel):
    """What all kinds of window share."""

    noun: ClassVar[str] = "option"
    owner: ClassVar[str] = "a window"

    field: WindowField = "last_activity_at"
    trim: bool | None = None
    settle: timedelta = timedelta(minutes=5)

    @model_validator(mode="after")
    def _trim_what_can_be(self) -> Self:
        if self.trim and self.field == "label_created_at":
            raise ValueError(
                "a label_created_at window cannot be trimmed, since one data row has many labels. "
                "Leave trim out: rows on a border then land in both windows (at least once)."
            )
        return self

    def _resolved(self, start: datetime, end: datetime, *, queried_from: datetime | None) -> ResolvedWindow:
        # A row has many labels and one label_created_at window may hold any of them: nothing tells which to drop.
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


class DataIntervalWindow(Window):
    """The data interval of the DAG run: the window that nearly everybody wants.

    Refuses runs whose interval is missing or of zero width: bare cron strings give those in Airflow 3.
    `trim=False` keeps the rows of the one-second margins and forces no `data_row_details`.
    """

    kind: Literal["data_interval"] = "data_interval"

    def resolve(self, run: RunInterval) -> ResolvedWindow:
        """Give the window of a run; fails with `WindowError`, which names the timetable to use."""
        where = f"Run {run.run_id!r}" if run.run_id else "This run"
        if run.start is None or run.end is None:
            raise WindowError(
                f"{where} has no data interval: it was triggered without a logical date, by an asset, or belongs to a "
                f"partitioned timetable. Nothing was exported. {USE_INTERVALS}"
            )
        start, end = _as_utc(run.start), _as_utc(run.end)
        if start == end:
            raise WindowError(
                f"{where} has a data interval of zero width ({start.isoformat()}): in Airflow 3 a cron string or a "
                f"timedelta schedule gives the moment of the run, not a day. Nothing was exported. {USE_INTERVALS}"
            )
        if start > end:
            raise WindowError(f"{where} has a data interval that ends ({end}) before it starts ({start}).")
        return self._resolved(start, end, queried_from=start)


class FixedWindow(Window):
    """A window with given ends, which may be templates: `FixedWindow(start="{{ params.start }}", end=...)`."""

    kind: Literal["fixed"] = "fixed"
    start: Instant
    end: Instant

    def __init__(self, /, start: object = None, end: object = None, **options: Any) -> None:
        super().__init__(**{"start": start, "end": end, **options})

    def resolve(self, run: RunInterval) -> ResolvedWindow:
        """Give the window; the run does not matter. Fails with `WindowError` when it is empty or backwards."""
        del run
        start, end = _as_utc(self.start), _as_utc(self.end)
        if start >= end:
            raise WindowError(
                f"FixedWindow: end ({self.end}) has to be after start ({self.start}); the window is [start, end)."
            )
        return self._resolved(start, end, queried_from=start)


AnyWindow: TypeAlias = DataIntervalWindow | FixedWindow
_KINDS: dict[str, type[DataIntervalWindow] | type[FixedWindow]] = {
    "data_interval": DataIntervalWindow,
    "fixed": FixedWindow,
}


def window_kind(value: object) -> type[DataIntervalWindow] | type[FixedWindow]:
    """Tell which class a window is of, given as a model or in its plain form."""
    if isinstance(value, (DataIntervalWindow, FixedWindow)):
        return type(value)
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ConfigurationError(f"window= takes DataIntervalWindow(), FixedWindow(start, end) or None, not {value!r}.")
    return _KINDS[kind]


def plain_window(window: object) -> object:
    """Give the form of a window that an operator can template and serialize."""
    if isinstance(window, OptionModel):
        return {"kind": window_kind(window).model_fields["kind"].default, **plain(window)}
    return plain(window)


def check_window(window: object, filters: object) -> None:
    """Check a window as far as it is known while a DAG is parsed, and that no filter is on the same field."""
    if window is None or (is_template(window) and not isinstance(window, Mapping)):
        return
    kind = window_kind(window)
    if isinstance(window, Mapping):
        kind.check_names(window)
        ends = {name: "{{ later }}" for name in ("start", "end") if is_template(window.get(name))}
        kind.parse({name: value for name, value in window.items() if not is_template(value)} | ends)
        field = window.get("field", "last_activity_at")
        if isinstance(filters, Mapping) and filters.get(field) is not None:
            raise ConfigurationError(window_conflict(field))


def window_conflict(field: object) -> str:
    """Say why a window and a filter on the same field cannot be given together."""
    return (
        f"Both window= and filters[{field!r}] narrow {field}. Keep window= for runs that follow each other, "
        "or the filter for a fixed range; not both."
    )


def parse_window(value: object) -> AnyWindow:
    """Build a window from its model or from the plain form that an operator keeps while it is templated."""
    return window_kind(value).parse(value)


Verdict = Literal["inside", "margin", "after_end", "before_start", "unknown"]


@dataclass(frozen=True, slots=True)
class TrimRule:
    """Says of a row's own timestamp where it lies. Only rows in a margin may be dropped; all others are kept.

    So trimming can double a row that moved on while the export ran, and never loses one.
    """

    start: datetime
    end: datetime
    queried_start: datetime | None
    queried_end: datetime

    def verdict(self, moment: datetime | None) -> Verdict:
        """Place a timestamp; None stands for one that is missing or could not be read."""
        if moment is None:
            return "unknown"
        if self.start <= moment < self.end:
            return "inside"
        if moment >= self.end:
            return "margin" if moment <= self.queried_end else "after_end"
        if self.queried_start is None:
            return "before_start"
        # The lower margin ends at the start, or with a look-back at the moment that it reaches back to.
        kept_from = min(self.start, self.queried_start + MARGIN + timedelta(microseconds=self.start.microsecond))
        return "margin" if self.queried_start <= moment < kept_from else "before_start"
