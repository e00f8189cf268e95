"""What Airflow reads as its local settings here: it keeps SQLite from giving up at once when two processes write.

A savepoint outside a transaction begins one that may only read. When it comes to write after another process has
written, SQLite cannot wait, since what was read is out of date, and answers "database is locked" whatever its timeout.
Beginning with the right to write makes the processes wait for each other instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.engine import Engine

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

__all__: tuple[str, ...] = ()  # nothing here overrides a setting of Airflow's


@event.listens_for(Engine, "savepoint")
def _begin_before_a_savepoint(connection: Connection, _: str) -> None:
    driver_connection = connection.connection.driver_connection
    if connection.dialect.name == "sqlite" and driver_connection and not driver_connection.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
