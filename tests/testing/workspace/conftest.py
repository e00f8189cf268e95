"""One fake with a generated workspace for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.fake_client import Client
from support.workspace_exports import Sources

from labelbox_export_provider.testing import FakeLabelbox, generate_workspace


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeLabelbox]:
    """One workspace for all tests of this module, none of which changes it."""
    with FakeLabelbox(workspace=generate_workspace()) as running:
        yield running


@pytest.fixture(scope="module")
def client(fake: FakeLabelbox) -> Client:
    return Client(fake)


@pytest.fixture(autouse=True)
def same_switches(fake: FakeLabelbox) -> Iterator[None]:
    before = dict(fake.behaviour.__dict__)
    yield
    fake.change(**before)


@pytest.fixture(scope="module")
def rows(client: Client) -> Sources:
    return Sources(client)
