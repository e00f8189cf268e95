"""`airflow labelbox windows`: the command `windows` with Airflow's connections."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING

from airflow.utils.cli import suppress_logs_and_warning

from labelbox_export_provider.commands.windows import run
from labelbox_export_provider.errors import ConfigurationError

if TYPE_CHECKING:
    from labelbox_export_provider.sinks.base import Sink
    from labelbox_export_provider.windows_check.address import StoreAddress


@suppress_logs_and_warning
def windows(options: argparse.Namespace) -> None:
    """Run the command and exit with its code; Airflow's log would be among the output."""
    # Outside its own processes Airflow reads connections of its database only if this variable allows it.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    sys.exit(run(options, partial(_open_store, conn_id=options.conn_id), runs_of=_runs_of))


def _open_store(address: StoreAddress, conn_id: str | None) -> Sink:
    from labelbox_export_provider.execution.stores import open_store

    if conn_id is None:
        return open_store(address)
    if address.scheme == "file":
        raise ConfigurationError(f"{address} is a directory, which takes no connection: leave out {conn_id!r}.")
    return open_store(address, aws_conn_id=conn_id, gcp_conn_id=conn_id)


def _runs_of(dag_id: str) -> Callable[[Sequence[datetime]], bool] | None:
    """Return what finds runs of a DAG that have no window in their interval; None without Airflow's database."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    def has_run(dates: Sequence[datetime]) -> bool:
        of_dates = (DagRun.dag_id == dag_id, DagRun.logical_date.between(min(dates), max(dates)))
        with create_session() as session:
            runs = session.execute(select(DagRun.data_interval_start, DagRun.data_interval_end).where(*of_dates)).all()
        return any(start is None or start == end for start, end in runs)

    try:
        has_run([datetime.now(timezone.utc)])
    except SQLAlchemyError:
        return None
    return has_run
