"""A client that polls exports of a fake Labelbox under a clock that a test moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.client.conversations import Runner
from support.client.waiter import ROWS, RUNS_FOR, Waiter

from labelbox_export_provider.testing import Behaviour, FakeLabelbox, ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def fake(clock: ManualClock) -> Iterator[FakeLabelbox]:
    with FakeLabelbox(ROWS, clock=clock, behaviour=Behaviour(seconds_per_export=RUNS_FOR)) as running:
        yield running


@pytest.fixture
def waiter(fake: FakeLabelbox, clock: ManualClock, runner: Runner) -> Waiter:
    return Waiter(fake, clock, runner)
