"""LabelboxHook: from an Airflow connection to somebody's key."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from airflow.sdk import Connection

from labelbox_export_provider import LabelboxHook
from labelbox_export_provider.labelbox import flows
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.accounts import FakeUser


def connection(monkeypatch: pytest.MonkeyPatch, **parts: Any) -> LabelboxHook:
    monkeypatch.setenv("AIRFLOW_CONN_LABELBOX_DEFAULT", json.dumps({"conn_type": "labelbox", **parts}))
    return LabelboxHook()


def test_the_connection_test_says_whose_key_it_is_with_organization_and_time_zone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FakeLabelbox(user=FakeUser(email="ada@example.com", timezone="Europe/Berlin")) as fake:
        hook = connection(monkeypatch, host=fake.endpoint, password=fake.api_key)
        assert hook.test_connection() == (
            True,
            "The key belongs to ada@example.com of Fake Labelbox. Time zone: Europe/Berlin.",
        )


def test_an_owner_without_a_time_zone_is_said_to_be_read_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeLabelbox(user=FakeUser(timezone=None)) as fake:
        hook = connection(monkeypatch, host=fake.endpoint, password=fake.api_key)
        assert "read as UTC" in hook.test_connection()[1]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"password": None}, ["password", "API key"]),
        ({"password": "Bearer abcdefgh"}, ["Bearer"]),
        ({"password": "wrong-key-0001"}, ["key"]),
        ({"host": "http://labelbox.example/graphql"}, ["allow_http"]),
        ({"host": "https://user:secret-0001@labelbox.example"}, ["host"]),
        ({"extra": '{"timeout": "soon"}'}, ["timeout", "soon"]),
        ({"extra": '{"time_out": 5}'}, ["time_out", "timeout"]),
    ],
)
def test_every_wrong_part_of_a_connection_gives_a_sentence_of_its_own(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch, parts: dict[str, Any], words: list[str]
) -> None:
    ok, text = connection(monkeypatch, **{"host": fake.endpoint, "password": fake.api_key, **parts}).test_connection()
    assert ok is False
    assert [word for word in words if word not in text] == []
    for secret in ("abcdefgh", "wrong-key-0001", "secret-0001", fake.api_key):
        assert secret not in text


def test_a_connection_that_does_not_exist_is_not_tested_silently() -> None:
    ok, text = LabelboxHook("labelbox_nowhere").test_connection()
    assert (ok, "labelbox_nowhere" in text) == (False, True)


def test_a_port_nobody_listens_on_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ok, text = connection(monkeypatch, host="http://127.0.0.1:9/graphql", password="fake-key-0001").test_connection()
    assert (ok, "127.0.0.1" in text) == (False, True)


def test_the_key_is_masked_in_task_logs_as_soon_as_the_connection_is_read(fake: FakeLabelbox) -> None:
    from airflow.sdk.log import redact

    LabelboxHook().run(flows.who_am_i())
    assert redact(f"key {fake.api_key}") == "key ***"


def test_the_key_and_its_header_are_in_no_log_record_at_debug_level(
    fake: FakeLabelbox, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        LabelboxHook().run(flows.who_am_i())
    assert caplog.records
    assert fake.api_key not in caplog.text


def test_airflow_makes_the_hook_from_a_connection_of_its_type(fake: FakeLabelbox) -> None:
    hook = Connection.get("labelbox_default").get_hook()
    assert (type(hook), hook.labelbox_conn_id) == (LabelboxHook, "labelbox_default")


def test_requests_name_this_program_truthfully(fake: FakeLabelbox) -> None:
    LabelboxHook().run(flows.who_am_i())
    agent = fake.requests.api[0].headers["user-agent"]
    assert agent.startswith("airflow-provider-labelbox-export/")
    assert "Airflow/3." in agent
