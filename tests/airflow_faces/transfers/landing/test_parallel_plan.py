"""The task that plans a landing by many tasks: what it asks, what it leaves in XCom, and which exports it refuses."""

from __future__ import annotations

import json

import pytest
from support.airflow.landing_group import Group
from support.airflow.transfer_stores import Store, start

from labelbox_export_provider.airflow_compat import AirflowFailException
from labelbox_export_provider.domain.records.landing_plan import SHARD_BYTES
from labelbox_export_provider.streaming.landing.options import DEFAULT_MAX_OBJECT_BYTES
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import CanceledExport, FailedExport, Fault, WrongTotals

GIB = 1024**3


@pytest.mark.parametrize(("shard_bytes", "shards"), [(SHARD_BYTES, 38), (1, 61)])
def test_the_plan_of_300_gib_is_small(small_files: FakeLabelbox, store: Store, shard_bytes: int, shards: int) -> None:
    """Two requests and no file, however many there are; all that it leaves in XCom is below 8 KiB."""
    small_files.faults.add(WrongTotals(bytes_by=300 * GIB, lines_by=100_000_000))
    handle = start(small_files)
    small_files.requests.clear()
    group = Group(store, handle, shards=64, shard_bytes=shard_bytes, max_object_bytes=DEFAULT_MAX_OBJECT_BYTES)
    planned = group.plan()
    assert len(planned) == shards
    assert [request.operation_name for request in small_files.requests.api] == ["StreamHeader"] * 2
    assert small_files.requests.files == []
    assert len(json.dumps([planned, group.ti.xcoms])) < 8 * 1024


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (None, "so it has no results yet"),
        (FailedExport(), "is FAILED and has no result to read"),
        (CanceledExport(), "was canceled and has no result to read"),
    ],
)
def test_an_export_without_results_is_not_planned(
    small_files: FakeLabelbox, store: Store, fault: Fault | None, reason: str
) -> None:
    """One that still runs, has failed or was canceled fails the plan, so that no task stages it."""
    if fault is None:
        small_files.change(seconds_per_export=3600.0)
    else:
        small_files.faults.add(fault)
    group = Group(store, start(small_files))
    with pytest.raises(AirflowFailException, match=reason):
        group.plan()
    assert store.read_all() == {}
