from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from support.airflow.versions import makes_partitioned_runs
from support.airflow.worker_clock import WorkerClock

from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.data.dataset import generate_rows

# They create every kind of run with Airflow's own timetables, partitioned ones included, as they are from 3.3 on.
_FROM_3_3 = ("test_runs_and_windows.py", "test_trigger_form.py", "test_windows_leave_no_gap.py")
collect_ignore = [] if makes_partitioned_runs() else [f"execution/{name}" for name in _FROM_3_3]


@pytest.fixture(scope="session", autouse=True)
def service_models_are_read_once() -> Iterator[None]:
    """Keep the files of a MiB that botocore reads and parses again for the client of every Airflow hook."""
    from botocore.loaders import JSONFileLoader

    load_file = JSONFileLoader.load_file
    models: dict[str, Any] = {}

    def load_once(self: Any, path: str) -> Any:
        if path not in models:
            models[path] = load_file(self, path)
        return models[path]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", load_once)
        yield


@pytest.fixture(autouse=True)
def a_store_on_every_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tests' own task state store work on an Airflow that has none, nor a name for keeping its entries."""
    if not makes_partitioned_runs():
        monkeypatch.setattr("labelbox_export_provider.execution.start.never_expire", lambda: None)


@pytest.fixture(autouse=True)
def deferred_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks be deferred for any time and poll at once: the pauses are for what happens between processes."""
    monkeypatch.setattr("labelbox_export_provider.execution.waiting.MIN_DEFERRAL", timedelta(0))
    monkeypatch.setattr("labelbox_export_provider.execution.waiting.MAX_HELD", timedelta(0))


@pytest.fixture(autouse=True)
def errors_are_believed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a refused key or a missing export end a wait without the two minutes that real waits give it."""
    monkeypatch.setattr("labelbox_export_provider.client.polling.BELIEVED_AFTER", 0.0)


@pytest.fixture(autouse=True)
def the_nights_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the windows of the tests have settled, whenever the tests are run."""
    morning = datetime(2026, 11, 24, tzinfo=timezone.utc)
    now = lambda _: max(datetime.now(timezone.utc), morning)  # noqa: E731  named for the line below
    monkeypatch.setattr("labelbox_export_provider.execution.waiting.WaitingTask.now", now)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelbox]:
    """A fake Labelbox with rows around the night of the tests, and the Airflow connection to it."""
    with FakeLabelbox(generate_rows(80, start=date(2026, 11, 20), days=5)) as running:
        for name, value in running.airflow_environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def clock(deferred_at_once: None, monkeypatch: pytest.MonkeyPatch) -> WorkerClock:
    """Time that passes only while tasks sleep, and the pauses that real processes need."""
    del deferred_at_once
    monkeypatch.setattr("labelbox_export_provider.execution.waiting.MIN_DEFERRAL", timedelta(seconds=30))
    monkeypatch.setattr("labelbox_export_provider.execution.waiting.MAX_HELD", timedelta(seconds=20))
    return WorkerClock(monkeypatch)
