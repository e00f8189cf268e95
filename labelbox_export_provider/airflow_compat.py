"""Airflow 3.1 to 3.4 under one set of names: whatever moved, was added or is missing between these versions.

Only names that differ between the supported versions, or whose public path does, belong here; everything else is
imported from `airflow.sdk` directly. docs/compatibility.md lists what each version lacks.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseOperator
from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import DAG, Connection
    from airflow.sdk.bases.operator import BaseOperatorMeta
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
        TaskDeferralTimeout,
        TaskDeferred,
    )
else:
    BaseOperatorMeta = type(BaseOperator)  # has no public path
    try:  # Airflow 3.2 and newer
        from airflow.sdk.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSensorTimeout,
            AirflowSkipException,
            AirflowTaskTimeout,
            TaskDeferralTimeout,
            TaskDeferred,
        )
    except ImportError:
        from airflow.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSensorTimeout,
            AirflowSkipException,
            AirflowTaskTimeout,
            TaskDeferralTimeout,
            TaskDeferred,
        )

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "BaseOperatorMeta",
    "TaskDeferralTimeout",
    "TaskDeferred",
    "api_base_url",
    "dags_folder",
    "get_async_connection",
    "get_async_extra",
    "get_connection",
    "has_partition_dates",
    "has_trigger_on_kill",
    "mask_secret_async",
    "never_expire",
    "parse_dags",
    "runs_between",
    "task_state_store",
    "task_stats",
    "triggerer_stats",
]


async def get_async_connection(conn_id: str) -> Connection:
    """Return a connection without blocking the event loop.

    Why not always `BaseHook.aget_connection`: before Airflow 3.3.2 it masks secrets with a synchronous call to the
    supervisor, which fails while another call of the same loop is under way; there a thread reads the connection. A
    thread does so under `airflow dags test` as well, whose supervisor answers no asynchronous call: Airflow then finds
    only the connections that are in the environment.
    Raises `AirflowNotFoundException`.
    """
    from airflow.sdk import Connection

    if hasattr(Connection, "aextra_dejson") and _supervisor_is_asynchronous():  # the first came with the masking
        return await BaseHook.aget_connection(conn_id)
    return await sync_to_async(get_connection)(conn_id)


def get_connection(conn_id: str) -> Connection:
    """Return a connection; raises `AirflowNotFoundException`.

    Airflow 3.1 asks a task's supervisor for a connection that the environment does not have, and fails to import it
    where no task runs: in a script, or in a test.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except ImportError as error:
        if "SUPERVISOR_COMMS" not in str(error):
            raise
        raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined") from None


def _supervisor_is_asynchronous() -> bool:
    from airflow.sdk.execution_time import task_runner

    supervisor = getattr(task_runner, "SUPERVISOR_COMMS", None)
    return supervisor is None or hasattr(supervisor, "asend")


async def get_async_extra(connection: Connection) -> dict[str, Any]:
    """Return a connection's extra without blocking the event loop; raises `ValueError` where it is not JSON."""
    if hasattr(connection, "aextra_dejson"):
        return dict(await connection.aextra_dejson())
    return dict(await sync_to_async(lambda: connection.extra_dejson)())


async def mask_secret_async(secret: str) -> None:
    """Register a secret with Airflow's masker without blocking the event loop."""
    try:
        from airflow.sdk.log import amask_secret  # type: ignore[attr-defined, unused-ignore]
    except ImportError:
        from airflow.sdk.log import mask_secret

        await sync_to_async(mask_secret)(secret)
    else:
        await amask_secret(secret)


def task_state_store(context: Any) -> Any:
    """Return the task state store of a task's context; None below Airflow 3.3, which has none."""
    return dict(context).get("task_state_store")


def api_base_url() -> str:
    """Return the address of this Airflow's API server, by which two Airflows with the same DAGs differ; "" if unset."""
    try:  # Airflow 3.2 and newer
        from airflow.sdk.configuration import conf
    except ImportError:
        from airflow.configuration import conf

    return str(conf.get("api", "base_url", fallback=None) or "").rstrip("/")


def task_stats() -> Any:
    """Return Airflow's sender of metrics in the process of a task; up to Airflow 3.1 there is one for all processes."""
    try:  # Airflow 3.2 and newer
        from airflow.sdk.observability.stats import Stats
    except ImportError:
        from airflow.stats import Stats
    return Stats


def triggerer_stats() -> Any:
    """Return Airflow's sender of metrics in a triggerer, which does not set up the one of tasks from Airflow 3.2 on."""
    try:  # Airflow 3.2 and newer
        from airflow.observability.stats import Stats
    except ImportError:
        from airflow.stats import Stats  # type: ignore[assignment, unused-ignore]
    return Stats


def never_expire() -> Any:
    """Return the retention with which an entry of the task state store never expires; only where there is a store."""
    from airflow.sdk.execution_time.context import NEVER_EXPIRE

    return NEVER_EXPIRE


def has_trigger_on_kill() -> bool:
    """Return whether a trigger is notified when its task is marked as failed or successful; Airflow 3.3 and newer."""
    from airflow.triggers.base import BaseTrigger

    return hasattr(BaseTrigger, "on_kill")


def has_partition_dates() -> bool:
    """Return whether runs of partitioned timetables have a date; Airflow 3.3 and newer."""
    from airflow.sdk.api.datamodels._generated import DagRun

    return "partition_date" in DagRun.model_fields


def dags_folder() -> str:
    """Return the folder in which this Airflow looks for DAG files."""
    from airflow.settings import DAGS_FOLDER

    return str(DAGS_FOLDER)


def parse_dags(path: Path) -> tuple[list[DAG], dict[str, str]]:
    """Return the DAGs of a file or a folder, and what failed while they were imported, by file."""
    dag_bag = _first_of("airflow.dag_processing.dagbag", "airflow.models.dagbag").DagBag  # the first from 3.2 on
    without = {"include_examples": False} if "include_examples" in inspect.signature(dag_bag).parameters else {}
    bag = dag_bag(dag_folder=str(path), **without)
    return list(bag.dags.values()), dict(bag.import_errors)


def _first_of(*names: str) -> Any:
    """Return the first of these modules that this Airflow has."""
    for name in names:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            missing = error
    raise missing


def runs_between(dag: DAG, earliest: datetime, latest: datetime) -> Iterable[Any]:
    """Return what a backfill between two dates would run, both included, as the scheduler calculates it."""
    serialization: Any = import_module("airflow.serialization.serialized_objects")
    kind = getattr(serialization, "DagSerialization", None) or serialization.SerializedDAG  # the first from 3.2 on
    found: Iterable[Any] = kind.deserialize_dag(kind.serialize_dag(dag)).iter_dagrun_infos_between(earliest, latest)
    return found
