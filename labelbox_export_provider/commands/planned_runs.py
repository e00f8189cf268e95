"""The runs that a schedule makes between two dates, and the context of each, without Airflow's database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from labelbox_export_provider.airflow_compat import runs_between
from labelbox_export_provider.domain.options.dates import iso_utc

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context


@dataclass(frozen=True)
class PlannedRun:
    """A run that Airflow would make; dates are missing where Airflow leaves them out."""

    run_type: str
    logical_date: datetime | None = None
    interval: tuple[datetime, datetime] | None = None
    partition_key: str | None = None
    partition_date: datetime | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The run's name, as far as it is known before the run."""
        date = self.logical_date or self.partition_date
        return f"{self.run_type}__{'' if date is None else iso_utc(date)}"


def backfill_runs(dag: DAG, start: datetime, end: datetime, conf: Mapping[str, Any]) -> list[PlannedRun]:
    """Return the runs of `airflow backfill create` from one date to another, both included; none without a schedule."""
    return [
        PlannedRun(
            "backfill",
            None if info.data_interval is None else info.logical_date,
            None if info.data_interval is None else (info.data_interval.start, info.data_interval.end),
            getattr(info, "partition_key", None),
            getattr(info, "partition_date", None),
            conf,
        )
        for info in runs_between(dag, start, end)
    ]


def context_of(run: PlannedRun, dag: DAG, task: Any) -> Context:
    """Return what templates and windows read of a run; what only a running task has is not in it, XComs above all."""
    values: dict[str, Any] = {
        "dag": dag,
        "task": task,
        "run_id": run.run_id,
        "params": {**task.params.dump(), **run.conf},
        "dag_run": SimpleNamespace(run_type=run.run_type, run_id=run.run_id, conf=run.conf, run_after=None),
        "var": {"value": _Variables()},
    }
    if run.logical_date is not None:
        date = run.logical_date
        values |= {
            "logical_date": date,
            "ds": f"{date:%Y-%m-%d}",
            "ds_nodash": f"{date:%Y%m%d}",
            "ts": date.isoformat(),
            "ts_nodash": f"{date:%Y%m%dT%H%M%S}",
        }
    if run.interval is not None:
        values |= {"data_interval_start": run.interval[0], "data_interval_end": run.interval[1]}
    if run.partition_date is not None:
        values |= {"partition_key": run.partition_key, "partition_date": run.partition_date}
    return cast("Context", values)


class _Variables:
    """Airflow's variables, of the environment only: a secrets backend would be asked over the network."""

    def __getattr__(self, name: str) -> str:
        key = f"AIRFLOW_VAR_{name.upper()}"
        if key not in os.environ:
            raise LookupError(f"The variable {name!r} is not in the environment: set {key}.")
        return os.environ[key]
