"""Fixtures of the tests of the fake Labelbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.fake_client import Client

from labelbox_export_provider.testing import FakeLabelbox, ManualClock, generate_rows


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def fake(clock: ManualClock) -> Iterator[FakeLabelbox]:
    """Ninety rows over five days, half of them around midnights, under a clock that stands still."""
    with FakeLabelbox(generate_rows(90, border_hours=[0]), clock=clock) as running:
        yield running


@pytest.fixture
def client(fake: FakeLabelbox) -> Client:
    return Client(fake)
