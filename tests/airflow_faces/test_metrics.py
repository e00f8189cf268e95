"""The metrics that tasks and triggers send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.airflow.one_task import Run
from support.airflow.project_exports import start_of
from support.airflow.stats import SentMetrics
from support.airflow.tasks import NIGHT, StateStore, context_of
from support.airflow.triggers import events_of, through_the_database

from labelbox_export_provider import (
    DataIntervalWindow,
    ExportTaskSensor,
    LabelboxExportToFileOperator,
    ProjectSource,
)
from labelbox_export_provider.airflow_compat import TaskDeferred
from labelbox_export_provider.metrics import METRICS, TAGS
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import BrokenFile, ErrorRows, FailedExport


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> SentMetrics:
    return SentMetrics(monkeypatch)


@pytest.fixture
def run(fake: FakeLabelbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    source = ProjectSource(project_id=fake.project_id)

    def make() -> Any:
        return LabelboxExportToFileOperator(
            task_id="land", source=source, window=DataIntervalWindow(), root=str(tmp_path), max_error_rows=9
        )

    return Run(make, monkeypatch)


def test_a_landing_counts_what_it_landed(fake: FakeLabelbox, run: Run, tmp_path: Path, metrics: SentMetrics) -> None:
    """Rows, error rows and bytes as stored, the times, and the end of the window; a repetition counts no row twice."""
    fake.faults.add(ErrorRows())
    summary = run.to_the_end()
    stored = sum(path.stat().st_size for path in tmp_path.glob("data/**/*.gz"))
    assert (metrics.of("rows"), metrics.of("bytes")) == ([summary["rows"]], [stored])
    assert metrics.of("error_rows") == [summary["errors"]] != [0]
    assert metrics.of("started") == [1]
    assert metrics.of("window_end") == [NIGHT[1].timestamp()]
    [landing], [waited], [age] = metrics.of("landing"), metrics.of("waited"), metrics.of("window_age")
    assert 0 < landing < 60
    assert 0 <= waited < 60
    assert age > 0
    whose = {"dag_id": "adhoc_airflow", "task_id": "land"}
    assert metrics.tags("rows") == whose | {"source_kind": "project", "source_id": fake.project_id}
    assert metrics.tags("waited")["outcome"] == "COMPLETE"
    run.retried().to_the_end()
    assert (metrics.of("adopted"), metrics.of("started")) == ([1], [1])
    assert metrics.of("rows") == [summary["rows"]]
    assert len(metrics.of("window_end")) == 2


def test_downloads_that_were_resumed_are_counted(fake: FakeLabelbox, run: Run, metrics: SentMetrics) -> None:
    fake.faults.add(BrokenFile())
    run.to_the_end()
    assert metrics.of("resumed") == [1]


def test_refused_starts_and_their_queue_are_counted(fake: FakeLabelbox, metrics: SentMetrics) -> None:
    """A start that was never refused has no time in the queue."""
    fake.change(running_exports_per_project=0)
    task, context = start_of(fake), context_of(store=StateStore())
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    assert (metrics.of("refused"), metrics.of("queued")) == ([1], [])
    fake.change(running_exports_per_project=10)
    kept = through_the_database(deferred.value.kwargs)
    start_of(fake).resume_execution(deferred.value.method_name, kept, context)
    [queued] = metrics.of("queued")
    assert 0 <= queued < 60
    start_of(fake).execute(context_of(store=StateStore()))
    assert len(metrics.of("started")) == 2
    assert len(metrics.of("queued")) == 1


@pytest.mark.parametrize(("fault", "outcome"), [(None, "COMPLETE"), (FailedExport(), "FAILED")])
def test_the_trigger_sends_the_wait_of_a_deferred_task(
    fake: FakeLabelbox, metrics: SentMetrics, fault: FailedExport | None, outcome: str
) -> None:
    """The wait is sent once, by the trigger or by the worker, whichever saw the end."""
    if fault is not None:
        fake.faults.add(fault)
    fake.change(polls_per_export=2)
    handle = start_of(fake).execute(context_of())
    sensor = ExportTaskSensor(task_id="wait", export=handle, poke_interval=0.01, exponential_backoff=False)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context_of("wait"))
    assert metrics.of("waited") == []
    events_of(deferred.value.trigger)
    assert len(metrics.of("waited")) == 1
    assert metrics.tags("waited") == {"outcome": outcome}


def test_a_sensor_that_pokes_sends_its_own_wait(fake: FakeLabelbox, metrics: SentMetrics) -> None:
    handle = start_of(fake).execute(context_of())
    sensor = ExportTaskSensor(task_id="wait", export=handle, deferrable=False, poke_interval=0.01)
    sensor.execute(context_of("wait"))
    assert len(metrics.of("waited")) == 1
    assert metrics.tags("waited")["task_id"] == "wait"


def test_every_metric_that_is_sent_is_in_the_table(fake: FakeLabelbox, run: Run, metrics: SentMetrics) -> None:
    """No secret or address is in a name or a tag."""
    fake.change(running_exports_per_project=0)
    fake.faults.add(BrokenFile())
    context = context_of(store=StateStore())
    with pytest.raises(TaskDeferred):
        start_of(fake).execute(context)
    fake.change(running_exports_per_project=10)
    run.to_the_end()
    names = {stat.removeprefix("labelbox_export.") for stat, _, _ in metrics.sent}
    assert names <= METRICS.keys()
    assert METRICS.keys() - names <= {"adopted", "queued"}
    values = [value for _, _, tags in metrics.sent for value in tags.values()]
    assert {tag for _, _, tags in metrics.sent for tag in tags} <= set(TAGS)
    assert not any("://" in value or fake.api_key in value for value in values)
