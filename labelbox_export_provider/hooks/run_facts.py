"""What an Airflow context says about its DAG run, for windows to be resolved from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelbox_export_provider.airflow_compat import has_partition_dates
from labelbox_export_provider.spec.errors import WindowError
from labelbox_export_provider.spec.windows import AnyWindow, PartitionWindow, ResolvedWindow, RunInterval

if TYPE_CHECKING:
    from airflow.sdk import Context


def run_interval(context: Context) -> RunInterval:
    """Read what windows need of a run; Airflow leaves the keys of dates out where a run has none."""
    values: dict[str, Any] = dict(context)
    return RunInterval(
        start=values.get("data_interval_start"),
        end=values.get("data_interval_end"),
        run_id=str(values.get("run_id", "")),
        logical_date=values.get("logical_date"),
        params=values.get("params"),
        partition_key=values.get("partition_key"),
        partition_date=values.get("partition_date"),
    )


def resolved(window: AnyWindow, context: Context) -> ResolvedWindow:
    """Return the window of a run; fails with `WindowError`, which says so where this Airflow is too old for it."""
    try:
        return window.resolve(run_interval(context))
    except WindowError as error:
        if not _asks_for_partition(window) or has_partition_dates():
            raise
        raise WindowError(
            f"{error} No run of this Airflow has a partition date: they come with Airflow 3.3. Upgrade it, or use "
            "window=DataIntervalWindow() with a timetable that has data intervals."
        ) from None


def _asks_for_partition(window: AnyWindow) -> bool:
    return isinstance(window, PartitionWindow) or isinstance(getattr(window, "otherwise", None), PartitionWindow)
