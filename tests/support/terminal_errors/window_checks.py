"""Checks of windows that find a gap, or cannot look."""

from __future__ import annotations

from datetime import timedelta

from support.airflow.tasks import NIGHT
from support.failing_tasks import DagHarness
from support.stores.servers import BUCKET
from support.terminal_errors.registry import situation

from labelbox_export_provider import errors
from labelbox_export_provider.testing.object_store.store import Fault

_OF_MANY = dict.fromkeys(("source", "link", "window"), "a check is of many sources and windows")


@situation(errors.WindowsNotLandedError, **_OF_MANY)
def check_after_two_nights_that_were_not_landed(night: DagHarness) -> None:
    night.all_in_one()
    night.now += timedelta(days=1, hours=6)
    night.check((NIGHT[1], night.now))


@situation(errors.WindowsNotLandedError, **_OF_MANY)
def check_as_a_gate_that_waits_for_too_long(night: DagHarness) -> None:
    night.all_in_one()
    night.now += timedelta(hours=2)
    night.check((NIGHT[1], night.now), timeout=timedelta(hours=1))


@situation(errors.NoTriggererError, **_OF_MANY)
def check_as_a_gate_without_a_triggerer(night: DagHarness) -> None:
    night.all_in_one()
    night.has_triggerer = False
    night.now += timedelta(hours=2)
    night.check((NIGHT[1], night.now), timeout=timedelta(hours=1))


@situation(errors.StorageUnavailableError, **_OF_MANY)
def check_in_a_store_that_fails(night: DagHarness) -> None:
    with night.s3() as server:
        server.fault = lambda _: Fault(status=503, code="SlowDown")
        night.check(NIGHT, prefix=f"s3://{BUCKET}/labels")
