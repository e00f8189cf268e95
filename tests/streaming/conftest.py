"""The servers and stores of these tests, and one export service whose exports they land."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stores.fixtures import emulator, moto, new_bucket, rclone, store
from support.stores.servers import file_store, strict_gcs_store, strict_store
from support.streaming.exports import LandingClient, client_of_rows
from support.streaming.small_parts import PART_BYTES, use_small_parts

from labelbox_export_provider.testing.object_store import StrictS3, strict_gcs, strict_s3
from labelbox_export_provider.testing.sink_conformance import Store

__all__ = ["emulator", "moto", "new_bucket", "rclone", "store"]


@pytest.fixture(scope="module")
def shared_client() -> Iterator[LandingClient]:
    """A client of a small export; modules that need a larger one define it themselves."""
    with client_of_rows(150, file_bytes=20_000) as client:
        yield client


@pytest.fixture
def at(shared_client: LandingClient) -> Iterator[LandingClient]:
    """The client of the module, as new."""
    streams = shared_client.fake.behaviour.streams
    shared_client.fake.faults.clear()
    shared_client.fake.requests.clear()
    shared_client.waits.clear()
    yield shared_client
    shared_client.fake.change(streams=streams)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all parts as small as the stores below take them."""
    use_small_parts(monkeypatch)


@pytest.fixture
def s3() -> Iterator[StrictS3]:
    """A strict server that takes small parts."""
    with strict_s3(minimum_part_bytes=PART_BYTES) as server:
        yield server


@pytest.fixture(params=["file", "s3", "gcs"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind that takes small parts, and shows what uploads leave."""
    if request.param == "file":
        yield file_store(tmp_path / "lake")
    elif request.param == "s3":
        yield strict_store(request.getfixturevalue("s3"))
    else:
        with strict_gcs(minimum_part_bytes=PART_BYTES) as server:
            yield strict_gcs_store(server, retry_timeout=1)
