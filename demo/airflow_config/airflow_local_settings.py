"""Airflow's local settings for the demo: SQLite does not give up at once, and retries come soon.

A savepoint outside a transaction begins one that may only read. When it comes to write after another process has
written, SQLite cannot wait, since what was read is out of date, and answers "database is locked" whatever its timeout.
Beginning with the right to write makes the processes wait for each other instead.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.engine import Engine

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from sqlalchemy.engine import Connection

__all__ = ("task_policy",)
_MAX_RETRY_DELAY = timedelta(seconds=10)


def task_policy(task: BaseOperator) -> None:
    """Retry soon: nobody waits five minutes in front of a terminal."""
    task.retry_delay = min(task.retry_delay, _MAX_RETRY_DELAY)


@event.listens_for(Engine, "savepoint")
def _begin_before_a_savepoint(connection: Connection, _: str) -> None:
    driver_connection = connection.connection.driver_connection
    if connection.dialect.name == "sqlite" and driver_connection and not driver_connection.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
