"""The servers and stores of these tests, and one export service whose exports they land."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.stores.fixtures import emulator, moto, new_bucket, rclone, store
from support.streaming.exports import LandingClient, landing_client

from labelbox_export_provider.testing import FakeLabelbox, StreamLayout, generate_rows

__all__ = ["emulator", "moto", "new_bucket", "rclone", "store"]


@pytest.fixture(scope="module")
def shared_client() -> Iterator[LandingClient]:
    with FakeLabelbox(generate_rows(150), projects={"clpempty": "Empty"}) as fake, landing_client(fake) as it:
        yield it


@pytest.fixture
def at(shared_client: LandingClient) -> LandingClient:
    """The client of the module, as new."""
    shared_client.fake.faults.clear()
    shared_client.fake.requests.clear()
    shared_client.fake.change(streams=StreamLayout(file_bytes=20_000))
    shared_client.waits.clear()
    return shared_client
