"""A task that starts exports of a fake Labelbox, and other users."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from support.client.starts import (
    ROWS,
    RUNS_FOR,
    StartingTask,
)

from labelbox_export_provider.testing import Behaviour, FakeLabelbox, FakeUser, ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def fake(clock: ManualClock) -> Iterator[FakeLabelbox]:
    behaviour = Behaviour(seconds_per_export=RUNS_FOR)
    with FakeLabelbox(ROWS, clock=clock, behaviour=behaviour, projects={"clsecond": "Second"}) as running:
        yield running


@pytest.fixture
def task(fake: FakeLabelbox, clock: ManualClock) -> StartingTask:
    return StartingTask(fake, clock, fake.user)


@pytest.fixture
def reported(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "labelbox_export_provider.client")
    return caplog


@pytest.fixture
def colleague(fake: FakeLabelbox) -> FakeUser:
    return fake.add_user()


@pytest.fixture
def storeless(task: StartingTask) -> StartingTask:
    task.has_store = False
    return task
