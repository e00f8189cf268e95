"""What a task finds around it when a test calls its methods: a task instance, a state store, a context."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, cast

from airflow.sdk import DAG, Context


class StateStore:
    """A task state store that takes what Airflow's takes: JSON, and never None."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        assert value is not None
        self.values[key] = json.dumps(value)


@dataclass
class TaskInstance:
    """The members of a task instance that this package reads."""

    task_id: str = "start"
    dag_id: str = "nightly"
    run_id: str = "scheduled__2026-11-23"
    map_index: int | None = -1
    try_number: int = 1
    max_tries: int = 3
    xcoms: dict[str, Any] = field(default_factory=dict)
    logical_dates: dict[str, set[datetime]] = field(default_factory=dict)
    """Those of the runs of other DAGs."""

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int | None = None) -> Any:
        if key not in self.xcoms:
            logging.getLogger("airflow.sdk.api.client").error("XCom not found")  # as Airflow's client does
        return self.xcoms.get(key)

    def get_dr_count(self, dag_id: str, logical_dates: list[datetime] | None = None) -> int:
        return len(self.logical_dates.get(dag_id, set()) & set(logical_dates or ()))


NIGHT = (datetime(2026, 11, 22, 2, tzinfo=timezone.utc), datetime(2026, 11, 23, 2, tzinfo=timezone.utc))


def context_of(
    task_id: str = "start",
    interval: tuple[datetime, datetime] | None = NIGHT,
    store: StateStore | None = None,
    **members: Any,
) -> Context:
    """The context of one try; without an interval its keys are missing, as Airflow leaves them out."""
    ti = members.pop("ti", None) or TaskInstance(task_id=task_id)
    context: dict[str, Any] = {"ti": ti, "task_instance": ti, "run_id": ti.run_id, "params": {}, **members}
    if store is not None:
        context["task_state_store"] = store
    if interval is not None:
        context |= {"data_interval_start": interval[0], "data_interval_end": interval[1]}
    return cast("Context", context)


def instance_of(context: Context) -> TaskInstance:
    """The task instance of a context that `context_of` made."""
    return cast("TaskInstance", context["ti"])


@contextmanager
def some_dag(**options: Any) -> Iterator[DAG]:
    """A DAG to put operators into."""
    with DAG(dag_id="nightly", schedule=None, start_date=NIGHT[0], **options) as dag:
        yield dag
