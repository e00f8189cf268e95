"""The servers and stores of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stores.fixtures import emulator, moto, new_bucket, rclone, store
from support.stores.gcs_uploads import PART
from support.streaming.tls import certificate

from labelbox_export_provider.testing.object_store import StrictGCS, StrictS3, strict_gcs, strict_s3

__all__ = ["emulator", "moto", "new_bucket", "rclone", "store"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictGCS]:
    """A server, and a client library that repeats its calls without a pause."""
    from google.cloud.storage import retry

    quick = retry.DEFAULT_RETRY.with_delay(initial=0.001, maximum=0.01, multiplier=2)
    monkeypatch.setattr("google.cloud.storage.retry.DEFAULT_RETRY", quick)
    with strict_gcs(minimum_part_bytes=PART, takes_overlaps=True) as served:
        yield served


@pytest.fixture
def strict() -> Iterator[StrictS3]:
    with strict_s3() as server:
        yield server


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[StrictS3, str]]:
    """A server over TLS, and the certificate to trust it by."""
    bundle, context = certificate(tmp_path)
    with strict_s3(tls=context) as server:
        yield server, str(bundle)
