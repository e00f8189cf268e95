"""The check of windows in a directory, S3 and Google Cloud Storage, by Airflow's connections."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from support.airflow.tasks import TaskInstance, context_of
from support.failing_tasks import DagHarness
from support.stores.servers import BUCKET, gcs_client, s3_client
from support.streaming.exports import LandingClient, landing_client
from support.windows_command import DAY, FIRST, NIGHTS, PREFIX, land_nights, reject_night

from labelbox_export_provider import LabelboxWindowsCheckOperator
from labelbox_export_provider.airflow_compat import AirflowException, AirflowFailException, TaskDeferred
from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.errors import StorageDeniedError, StorageUnavailableError, TaskStoppedError
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.gcs.sink import GCSSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing import FakeLabelbox, generate_rows
from labelbox_export_provider.testing.object_store import strict_gcs
from labelbox_export_provider.testing.object_store.store import Fault, no_fault

GCP = '{"conn_type": "google_cloud_platform", "extra": {"is_anonymous": true, "project": "test"}}'


@pytest.fixture
def at() -> Iterator[LandingClient]:
    """A Labelbox whose project was edited in every one of the ten nights."""
    with FakeLabelbox(generate_rows(60, start=FIRST.date(), days=12)) as running, landing_client(running) as client:
        yield client


@pytest.fixture
def today(fake: FakeLabelbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DagHarness:
    """Connections to stores of a test, in tasks that run now."""
    harness = DagHarness(fake, tmp_path, monkeypatch)
    harness.now = datetime.now(timezone.utc)
    return harness


@pytest.fixture(params=["directory", "S3", "GCS"])
def lake(
    request: pytest.FixtureRequest, today: DagHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Sink, str]]:
    """A store, and the address of the prefix in it."""
    if request.param == "directory":
        yield FileSink(tmp_path), f"{tmp_path}/{PREFIX}"
    elif request.param == "S3":
        with today.s3() as server:
            yield S3Sink(s3_client(server.address), BUCKET), f"s3://{BUCKET}/{PREFIX}"
    else:
        with strict_gcs() as server:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
            monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", GCP)
            yield GCSSink(gcs_client(server.address), BUCKET), f"gs://{BUCKET}/{PREFIX}"


def test_missing_and_rejected_nights_until_they_are_landed(at: LandingClient, lake: tuple[Sink, str]) -> None:
    sink, prefix = lake
    project = at.fake.project_id
    rows = land_nights(at, sink, project, [0, 1, 2, 3, 5, 6, 8, 9])
    reject_night(at, sink, project, 4)
    ti = TaskInstance(task_id="check")
    task = LabelboxWindowsCheckOperator(task_id="check", prefix=prefix, rows=True)
    with pytest.raises(AirflowFailException) as caught:
        task.execute(context_of(ti=ti, interval=None))
    text = str(caught.value)
    assert "1 missing (1 source), 1 rejected (1 source)" in text
    for state, number in (("rejected", 4), ("missing", 7)):
        start, end = iso_utc(FIRST + number * DAY), iso_utc(FIRST + (number + 1) * DAY)
        assert f"- {state}: [{start}, {end}), 1 window of project:{project}\n" in text
    assert ti.xcoms["labelbox_windows"]["prefix"] == prefix
    [shown] = ti.xcoms["labelbox_windows"]["sources"]
    counted = [row for each in shown["intervals"] for row in each[4] or []]
    assert counted == [rows[number] for number in (0, 1, 2, 3, 5, 6, 8, 9)]

    land_nights(at, sink, project, [4, 7])
    assert task.execute(context_of(ti=ti, interval=None))["all_landed"] is True
    assert sum(each[2] for each in ti.xcoms["labelbox_windows"]["sources"][0]["intervals"]) == NIGHTS


def test_a_gate_outlasts_a_store_that_is_down(today: DagHarness, at: LandingClient) -> None:
    """While there is time, it looks again; a single check fails with a retry."""
    with today.s3() as server:
        land_nights(at, S3Sink(s3_client(server.address), BUCKET), at.fake.project_id, range(NIGHTS))
        server.fault = lambda _: Fault(status=503, code="SlowDown")
        options: dict[str, Any] = {"task_id": "check", "prefix": f"s3://{BUCKET}/{PREFIX}"}
        with pytest.raises(AirflowException) as caught:
            LabelboxWindowsCheckOperator(**options).execute(context_of(interval=None))
        assert isinstance(caught.value.__cause__, StorageUnavailableError)
        assert not isinstance(caught.value, AirflowFailException)
        task = LabelboxWindowsCheckOperator(**options, timeout=timedelta(hours=1), grace=timedelta(hours=6))
        context = context_of(interval=None)
        with pytest.raises(TaskDeferred) as deferred:
            task.execute(context)
        server.fault = no_fault
        kwargs = {**(deferred.value.kwargs or {}), "event": None}
        assert task.resume_execution("start_again", kwargs, context)["all_landed"] is True


def test_a_large_snapshot_that_may_not_be_written(
    today: DagHarness, monkeypatch: pytest.MonkeyPatch, at: LandingClient
) -> None:
    """The check goes on without it: whoever may only read can check, too. A check that may not list fails."""
    monkeypatch.setattr("labelbox_export_provider.operators.windows_xcom.MAX_BYTES", 100)
    with today.s3() as server:
        land_nights(at, S3Sink(s3_client(server.address), BUCKET), at.fake.project_id, range(NIGHTS))
        server.denied = frozenset({"PutObject"})
        context = context_of(ti=(ti := TaskInstance(task_id="check")), interval=None)
        task = LabelboxWindowsCheckOperator(task_id="check", prefix=f"s3://{BUCKET}/{PREFIX}")
        assert task.execute(context)["all_landed"] is True
        assert ti.xcoms["labelbox_windows"]["snapshot_uri"] is None
        server.denied = frozenset({"ListObjectsV2"})
        with pytest.raises(AirflowFailException) as caught:
            task.execute(context)
        assert isinstance(caught.value.__cause__, StorageDeniedError)


def test_a_check_that_is_stopped_while_it_looks(today: DagHarness, at: LandingClient) -> None:
    """It leaves no snapshot and does not succeed: its run was marked."""
    with today.s3() as server:
        land_nights(at, S3Sink(s3_client(server.address), BUCKET), at.fake.project_id, range(NIGHTS))
        context = context_of(ti=(ti := TaskInstance(task_id="check")), interval=None)
        task = LabelboxWindowsCheckOperator(task_id="check", prefix=f"s3://{BUCKET}/{PREFIX}")
        server.fault = lambda _: task.on_kill()
        with pytest.raises(AirflowException) as caught:
            task.execute(context)
        assert isinstance(caught.value.__cause__, TaskStoppedError)
        assert ti.xcoms == {}
