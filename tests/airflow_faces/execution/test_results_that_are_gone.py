"""Exports that ended long ago, whose results Labelbox may have removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from support.airflow.project_exports import start_of
from support.airflow.started import handle_of
from support.airflow.tasks import StateStore, context_of, some_dag
from support.stores.servers import files

from labelbox_export_provider import ExportTaskSensor, LabelboxExportToFileOperator, parallel_landing
from labelbox_export_provider.airflow_compat import AirflowFailException
from labelbox_export_provider.testing import FakeLabelbox, ManualClock, generate_rows

HOUR = 3600.0
Made = Callable[..., FakeLabelbox]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(timezone.utc) - timedelta(hours=30))


@pytest.fixture
def fake(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelbox]:
    """A fake whose exports started thirty hours ago, until its clock is moved."""
    with FakeLabelbox(generate_rows(20, start=date(2026, 11, 22), days=2), clock=clock) as running:
        for name, value in running.airflow_environment().items():
            monkeypatch.setenv(name, value)
        yield running


def removed(fake: FakeLabelbox, form: str) -> None:
    fake.change(results_kept_seconds=HOUR, removed_results=form)


@pytest.mark.parametrize("form", ["empty", "refused"])
@pytest.mark.parametrize("store", [StateStore, lambda: None])
def test_an_adopted_export_whose_results_are_gone_is_replaced(
    fake: FakeLabelbox,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    form: str,
    store: Callable[[], StateStore | None],
) -> None:
    """An adopted export that ended long ago and reads empty, or whose fresh URLs are refused, is not believed."""
    removed(fake, form)
    kept = store()
    first = start_of(fake).execute(context_of(store=kept))
    clock.advance(30 * HOUR)
    second = start_of(fake).execute(context_of(store=kept))
    assert (second["adopted"], len(fake.exports)) == (False, 2)
    assert second["export_id"] != first["export_id"]
    logged = " ".join(caplog.text.split())
    assert f"Export {first['export_id']} was COMPLETE at" in logged
    assert "Labelbox may have removed its results" in logged
    assert "A new export is started." in logged
    assert start_of(fake).execute(context_of(store=kept))["export_id"] == second["export_id"]
    assert len(fake.exports) == 2


@pytest.mark.parametrize(("hours", "kept"), [(30.0, None), (23.0, HOUR)])
def test_results_that_are_there_or_young_are_believed(
    fake: FakeLabelbox, clock: ManualClock, hours: float, kept: float | None
) -> None:
    """An old export whose first byte can be read is adopted, and so is one that ended within a day."""
    clock.advance((30.0 - hours) * HOUR)
    fake.change(results_kept_seconds=kept)
    store = StateStore()
    start_of(fake).execute(context_of(store=store))
    clock.advance(hours * HOUR)
    assert start_of(fake).execute(context_of(store=store))["adopted"]
    assert len(fake.exports) == 1


def land(handle: Any, folder: Path, **options: Any) -> Any:
    return LabelboxExportToFileOperator(task_id="land", export=handle, root=str(folder), **options).execute(
        context_of("land")
    )


def wait(handle: Any, folder: Path) -> Any:
    del folder
    return ExportTaskSensor(task_id="wait", export=handle).execute(context_of("wait"))


def plan(handle: Any, folder: Path) -> Any:
    with some_dag() as dag:
        parallel_landing(LabelboxExportToFileOperator, export=handle, root=str(folder))
    task: Any = dag.get_task("land.plan")
    return task.execute(context_of("land.plan"))


@pytest.mark.parametrize("form", ["empty", "refused"])
@pytest.mark.parametrize("reader", [land, plan, wait])
def test_a_handle_whose_results_are_gone_is_not_read(
    fake: FakeLabelbox, clock: ManualClock, tmp_path: Path, form: str, reader: Callable[[Any, Path], Any]
) -> None:
    """Sensor, transfer and plan fail without a retry and name the task to clear: nothing lands as an empty export."""
    handle = {**handle_of(fake), "started_at": clock().isoformat()}  # a worker has the clock of Labelbox
    removed(fake, form)
    clock.advance(30 * HOUR)
    with pytest.raises(AirflowFailException) as failure:
        reader(handle, tmp_path)
    assert "may have removed its results" in str(failure.value)
    assert "clear the task that starts the export with downstream: only a new export helps" in str(failure.value)
    assert files(tmp_path) == {}


def test_an_empty_night_is_landed_within_a_day(fake: FakeLabelbox, clock: ManualClock, tmp_path: Path) -> None:
    clock.advance(7 * HOUR)
    handle = handle_of(fake)
    removed(fake, "empty")
    clock.advance(23 * HOUR)
    assert land(handle, tmp_path)["rows"] == 0
