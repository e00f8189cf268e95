"""Filters: the data rows of an export, per source, under Labelbox's names and in their wire form, joined by AND."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, model_validator
from typing_extensions import Self

from labelbox_export_provider.domain.options.dates import read_date, to_utc, whole_second, wire_range
from labelbox_export_provider.domain.options.option_model import OptionModel, as_ids, plain
from labelbox_export_provider.domain.options.rendered_text import text_as_list
from labelbox_export_provider.errors import ConfigurationError

MAX_IDS = 2_000
"""Maximum number of entries that Labelbox takes in one id filter."""


def _check_ids(ids: tuple[str, ...]) -> tuple[str, ...]:
    if not ids:
        raise ValueError(
            "an empty list is refused, since Labelbox does not treat it as 'no rows'. Leave the filter out instead."
        )
    if len(ids) > MAX_IDS:
        raise ValueError(
            f"{len(ids)} entries, but Labelbox takes at most {MAX_IDS:,}. Split the list into chunks of {MAX_IDS:,} "
            "and map the operator over them with expand()."
        )
    if any(not entry.strip() for entry in ids):
        raise ValueError("an entry is empty.")
    return ids


def _as_bounds(value: object) -> object:
    try:
        bounds = plain(text_as_list(value))
    except ConfigurationError as error:
        raise ValueError(str(error)) from None  # so that the message also names the filter
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise ValueError("a date filter has two bounds, [start, end]; either of them may be None.")
    return bounds


def _check_range(bounds: tuple[str | None, str | None]) -> tuple[str | None, str | None]:
    try:
        start, end = (None if bound is None else read_date(bound) for bound in bounds)
    except ConfigurationError as error:
        raise ValueError(str(error)) from None  # as above
    same_kind = start is not None and end is not None and (start.tzinfo is None) == (end.tzinfo is None)
    if same_kind and start > end:  # type: ignore[operator]  # same_kind has ruled None out
        raise ValueError("the end is before the start.")
    return bounds


Ids = Annotated[tuple[str, ...], BeforeValidator(as_ids), AfterValidator(_check_ids)]
DateRange = Annotated[
    tuple[str | None, str | None],
    BeforeValidator(_as_bounds),
    AfterValidator(_check_range),
]
"""Two bounds, `[start, end]`, either of which may be None; a naive text is read in the key owner's time zone."""

WorkflowStatus = Literal["ToLabel", "InReview", "InRework", "Done"]


class Filters(OptionModel):
    """Base of all filter models: rendering into `searchQuery.query` entries."""

    noun: ClassVar[str] = "filter"
    keyword: ClassVar[str] = "filters"

    def render(self, owner_timezone: str | None) -> list[dict[str, object]]:
        """Render the entries of `searchQuery.query` in the order in which the official client sends them.

        Naive dates are read in the key owner's zone; a range of two None is left out.
        """
        query: list[dict[str, object]] = []
        for name, wire_name in DATE_FILTERS.items():
            bounds: tuple[str | None, str | None] | None = getattr(self, name, None)
            if bounds is not None and bounds != (None, None):
                query.append({"type": wire_name, "value": render_range(name, bounds, owner_timezone)})
        for name, wire_name in _ID_FILTERS.items():
            ids: tuple[str, ...] | None = getattr(self, name, None)
            if ids is not None:
                query.append({"ids": list(ids), "operator": "is", "type": wire_name})
        workflow_status = getattr(self, "workflow_status", None)
        if workflow_status == "ToLabel":
            query.append({"type": "task_queue_not_exist"})
        elif workflow_status is not None:
            query.append({"type": "task_queue_status", "status": workflow_status})
        return query

    def needs_owner_timezone(self) -> bool:
        """Return whether a date is written without offset, so that the key owner's zone is needed."""
        return any(
            bound is not None and read_date(bound).tzinfo is None
            for name in DATE_FILTERS
            for bound in (getattr(self, name, None) or ())
        )


DATE_FILTERS = {"last_activity_at": "data_row_last_activity_at", "label_created_at": "labeled_at"}
_ID_FILTERS = {"data_row_ids": "data_row_id", "global_keys": "global_key", "batch_ids": "batch"}


class _RowFilters(Filters):
    """Filters that projects, datasets and the catalog share."""

    last_activity_at: DateRange | None = None
    label_created_at: DateRange | None = None
    data_row_ids: Ids | None = None
    global_keys: Ids | None = None

    @model_validator(mode="after")
    def _one_kind_of_id(self) -> Self:
        if self.data_row_ids is not None and self.global_keys is not None:
            raise ValueError(
                "'data_row_ids' and 'global_keys' exclude each other. Keep the one that names the rows you want."
            )
        return self


class ProjectFilters(_RowFilters):
    """Filters of a project export."""

    owner: ClassVar[str] = "project exports"

    batch_ids: Ids | None = None
    workflow_status: WorkflowStatus | None = None


class DatasetFilters(_RowFilters):
    """Filters of a dataset export."""

    owner: ClassVar[str] = "dataset exports"


class CatalogFilters(_RowFilters):
    """Filters of a catalog export."""

    owner: ClassVar[str] = "catalog exports"


class NoSliceFilters(Filters):
    """A slice is a saved filter itself and takes no others."""

    owner: ClassVar[str] = "slice exports"


class NoModelRunFilters(Filters):
    """A model run is exported whole."""

    owner: ClassVar[str] = "model run exports"


class NoDataRowsFilters(Filters):
    """Single data rows are named by their ids and take no filters."""

    owner: ClassVar[str] = "data row exports"


def render_range(name: str, bounds: tuple[str | None, str | None], owner_timezone: str | None) -> dict[str, object]:
    """Render one date filter in UTC and whole seconds; fails when the bounds cross once both are instants."""
    start, end = bounds
    first = None if start is None else whole_second(to_utc(read_date(start), owner_timezone, "start"), "start")
    last = None if end is None else whole_second(to_utc(read_date(end), owner_timezone, "end"), "end")
    if first is not None and last is not None and first > last:
        raise ConfigurationError(
            f"filter {name!r}: the end {end!r} lies before the start {start!r} once both are UTC ({last} < {first})."
        )
    return wire_range(first, last)
