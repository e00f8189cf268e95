"""`start_or_adopt` in the Python code of a task: one export over retries, several requests, and its failures."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Context
from airflow.sdk.execution_time.timeout import TimeoutPosix
from support.airflow.tasks import NIGHT, StateStore, TaskInstance, context_of
from support.airflow.worker_clock import WorkerClock

from labelbox_export_provider import (
    DataIntervalWindow,
    ExportTaskSensor,
    FixedWindow,
    LabelboxExportToFileOperator,
    LabelboxHook,
    ProjectSource,
    SliceSource,
    mark_consumed,
    start_or_adopt,
)
from labelbox_export_provider.airflow_compat import AirflowFailException, AirflowTaskTimeout
from labelbox_export_provider.errors import HandleError
from labelbox_export_provider.testing import FakeLabelbox


def a_try(store: StateStore | None, number: int = 1, clears: int = 0) -> Context:
    """The context of one try of the task whose code is tested."""
    ti = TaskInstance(task_id="code", try_number=number, max_tries=3 + clears)
    return context_of("code", store=store, ti=ti)


@pytest.mark.parametrize("has_store", [True, False])
def test_a_retry_adopts_and_a_clear_starts_a_new_one(fake: FakeLabelbox, has_store: bool) -> None:
    """Never starts an export twice by accident: as the operators, with a task state store and without."""
    store = StateStore() if has_store else None
    source = ProjectSource(project_id=fake.project_id)
    first, second, cleared = (
        start_or_adopt(a_try(store, number, clears), source=source, window=DataIntervalWindow())
        for number, clears in ((1, 0), (2, 0), (3, 1))
    )
    assert (first["adopted"], second["adopted"], cleared["adopted"]) == (False, True, False)
    assert first["export_id"] == second["export_id"] != cleared["export_id"]
    assert len(fake.exports) == 2


def test_each_request_of_a_loop_is_adopted(fake: FakeLabelbox) -> None:
    """A task that starts several exports finds each of them again, also two windows of one project."""
    store = StateStore()
    windows = [FixedWindow(start=NIGHT[0] - timedelta(days=day), end=NIGHT[1]) for day in range(3)]

    def of_all(number: int) -> list[str]:
        context = a_try(store, number)
        source = {"kind": "project", "project_id": fake.project_id}
        return [start_or_adopt(context, source=source, window=window)["export_id"] for window in windows]

    assert of_all(1) == of_all(2)
    assert len(fake.exports) == 3


def test_an_export_kept_open_is_adopted_after_a_clear(fake: FakeLabelbox) -> None:
    """A task that failed while it read its export adopts it when it is cleared; once consumed, it starts a new one."""
    store = StateStore()

    def start(number: int, clears: int) -> dict[str, Any]:
        source = ProjectSource(project_id=fake.project_id)
        return start_or_adopt(a_try(store, number, clears), source=source, keep_open=True)

    first, again = start(1, 0), start(2, 1)
    assert first["export_id"] == again["export_id"]
    mark_consumed(a_try(store, 2, 1), again)
    assert start(3, 2)["export_id"] != first["export_id"]


def test_sensor_transfer_and_export_task_take_the_handle(fake: FakeLabelbox, tmp_path: Path) -> None:
    """What it returns is the handle of an operator."""
    handle = start_or_adopt(a_try(None), source=ProjectSource(project_id=fake.project_id), window=DataIntervalWindow())
    waited = ExportTaskSensor(task_id="wait", export=handle, deferrable=False, poke_interval=0.01)
    land = LabelboxExportToFileOperator(task_id="land", export=waited.execute(context_of("wait")), root=str(tmp_path))
    summary = land.execute(context_of("land"))
    with LabelboxHook().get_export_task(handle) as export:
        export.wait_till_done()
        assert export.get_total_lines() >= summary["rows"] > 0
    assert summary["export_id"] == handle["export_id"]


def test_waits_before_the_start_are_slept(fake: FakeLabelbox, clock: WorkerClock) -> None:
    """Until the window has settled, and while too many exports run; no retry is used up."""
    clock.now = datetime(2026, 11, 23, 2, tzinfo=timezone.utc)
    fake.change(running_exports_per_project=0)
    clock.meanwhile = lambda: fake.change(running_exports_per_project=1) if len(clock.slept) == 3 else None
    window = DataIntervalWindow(settle=timedelta(minutes=15))
    start_or_adopt(a_try(None), source=ProjectSource(project_id=fake.project_id), window=window)
    assert (clock.slept[0], len(clock.slept)) == (900, 3)
    assert len(fake.exports) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": {"kind": "album"}}, "valid kinds"),
        ({"source": ProjectSource(project_id="{{ params.project }}")}, "{{ params.project }}"),
        ({"window": FixedWindow(start="{{ ds }}", end="2026-11-23T02:00:00Z")}, "{{ ds }}"),
        ({"source": SliceSource(slice_id="cls1"), "window": DataIntervalWindow()}, "window"),
        ({"limit_timeout": -1}, "limit_timeout=-1"),
        ({"labelbox_conn_id": "nowhere"}, "labelbox_conn_id"),
    ],
)
def test_a_wrong_option_fails_without_a_retry(fake: FakeLabelbox, options: dict[str, Any], message: str) -> None:
    """Nothing is started, and the message names the option or its value, the task and its try."""
    given = {"source": ProjectSource(project_id=fake.project_id), **options}
    with pytest.raises(AirflowFailException) as failure:
        start_or_adopt(a_try(StateStore()), **given)
    assert message in str(failure.value)
    assert "1 of 4" in str(failure.value)
    assert fake.exports == []


@pytest.mark.timeout(60, method="thread")  # its own alarm takes the place of that of pytest-timeout
def test_execution_timeout_ends_its_waits(fake: FakeLabelbox, capsys: pytest.CaptureFixture[str]) -> None:
    """The report of an interruption names the time limit of the task whose code it is."""
    fake.change(running_exports_per_project=0)
    context: Any = {**a_try(None), "task": SimpleNamespace(execution_timeout=timedelta(seconds=0.5))}
    with pytest.raises(AirflowTaskTimeout), TimeoutPosix(0.5):
        start_or_adopt(context, source=ProjectSource(project_id=fake.project_id))
    assert "ran longer than its execution_timeout (0:00:00.500000)" in capsys.readouterr().out


def test_only_an_own_handle_can_be_consumed(fake: FakeLabelbox) -> None:
    """The handle of an export that no task started has no start record."""
    handle = start_or_adopt(a_try(None), source=ProjectSource(project_id=fake.project_id))
    with pytest.raises(HandleError, match="start_or_adopt"):
        mark_consumed(a_try(None), {**handle, **dict.fromkeys(("filters_digest", "fingerprint", "user_id"))})
