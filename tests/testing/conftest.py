"""Fixtures of the tests of the fake Labelbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.fake_client import Client

from labelbox_export_provider.testing import DataRow, FakeLabelbox, ManualClock, generate_rows


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def ninety_rows() -> list[DataRow]:
    """Ninety rows over five days, half of them around midnights; to be copied, since a test may edit them."""
    return generate_rows(90, border_hours=[0])


@pytest.fixture
def fake(ninety_rows: list[DataRow], clock: ManualClock) -> Iterator[FakeLabelbox]:
    """The ninety rows under a clock that stands still."""
    with FakeLabelbox([replace(row, former_activity=[]) for row in ninety_rows], clock=clock) as running:
        yield running


@pytest.fixture
def client(fake: FakeLabelbox) -> Client:
    return Client(fake)
