"""DAG runs as Airflow makes them, with its own timetables and its own context, but without a database.

The moments: schedules fire at 02:00 UTC, and people press buttons at 10:30 on 23 November.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pendulum
from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody
from airflow.sdk import DAG, Asset, Context, Param
from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext
from airflow.sdk.definitions.asset import AssetAll
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DagRunInfo, TimeRestriction

from labelbox_export_provider import ProjectExportOperator

FIRST = pendulum.datetime(2026, 11, 22, 2)
FIRED = pendulum.datetime(2026, 11, 23, 2)
PRESSED = pendulum.datetime(2026, 11, 23, 10, 30)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Run:
    """What Airflow stores of a run, as far as a task hears of it."""

    run_type: str
    logical_date: datetime | None = None
    interval: tuple[datetime, datetime] | None = None
    partition_key: str | None = None
    partition_date: datetime | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    schedule: Any = field(default_factory=lambda: AssetAll(Asset("any")))

    @classmethod
    def of(cls, info: DagRunInfo, run_type: str, schedule: Any) -> Run:
        """Take over what a timetable said."""
        interval = None if info.data_interval is None else (info.data_interval.start, info.data_interval.end)
        date = None if info.data_interval is None else info.logical_date
        return cls(run_type, date, interval, info.partition_key, info.partition_date, schedule=schedule)


def serialized(schedule: Any) -> Any:
    """The DAG as scheduler and API server know it."""
    dag = DAG("nightly", schedule=schedule, start_date=FIRST, params={})
    return DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))


def scheduled(schedule: Any, since: datetime = FIRST) -> Iterator[Run]:
    """The runs that the scheduler makes with `catchup=True`, one after the other."""
    dag = serialized(schedule)
    last: DagRunInfo | None = None
    while True:
        bounds = TimeRestriction(earliest=pendulum.instance(since), latest=None, catchup=True)
        last = dag.timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=bounds)
        if last is None:
            return
        yield Run.of(last, "scheduled", schedule)


def fired_at(schedule: Any, moment: datetime = FIRED) -> Run:
    """The scheduled run that is the first to be made at or after a moment."""
    dag = serialized(schedule)
    last: DagRunInfo | None = None
    bounds = TimeRestriction(earliest=FIRST, latest=None, catchup=True)
    while last is None or last.run_after < moment:
        last = dag.timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=bounds)
        if last is None:
            raise LookupError(f"{schedule} does not fire from {moment} on")
    return Run.of(last, "scheduled", schedule)


def only_run(schedule: Any) -> Run:
    """The one run of a schedule such as `@once`."""
    [run] = scheduled(schedule)
    return run


def backfilled(schedule: Any, day: datetime = FIRST) -> Run:
    """The run of one date of a backfill."""
    [info] = serialized(schedule).iter_dagrun_infos_between(day, day)
    return Run.of(info, "backfill", schedule)


def triggered(schedule: Any, **body: Any) -> Run:
    """The run that the button of the UI and the REST API make; without `logical_date` it has none."""
    given = TriggerDAGRunPostBody.model_validate({"logical_date": None, **body}).validate_context(serialized(schedule))
    interval = given["data_interval"]
    return Run(
        "manual",
        given["logical_date"],
        None if interval is None else (interval.start, interval.end),
        given["partition_key"],
        given["partition_date"],
        given["conf"] or {},
        schedule,
    )


def dags_test(schedule: Any) -> Run:
    """The run of `airflow dags test` without a date: its logical date is now."""
    interval = serialized(schedule).timetable.infer_manual_data_interval(run_after=PRESSED)
    return Run("manual", PRESSED, (interval.start, interval.end), schedule=schedule)


def asset_triggered(key: str | None = None) -> Run:
    """The run that an asset event causes; with a key, of a DAG whose assets are partitioned."""
    return Run("asset_triggered", partition_key=key)


def context_of(run: Run, window: Any, params: Mapping[str, Param] | None = None) -> Context:
    """The context that Airflow's task runner builds for a start task in this run."""
    with DAG("nightly", schedule=run.schedule, start_date=FIRST, params=dict(params or {})):
        task = ProjectExportOperator(task_id="start", project_id="clprojectdemo000000000000", window=window)
    start, end = run.interval or (None, None)
    dag_run = DagRun(
        dag_id="nightly",
        run_id=f"{run.run_type}__1",
        logical_date=run.logical_date,
        data_interval_start=start,
        data_interval_end=end,
        run_after=PRESSED,
        start_date=PRESSED,
        end_date=None,
        run_type=run.run_type,
        state="running",
        conf=dict(run.conf),
        consumed_asset_events=[],
        partition_key=run.partition_key,
        partition_date=run.partition_date,
    )
    ti: RuntimeTaskInstance = RuntimeTaskInstance.model_construct(  # type: ignore[call-arg]  # what is read is given
        id=uuid4(),
        task_id="start",
        dag_id="nightly",
        run_id=dag_run.run_id,
        try_number=1,
        map_index=-1,
        max_tries=0,
        start_date=datetime.now(timezone.utc),
        task=task,
        _ti_context_from_server=TIRunContext(dag_run=dag_run, max_tries=0),
    )
    context: Context = ti.get_template_context()
    return context
