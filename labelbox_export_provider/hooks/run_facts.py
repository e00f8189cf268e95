"""What an Airflow context says about its DAG run, for windows to be resolved from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelbox_export_provider.spec.windows import RunInterval

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
