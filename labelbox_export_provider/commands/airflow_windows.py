"""`airflow labelbox windows`: the command `windows` with Airflow's connections."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from labelbox_export_provider.commands.windows import run
from labelbox_export_provider.errors import ConfigurationError

if TYPE_CHECKING:
    from labelbox_export_provider.sinks.base import Sink
    from labelbox_export_provider.windows_check.address import StoreAddress


def windows(options: argparse.Namespace) -> None:
    """Run the command and exit with its code."""
    # Outside its own processes Airflow reads connections of its database only if this variable allows it.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    sys.exit(run(options, partial(_open_store, conn_id=options.conn_id)))


def _open_store(address: StoreAddress, conn_id: str | None) -> Sink:
    from labelbox_export_provider.execution.stores import open_store

    if conn_id is None:
        return open_store(address)
    if address.scheme == "file":
        raise ConfigurationError(f"{address} is a directory, which takes no connection: leave out {conn_id!r}.")
    return open_store(address, aws_conn_id=conn_id, gcp_conn_id=conn_id)
