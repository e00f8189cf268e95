"""A transfer that Airflow stops: `on_kill` inside a signal handler, and `execution_timeout`, by the real signals."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from airflow.sdk.execution_time.timeout import TimeoutPosix
from support.airflow.sigterm import sigterm_when
from support.airflow.tasks import context_of
from support.airflow.transfer_stores import Store, expected_rows, in_every_store, start

from labelbox_export_provider.airflow_compat import AirflowException, AirflowFailException, AirflowTaskTimeout
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import SlowFile

STALL = 20.0


@in_every_store
def test_a_landing_that_is_killed_publishes_nothing(fake: FakeLabelbox, store: Store) -> None:
    """SIGTERM ends a landing within four seconds; the message says what is in the store, and another try lands."""
    handle = start(fake)
    fake.faults.add(SlowFile(seconds=STALL))
    task = store.operator(export=handle)
    begun = time.monotonic()
    with sigterm_when(task, lambda: fake.requests.files), pytest.raises(AirflowException) as failure:
        task.execute(context_of("land"))
    assert time.monotonic() - begun < 4
    assert not isinstance(failure.value, AirflowFailException)
    assert "Airflow stopped this task (SIGTERM)" in str(failure.value)
    assert "in store:  nothing of this export" in str(failure.value)
    assert store.read_all() == {}
    store.land(handle)
    assert sorted(store.rows()) == expected_rows(fake)


@pytest.mark.timeout(60, method="thread")  # its own alarm takes the place of that of pytest-timeout
def test_execution_timeout_ends_a_landing(fake: FakeLabelbox, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The exception of `execution_timeout` stays what it is; before it, the log says what is in the store."""
    fake.faults.add(SlowFile(seconds=STALL))
    task = store.operator(export=start(fake), execution_timeout=timedelta(seconds=0.5))
    begun = time.monotonic()
    with pytest.raises(AirflowTaskTimeout), TimeoutPosix(0.5):
        task.execute(context_of("land"))
    assert time.monotonic() - begun < 5
    reported = capsys.readouterr().out
    assert "ran longer than its execution_timeout (0:00:00.500000)" in reported
    assert "in store:  nothing of this export" in reported
    assert store.read_all() == {}


def test_a_kill_before_the_landing_moves_nothing(fake: FakeLabelbox, store: Store) -> None:
    """A task that is stopped while Airflow still renders it asks for no file."""
    task = store.operator(export=start(fake))
    task.on_kill()
    with pytest.raises(AirflowException, match="Airflow stopped this task"):
        task.execute(context_of("land"))
    assert not fake.requests.files
    assert store.read_all() == {}
