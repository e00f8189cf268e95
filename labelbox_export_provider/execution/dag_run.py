"""A DAG run as windows see it: what its Airflow context says of it, and the two fields of its trigger form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelbox_export_provider.airflow_compat import has_partition_dates
from labelbox_export_provider.domain.windows.params import ParamsWindow
from labelbox_export_provider.domain.windows.windows import (
    AnyWindow,
    PartitionWindow,
    ResolvedWindow,
    RunInterval,
    Timetable,
)
from labelbox_export_provider.errors import ManualRunError, WindowError

if TYPE_CHECKING:
    from airflow.sdk import Context, Param

_HAVE_INTERVALS = {"CronDataIntervalTimetable", "DeltaDataIntervalTimetable"}


def run_interval(context: Context) -> RunInterval:
    """Read what windows need of a run; Airflow leaves the keys of dates out where a run has none."""
    values: dict[str, Any] = dict(context)
    dag = values.get("dag")
    return RunInterval(
        start=values.get("data_interval_start"),
        end=values.get("data_interval_end"),
        run_id=str(values.get("run_id", "")),
        logical_date=values.get("logical_date"),
        params=values.get("params"),
        partition_key=values.get("partition_key"),
        partition_date=values.get("partition_date"),
        run_type=_run_type(values.get("dag_run")),
        timetable=_describe(getattr(dag, "timetable", None)),
        labels=_labels(getattr(dag, "params", None)),
    )


def resolved(window: AnyWindow, context: Context) -> ResolvedWindow:
    """Return the window of a run; fails with `WindowError`, also where this Airflow is too old for it."""
    try:
        return window.resolve(run_interval(context))
    except WindowError as error:
        if isinstance(error, ManualRunError) or not _asks_for_partition(window) or has_partition_dates():
            raise
        raise WindowError(
            f"{error} No run of this Airflow has a partition date: they come with Airflow 3.3. Upgrade it, or use "
            "window=DataIntervalWindow() with a timetable that has data intervals."
        ) from None


def window_params(start: str = "start", end: str = "end") -> dict[str, Param]:
    """Return the params of a DAG whose runs may be given a window: `DAG(params=window_params())`.

    Both are instants that may stay empty, which scheduled runs need. Merge them with a DAG's other params:
    `params={**window_params(), "project_id": ...}`. Fails with `ConfigurationError` on a name that is not valid.
    """
    from airflow.sdk import Param  # here, so that parsing a DAG without a form does not load it

    ParamsWindow(start, end)  # refuses the same names
    return {
        name: Param(None, type=["string", "null"], format="date-time", title=title, description=text)
        for name, title, text in (
            (start, "Window start", f"First instant whose changes are exported. Fill in {end} as well, or neither."),
            (end, "Window end", f"First instant whose changes are not exported. Fill in {start} as well, or neither."),
        )
    }


def _asks_for_partition(window: AnyWindow) -> bool:
    return isinstance(window, PartitionWindow) or isinstance(getattr(window, "otherwise", None), PartitionWindow)


def _run_type(dag_run: Any) -> str:
    kind = getattr(dag_run, "run_type", "")
    return str(getattr(kind, "value", kind))


def _labels(params: Any) -> dict[str, str]:
    """Return what the trigger form calls the params of a DAG."""
    if not hasattr(params, "get_param"):
        return {}
    titles = {name: params.get_param(name).schema.get("title") for name in params}
    return {name: title for name, title in titles.items() if isinstance(title, str)}


def _describe(timetable: Any) -> Timetable:
    """Describe a timetable of `airflow.sdk` or of `airflow.timetables`, whose attributes have an underscore."""
    if timetable is None:
        return Timetable()
    timed = _attribute(timetable, "timetable")  # the side of the clock, where assets trigger runs as well
    if timed is not None:
        return _describe(timed)
    several = _attribute(timetable, "timetables")
    first = several[0] if several else timetable
    kinds = {kind.__name__ for kind in type(first).__mro__}
    cron, zone = (None, None) if several else (_attribute(first, "expression"), _attribute(first, "timezone"))
    return Timetable(
        name=type(timetable).__name__,
        has_intervals=bool(kinds & _HAVE_INTERVALS or _attribute(first, "interval")),
        cron=cron if isinstance(cron, str) else None,
        timezone=_zone_name(zone),
    )


def _zone_name(zone: Any) -> str | None:
    """Return a time zone's name as timetables take it; they take no offset, which a start date may have."""
    name = getattr(zone, "name", zone)
    if name == "+00:00":
        return "UTC"
    return name if isinstance(name, str) and name[:1].isalpha() else None


def _attribute(timetable: Any, name: str) -> Any:
    return getattr(timetable, name, getattr(timetable, f"_{name}", None))
