"""`airflow labelbox windows`: the command `windows` with Airflow's connections."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial

from labelbox_export_provider.commands.windows import run


def windows(options: argparse.Namespace) -> None:
    """Run the command and exit with its code."""
    # Outside its own processes Airflow reads connections of its database only if this variable allows it.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    from labelbox_export_provider.execution.stores import open_store

    sys.exit(run(options, partial(open_store, conn_id=options.conn_id)))
