"""What a transfer of several objects does for its next try: a warning of a rule that is too short, and a report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from support.airflow.sigterm import sigterm_when
from support.airflow.tasks import context_of
from support.airflow.transfer_stores import Store, start
from support.stores.servers import BUCKET, set_s3_rules

from labelbox_export_provider import LabelboxExportToS3Operator, parallel_landing
from labelbox_export_provider.airflow_compat import AirflowException
from labelbox_export_provider.testing import FakeLabelbox, StreamLayout, generate_rows
from labelbox_export_provider.testing.faults import SlowFile

OPTIONS: dict[str, Any] = {"max_object_bytes": 64 * 1024, "workers": 1}
WARNING = "The lifecycle rule 'uploads below data/' of the store removes uploads that are not completed after 2 day(s)"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelbox]:
    """A fake Labelbox whose night has some objects' worth of rows, in several files."""
    with FakeLabelbox(generate_rows(1500, start=date(2026, 11, 20), days=5)) as running:
        running.change(streams=StreamLayout(file_bytes=40_000))
        for name, value in running.airflow_environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.mark.parametrize("store", ["s3"], indirect=True)
@pytest.mark.parametrize("retries", [0, 1, 2])
def test_a_transfer_warns_of_a_rule_that_its_tries_outlive(
    fake: FakeLabelbox, store: Store, s3: Any, caplog: pytest.LogCaptureFixture, retries: int
) -> None:
    """Three tries of 20 hours and two waits of an hour take more than two days."""
    set_s3_rules(s3[1], BUCKET, {"data/": 2})
    times: dict[str, Any] = {"execution_timeout": timedelta(hours=20), "retry_delay": timedelta(hours=1)}
    store.land(start(fake), retries=retries, **times, **OPTIONS)
    assert (WARNING in caplog.text) == (retries == 2)
    assert ("all tries of this task may take 2 days, 14:00:00" in caplog.text) == (retries == 2)


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_a_plan_counts_the_tries_of_staging_and_publishing(
    fake: FakeLabelbox, store: Store, s3: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Twice a try of 25 hours is more than two days."""
    set_s3_rules(s3[1], BUCKET, {"data/": 2})
    single: Any = store.operator(export=start(fake))
    with DAG("large", schedule=None, start_date=datetime(2026, 1, 1)) as dag:  # noqa: DTZ001  UTC
        parallel_landing(
            LabelboxExportToS3Operator,
            export=single.export,
            s3_bucket=single.s3_bucket,
            s3_prefix=single.s3_prefix,
            execution_timeout=timedelta(hours=25),
            retries=0,
            **OPTIONS,
        )
    task: Any = dag.get_task("land.plan")
    task.execute(context_of("land.plan"))
    assert caplog.text.count(WARNING) == 1
    assert "all tries of this task may take 2 days, 2:00:00" in caplog.text


def test_a_transfer_that_is_stopped_reports_what_is_kept(fake: FakeLabelbox, store: Store) -> None:
    """SIGTERM once the first object has a receipt; the next try moves the rest."""
    handle = start(fake)
    fake.faults.add(SlowFile(seconds=20.0, file_index=6))
    task = store.operator(export=handle, **OPTIONS)
    has_receipt = lambda: any("_staging/" in name and name.endswith(".json") for name in store.read_all())  # noqa: E731  short
    with sigterm_when(task, has_receipt), pytest.raises(AirflowException) as failure:
        task.execute(context_of("land"))
    count = sum("_staging/" in name and name.endswith(".json") for name in store.read_all())
    (kept,) = (line for line in str(failure.value).splitlines() if line.startswith("  kept:"))
    assert kept.startswith(f"  kept:      {count} of ")
    assert kept.endswith(" bytes) are stored; the next try resumes there")
