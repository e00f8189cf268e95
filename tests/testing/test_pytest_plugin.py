"""The pytest plugin gives a test of a user's DAG a fake and a connection to it."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

USERS_TEST = """
import json
import os

import pytest

from labelbox_export_provider.testing import generate_rows

pytest_plugins = ["labelbox_export_provider.testing.pytest_plugin"]


@pytest.fixture
def fake_labelbox_settings():
    return {"rows": generate_rows(3)}


def test_mine(labelbox_connection, fake_labelbox):
    assert labelbox_connection is fake_labelbox
    assert len(fake_labelbox.rows_for()) == 3
    assert json.loads(os.environ["AIRFLOW_CONN_LABELBOX_DEFAULT"])["host"] == fake_labelbox.endpoint


def test_other():
    assert "AIRFLOW_CONN_LABELBOX_DEFAULT" not in os.environ
"""


def test_fixture_has_own_rows_and_a_connection(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's test gets a fake with its own rows and a connection."""
    monkeypatch.delenv("AIRFLOW_CONN_LABELBOX_DEFAULT", raising=False)
    pytester.makepyfile(USERS_TEST)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
