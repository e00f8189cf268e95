"""What is rendered is checked before the start, and the store is asked once per try."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.airflow.asked_stores import refused
from support.airflow.tasks import NIGHT
from support.failing_tasks import DagHarness

from labelbox_export_provider import DataIntervalWindow, FixedWindow
from labelbox_export_provider.airflow_compat import AirflowException, AirflowFailException
from labelbox_export_provider.testing.faults import TruncatedFile
from labelbox_export_provider.testing.object_store import StrictS3


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"s3_bucket": "{{ params.x }}"}, "s3_bucket="),
        ({"s3_bucket": "lake", "s3_prefix": "{{ params.x }}"}, "s3_prefix="),
        ({"s3_bucket": "lake", "s3_prefix": None, "s3_key": "{{ params.x }}"}, "s3_key="),
        ({"bucket_name": "{{ params.x }}"}, "bucket_name="),
        ({"bucket_name": "lake", "object_prefix": "{{ params.x }}"}, "object_prefix="),
        ({"bucket_name": "lake", "object_prefix": None, "object_name": "{{ params.x }}"}, "object_name="),
        ({"path": "/{{ params.x }}"}, "path="),
    ],
    ids=lambda value: "",
)
def test_a_rendered_target_is_checked_before_the_start(night: DagHarness, options: dict[str, Any], word: str) -> None:
    """As literals are while the DAG is parsed; the store is not asked."""
    reported = refused(night, **options, params={"x": "my labels/../night"})
    assert word in reported
    assert "sink_args" not in reported


def test_a_key_that_its_fields_make_too_long_starts_no_export(night: DagHarness, s3: StrictS3) -> None:
    """The text of the option is short enough; the name of the object is not."""
    reported = refused(night, s3_bucket="lake", s3_prefix=None, s3_key=f"{'a' * 1000}/{{export_id}}.ndjson.gz")
    assert "at most 1024" in reported


def test_a_format_that_makes_an_empty_part_starts_no_export(night: DagHarness, s3: StrictS3) -> None:
    """A field's format may hold slashes."""
    reported = refused(night, s3_bucket="lake", s3_prefix=None, s3_key="nights/{window_start:/%d}.ndjson.gz")
    assert "'nights//22.ndjson.gz'" in reported


def test_a_wrong_rendered_sink_arg_starts_no_export(night: DagHarness, s3: StrictS3) -> None:
    """Its type is checked, and the value is not quoted."""
    reported = refused(
        night, s3_bucket="lake", sink_args={"Expires": "{{ params.x }}"}, params={"x": "hunter2, not a time"}
    )
    assert "Expires" in reported
    assert "hunter2" not in reported


def probes(server: StrictS3) -> int:
    return sum(call.operation == "CreateMultipartUpload" for call in server.calls)


def test_the_store_is_asked_once_per_try(night: DagHarness, s3: StrictS3) -> None:
    """Not again after the window has settled, nor after the wait; again by the next try."""
    night.now = NIGHT[1] + timedelta(seconds=10)
    night.fake.faults.add(TruncatedFile(times=None))
    options: dict[str, Any] = {"s3_bucket": "lake", "window": DataIntervalWindow(settle=timedelta(minutes=30))}
    with pytest.raises(AirflowException):
        night.all_in_one(**options)
    assert probes(s3) == 2
    night.fake.faults.clear()
    night.retried("land")
    night.all_in_one(**options)
    assert probes(s3) == 4
    assert len(night.fake.exports) == 1


def test_an_export_that_others_started_is_landed_without_asking(night: DagHarness, s3: StrictS3) -> None:
    """With export= there is nothing to spare any more."""
    night.land(night.start(), s3_bucket="lake")
    assert probes(s3) == 0


@pytest.mark.parametrize(
    ("options", "word"), [({"workers": 16}, "max_pool_connections"), ({"s3_prefix": "a" * 1000}, "at most 1024")]
)
def test_an_export_of_others_is_checked_before_bytes_move(
    night: DagHarness, s3: StrictS3, options: dict[str, Any], word: str
) -> None:
    """What needs no question to the store is checked with export= as well."""
    handle = night.start()
    night.fake.requests.clear()
    with pytest.raises(AirflowFailException, match=word):
        night.land(handle, s3_bucket="lake", **options)
    assert night.fake.requests.files == []
    assert s3.calls == []


def test_an_impossible_window_has_the_usual_message(night: DagHarness, s3: StrictS3) -> None:
    """A run without a window fails with the same message as without the store's check.

    The names need the window, so its fault comes first.
    """
    with pytest.raises(AirflowFailException, match="window"):
        night.all_in_one(s3_bucket="lake", interval=(NIGHT[1], NIGHT[1]))
    assert s3.calls == []


def test_exports_without_a_window_are_asked_for_as_well(night: DagHarness, s3: StrictS3) -> None:
    """Their names are dated by the start, which is about now."""
    assert night.all_in_one(s3_bucket="lake", window=None)["window"] is None

    window = FixedWindow("2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")
    night.cleared("land")
    assert night.all_in_one(s3_bucket="lake", window=window)["window"]["start"] == "2026-11-21T00:00:00Z"
