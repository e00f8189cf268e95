"""The provider as Airflow itself shows it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from support.e2e.stage import API_KEY, Stage

from demo.object_store import ACCESS_KEY, SECRET_KEY

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PACKAGE = "airflow-provider-labelbox-export"


def _listed(stage: Stage, what: str) -> list[dict[str, Any]]:
    done = stage.airflow.cli("providers", what, "--output", "json")
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[{")))
    return rows


def test_the_command_line_lists_the_provider(stage: Stage) -> None:
    assert PACKAGE in {row["package_name"] for row in _listed(stage, "list")}


def test_command_line_lists_the_hook(stage: Stage) -> None:
    """The command line lists the hook with its connection type."""
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


def test_connection_test_reports_a_wrong_key(stage: Stage) -> None:
    """The connection test of the form says that a key is wrong and does not repeat it."""
    answer = _test_connection(stage, password="not-the-key-of-anybody")
    assert answer["status"] is False
    assert "key" in answer["message"]
    assert "not-the-key-of-anybody" not in answer["message"]


def test_connection_test_distinguishes_host_and_key(stage: Stage) -> None:
    """The connection test of the form tells a wrong host from a wrong key."""
    answer = _test_connection(stage, password=API_KEY, host="http://127.0.0.1:9/graphql")
    assert answer["status"] is False
    assert "127.0.0.1:9" in answer["message"]


PAGE = Path(__file__).parents[2] / "docs" / "connection.md"


def _recipes(stage: Stage) -> list[list[str]]:
    """Return the commands of the page, with the stage's key and the stage's endpoint instead of Labelbox's own."""
    lines = [line for block in PAGE.read_text().split("```")[1::2] for line in block.splitlines() if "airflow " in line]
    commands = []
    for line in lines:
        text = line.replace("$LABELBOX_API_KEY", API_KEY).replace("<API key>", API_KEY)
        words = shlex.split(text.partition("airflow ")[2])
        if "--conn-json" in words:
            place = words.index("--conn-json") + 1
            words[place] = json.dumps({**json.loads(words[place]), "host": stage.labelbox.endpoint})
        elif "add" in words:
            words += ["--conn-host", stage.labelbox.endpoint]
        if "--conn-port" in words:
            words[words.index("--conn-port") + 1] = str(urlsplit(stage.labelbox.endpoint).port)
        commands.append([word.replace("labelbox_default", "labelbox_added") for word in words])
    return commands


def _test_icon(stage: Stage, conn_id: str) -> dict[str, Any]:
    """Send what the icon in the list of connections sends, an unset port as 0."""
    stored = stage.airflow.api.get(f"/connections/{conn_id}")
    texts = {name: stored[name] or "" for name in ("description", "host", "login", "password", "schema")}
    body = {"connection_id": conn_id, "conn_type": stored["conn_type"], "extra": stored["extra"] or "{}", **texts}
    answer: dict[str, Any] = stage.airflow.api.send("POST", "/connections/test", {**body, "port": stored["port"] or 0})
    return answer


def test_the_recipes_of_the_command_line_work(stage: Stage) -> None:
    """Every command of docs/connection.md succeeds, and the list's Test icon works where the page says so."""
    recipes = _recipes(stage)
    assert [words[1] for words in recipes] == ["add", "test", "add", "add"]
    for words in recipes:
        done = stage.airflow.cli(*words)
        assert done.returncode == 0, (words[:3], done.stdout[-2000:], done.stderr[-2000:])
        assert API_KEY not in done.stdout + done.stderr
    assert _test_icon(stage, "labelbox_added")["status"] is True
    with pytest.raises(RuntimeError, match=r"answered 400: .*host or port to test differs"):
        _test_icon(stage, "labelbox_prod")


def test_the_windows_command_takes_a_connection_of_the_database(stage: Stage) -> None:
    """One that is in the database reaches the bucket, which has nothing below this prefix; another is not known."""
    uri = f"aws://{ACCESS_KEY}:{SECRET_KEY}@/?endpoint_url={quote(stage.store.url, safe='')}&region_name=us-east-1"
    assert stage.airflow.cli("connections", "add", "lake_in_database", "--conn-uri", uri).returncode == 0
    command = ("labelbox", "windows", f"s3://{stage.store.bucket}/nothing-here", "--conn-id")
    reached = stage.airflow.cli(*command, "lake_in_database")
    assert reached.returncode == 2, reached.stderr
    assert f"No export was landed below s3://{stage.store.bucket}/nothing-here" in reached.stderr
    unknown = stage.airflow.cli(*command, "lake_of_nobody")
    assert unknown.returncode == 2, unknown.stderr
    assert "lake_of_nobody" in unknown.stderr
