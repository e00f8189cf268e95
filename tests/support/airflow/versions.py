"""Airflow's own names that the tests use and that moved between the versions that `make matrix` tries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferralError
    from airflow.sdk.serde import deserialize, serialize
    from airflow.serialization.serialized_objects import DagSerialization
else:
    try:  # Airflow 3.2 and newer
        from airflow.dag_processing.dagbag import DagBag
        from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferralError
        from airflow.sdk.serde import deserialize, serialize
        from airflow.serialization.serialized_objects import DagSerialization
    except ImportError:
        from airflow.exceptions import AirflowRescheduleException, TaskDeferralError
        from airflow.models.dagbag import DagBag
        from airflow.serialization.serde import deserialize, serialize
        from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization

__all__ = [
    "AirflowRescheduleException",
    "DagBag",
    "DagSerialization",
    "TaskDeferralError",
    "counts_clock_changes",
    "deserialize",
    "first_run",
    "makes_partitioned_runs",
    "serialize",
]


def makes_partitioned_runs() -> bool:
    """Whether this Airflow gives runs a partition date; 3.3 and newer."""
    from labelbox_export_provider.airflow_compat import has_partition_dates

    return has_partition_dates()


def counts_clock_changes() -> bool:
    """Return whether timetables give a manual run, and a partition, their day where clocks change; Airflow 3.4 on."""
    from airflow import __version__
    from packaging.version import Version

    return Version(__version__).release >= (3, 4)


def first_run(timetable: Any, restriction: Any) -> Any:
    """Return what the first scheduled run of a timetable is about; the method has another name before Airflow 3.2."""
    if hasattr(timetable, "next_dagrun_info_v2"):
        return timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=restriction)
    return timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)


def finds_out_that_connections_are_missing() -> bool:
    """Whether Airflow's own hooks tell a missing connection outside of a task; before 3.2 that is an ImportError."""
    from importlib.util import find_spec

    return find_spec("airflow.sdk.serde") is not None
