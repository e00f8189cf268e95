"""A night, and the stores that it lands in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.failing_tasks import DagHarness

from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.object_store import StrictGCS, StrictS3, strict_gcs


@pytest.fixture
def night(fake: FakeLabelbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DagHarness:
    return DagHarness(fake, tmp_path, monkeypatch)


@pytest.fixture
def s3(night: DagHarness) -> Iterator[StrictS3]:
    with night.s3() as server:
        yield server


@pytest.fixture
def gcs(night: DagHarness) -> Iterator[StrictGCS]:
    anonymous = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "test"}}
    night.patch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(anonymous))
    with strict_gcs() as server:
        night.patch.setenv("STORAGE_EMULATOR_HOST", server.address)
        yield server
