"""What Airflow itself shows of the provider."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.e2e_stage import API_KEY, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PACKAGE = "airflow-provider-labelbox-export"


def _listed(stage: Stage, what: str) -> list[dict[str, Any]]:
    done = stage.airflow.cli("providers", what, "--output", "json")
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[{")))
    return rows


def test_the_command_line_lists_the_provider(stage: Stage) -> None:
    assert PACKAGE in {row["package_name"] for row in _listed(stage, "list")}


def test_the_command_line_lists_the_hook_with_its_connection_type(stage: Stage) -> None:
    hook = next(row for row in _listed(stage, "hooks") if row["package_name"] == PACKAGE)
    assert hook["connection_type"] == "labelbox"
    assert hook["conn_id_attribute_name"] == "labelbox_conn_id"
    assert "LabelboxHook" in hook["class"]


def test_the_command_line_lists_the_link(stage: Stage) -> None:
    assert any("LabelboxSourceLink" in str(row) for row in _listed(stage, "links"))


def _test_connection(stage: Stage, **fields: Any) -> dict[str, Any]:
    body = {"connection_id": "from_the_form", "conn_type": "labelbox", "host": stage.labelbox.endpoint, **fields}
    answer: dict[str, Any] = stage.airflow.api.send("POST", "/connections/test", body)
    return answer


def test_the_connection_test_of_the_form_says_whose_key_it_is(stage: Stage) -> None:
    answer = _test_connection(stage, password=API_KEY)
    assert answer["status"] is True
    assert stage.labelbox.user.email in answer["message"]
    assert "Fake Labelbox" in answer["message"]


def test_the_connection_test_of_the_form_says_that_a_key_is_wrong_and_does_not_repeat_it(stage: Stage) -> None:
    answer = _test_connection(stage, password="not-the-key-of-anybody")
    assert answer["status"] is False
    assert "key" in answer["message"]
    assert "not-the-key-of-anybody" not in answer["message"]


def test_the_connection_test_of_the_form_tells_a_wrong_host_from_a_wrong_key(stage: Stage) -> None:
    answer = _test_connection(stage, password=API_KEY, host="http://127.0.0.1:9/graphql")
    assert answer["status"] is False
    assert "127.0.0.1:9" in answer["message"]
