"""The servers and stores of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.stores.fixtures import emulator, moto, new_bucket, rclone, store

from labelbox_export_provider.testing.object_store import StrictGCS, strict_gcs

__all__ = ["emulator", "moto", "new_bucket", "rclone", "store"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictGCS]:
    """A server, and a client library that repeats its calls without a pause."""
    from google.cloud.storage import retry

    quick = retry.DEFAULT_RETRY.with_delay(initial=0.001, maximum=0.01, multiplier=2)
    monkeypatch.setattr("google.cloud.storage.retry.DEFAULT_RETRY", quick)
    with strict_gcs() as served:
        yield served
