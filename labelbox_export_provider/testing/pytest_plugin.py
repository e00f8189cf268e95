"""Pytest fixtures. Put ``pytest_plugins = ["labelbox_export_provider.testing.pytest_plugin"]`` into your conftest.

To serve other rows or to change the behaviour, override `fake_labelbox_settings` with the arguments of `FakeLabelbox`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from labelbox_export_provider.testing.fake import FakeLabelbox


@pytest.fixture
def fake_labelbox_settings() -> dict[str, Any]:
    """The arguments of `FakeLabelbox` for `fake_labelbox`, none by default."""
    return {}


@pytest.fixture
def fake_labelbox(fake_labelbox_settings: dict[str, Any]) -> Iterator[FakeLabelbox]:
    """A fake Labelbox for one test."""
    with FakeLabelbox(**fake_labelbox_settings) as fake:
        yield fake


@pytest.fixture
def labelbox_connection(fake_labelbox: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> FakeLabelbox:
    """The same fake, with Airflow's connection `labelbox_default` pointing to it during the test."""
    for name, value in fake_labelbox.airflow_environment().items():
        monkeypatch.setenv(name, value)
    return fake_labelbox
