"""LabelboxHook: from an Airflow connection to somebody's key."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from typing import Any, cast

import pytest
from airflow.sdk import Connection

from labelbox_export_provider import LabelboxHook
from labelbox_export_provider.client import flows
from labelbox_export_provider.errors import (
    AnotherUsersExportError,
    AuthenticationError,
    AuthorizationError,
    NotFoundError,
)
from labelbox_export_provider.testing import FakeLabelbox, generate_workspace
from labelbox_export_provider.testing.accounts import FakeUser
from labelbox_export_provider.testing.faults import GraphQLErrorAnswer


def redact(text: str) -> Any:
    """Return a text as the task's log shows it; the function's place differs between versions of Airflow."""
    try:
        from airflow.sdk.log import redact as masked  # type: ignore[attr-defined, unused-ignore]
    except ImportError:
        from airflow.sdk._shared.secrets_masker import redact as masked
    return masked(text)


def connection(monkeypatch: pytest.MonkeyPatch, **parts: Any) -> LabelboxHook:
    monkeypatch.setenv("AIRFLOW_CONN_LABELBOX_DEFAULT", json.dumps({"conn_type": "labelbox", **parts}))
    return LabelboxHook()


def test_the_connection_test_names_the_owner_of_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Airflow's Test button shows user, organization and time zone of the key."""
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
def test_each_wrong_part_of_a_connection_has_its_message(
    fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch, parts: dict[str, Any], words: list[str]
) -> None:
    """Every wrong part of a connection has a message of its own."""
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


def test_the_key_is_masked_once_the_connection_is_read(fake: FakeLabelbox) -> None:
    """Task logs mask the key as soon as the connection is read."""
    LabelboxHook().run(flows.who_am_i())
    assert redact(f"key {fake.api_key}") == "key ***"


def test_a_key_with_a_newline_works_and_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key as it is used is masked, not the text of the file that it was read from."""
    with FakeLabelbox(user=FakeUser(api_key="key-from-a-file-0001")) as fake:
        assert connection(monkeypatch, host=fake.endpoint, password=f"{fake.api_key}\n").test_connection()[0]
        assert redact(f"key {fake.api_key}.") == "key ***."


def test_a_key_in_the_login_field_is_masked_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be the key in the wrong field is treated as one."""
    ok, text = connection(monkeypatch, login="key-in-the-login-0001").test_connection()
    assert ok is False
    assert "login" in text
    assert redact(f"{text} key-in-the-login-0001.") == f"{text} ***."


def test_errors_about_the_key_name_the_connection(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the log of a task learns which of many connections holds the key."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_LB_PROD",
        json.dumps({"conn_type": "labelbox", "host": fake.endpoint, "password": "wrong-key-0001"}),
    )
    with pytest.raises(AuthenticationError, match=r"^Connection 'lb_prod': "):
        LabelboxHook("lb_prod").run(flows.who_am_i())
    for code, kind in (
        ("AUTHORIZATION_ERROR", AuthorizationError),
        ("RESOURCE_NOT_FOUND", NotFoundError),
    ):
        fake.faults.add(GraphQLErrorAnswer(code=code))
        with pytest.raises(kind, match=r"^Connection 'labelbox_default': "):
            LabelboxHook().run(flows.who_am_i())
    with pytest.raises(AnotherUsersExportError, match=r"^Connection 'labelbox_default': "):
        LabelboxHook().run(flows.task_state("cltask000000000000000000", "cluser000000000000000other"))


def test_the_loop_is_not_blocked_by_masking(fake: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trigger masks the key with Airflow's asynchronous function, or in a thread where there is none."""
    from airflow.sdk import log

    masked_by: list[int] = []
    synchronous = log.mask_secret

    def mask_secret(secret: Any, name: str | None = None) -> None:
        masked_by.append(threading.get_ident())
        synchronous(secret, name)

    for module in ("airflow.sdk.log", "labelbox_export_provider.hooks.labelbox"):
        monkeypatch.setattr(f"{module}.mask_secret", mask_secret)
    assert asyncio.run(LabelboxHook.async_settings("labelbox_default")).api_key.get_secret_value() == fake.api_key
    assert threading.get_ident() not in masked_by
    assert redact(f"key {fake.api_key}") == "key ***"


def test_no_debug_log_holds_the_key_or_its_header(fake: FakeLabelbox, caplog: pytest.LogCaptureFixture) -> None:
    """No log record holds the key or its header, at debug level either."""
    with caplog.at_level(logging.DEBUG):
        LabelboxHook().run(flows.who_am_i())
    assert caplog.records
    assert fake.api_key not in caplog.text


def test_projects_and_datasets_are_looked_up_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its id, as the sources take them."""
    with FakeLabelbox(workspace=generate_workspace(20)) as fake:
        hook = connection(monkeypatch, host=fake.endpoint, password=fake.api_key)
        assert {each.id: each.name for each in hook.get_projects()} == fake.projects
        assert [each.name for each in hook.get_projects("* s*")] == ["Street scenes"]
        assert [each.name for each in hook.get_datasets("*calls")] == ["Invoices and calls"]
        fake.revoke(fake.api_key)
        with pytest.raises(AuthenticationError, match="labelbox_default"):
            hook.get_projects()


def test_airflow_makes_the_hook_from_a_connection_of_its_type(fake: FakeLabelbox) -> None:
    hook = Connection.get("labelbox_default").get_hook()
    assert (type(hook), hook.labelbox_conn_id) == (LabelboxHook, "labelbox_default")


def test_requests_name_this_program_truthfully(fake: FakeLabelbox) -> None:
    LabelboxHook().run(flows.who_am_i())
    agent = fake.requests.api[0].headers["user-agent"]
    assert agent.startswith("airflow-provider-labelbox-export/")
    assert "Airflow/3." in agent


def test_a_stored_connection_is_found_under_dags_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor of `airflow dags test` answers no asynchronous call, so a trigger asks it from a thread."""
    from airflow.sdk.execution_time import comms, supervisor

    class Supervisor:
        def _handle_request(self, message: Any, *_: Any) -> None:
            rest = dict.fromkeys(("host", "schema", "login", "port", "extra"))
            given = {"conn_id": "stored", "conn_type": "labelbox", "password": "a-key", **rest}
            found = comms.ConnectionResult.model_validate(given)
            in_process.messages.append(found if isinstance(message, comms.GetConnection) else None)

    monkeypatch.delenv("AIRFLOW_CONN_STORED", raising=False)
    in_process = supervisor.InProcessSupervisorComms(supervisor=cast("Any", Supervisor()))
    with supervisor.set_supervisor_comms(in_process):
        settings = asyncio.run(LabelboxHook.async_settings("stored"))
    assert settings.api_key.get_secret_value() == "a-key"
