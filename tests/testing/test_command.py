"""The fake runs as a process of its own, prints its addresses, and has an admin API for other processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from support.fake_client import HTTP, Client, between

from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.__main__ import main

COMMAND = [sys.executable, "-m", "labelbox_export_provider.testing"]


@contextmanager
def running(*arguments: str, end: signal.Signals = signal.SIGTERM) -> Iterator[dict[str, Any]]:
    with subprocess.Popen([*COMMAND, "--json", *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(end)
        assert process.wait(10) == 0


def test_the_command_serves_until_it_is_told_to_stop() -> None:
    arguments = ("--generate", "30", "--project", "clmine", "--api-key", "secret", "--start-date", "2024-01-01")
    with running(*arguments, "--days", "2", "--timezone", "Europe/Berlin") as facts:
        answer = HTTP.post(
            facts["endpoint"],
            json={"query": '{ user { timezone } project(where: {id: "clmine"}) { dataRowCount } }'},
            headers={"Authorization": "Bearer secret"},
        )
        assert answer.json()["data"] == {"user": {"timezone": "Europe/Berlin"}, "project": {"dataRowCount": 30}}
        connection = json.loads(facts["environment"]["AIRFLOW_CONN_LABELBOX_DEFAULT"])
        assert connection == {"conn_type": "labelbox", "host": facts["endpoint"], "password": "secret"}


def test_the_command_serves_a_file_until_ctrl_c(tmp_path: Path) -> None:
    row = b'{"data_row": {"id": "a"}, "projects": {"p1": {"name": "Roofs"}}}'
    (tmp_path / "rows.ndjson").write_bytes(row)
    arguments = ("--rows", str(tmp_path / "rows.ndjson"), "--empty-project", "p2")
    with running(*arguments, end=signal.SIGINT) as facts:
        assert facts["projects"] == {"p1": "Roofs", "p2": "Empty"}
        base_url = facts["endpoint"].removesuffix("/graphql")
        assert HTTP.get(base_url + "/_fake/rows").content == row + b"\n"


def test_the_command_serves_a_workspace() -> None:
    command = [*COMMAND, "--workspace", "--api-key", "secret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            described = [process.stdout.readline() for _ in range(25)]
        finally:
            process.terminate()
        assert process.wait(10) == 0
    places = [line for line in described if line.startswith(("project", "dataset", "slice", "model run"))]
    assert len(places) == 8 + 5 + 4 + 4
    assert [line.endswith("(0 rows)\n") for line in places if "without rows" in line] == [True] * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "missing.ndjson"], "missing.ndjson"),
        (["--behaviour", '{"speed": 1}'], "unknown: speed; valid names: seconds_per_export"),
        (["--generate", "-1"], "number=-1"),
        (["--workspace", "--project", "p1"], "brings its own projects"),
        (["--rows", "x", "--generate", "1"], "not allowed with"),
    ],
)
def test_a_wrong_argument_is_reported_in_a_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_a_taken_port_is_reported_in_a_sentence(fake: FakeLabelbox, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--generate", "1", "--port", fake.base_url.rpartition(":")[2]])
    assert "Address already in use" in capsys.readouterr().err


def test_the_admin_api_gives_the_expected_rows_of_a_window(fake: FakeLabelbox) -> None:
    start, end = datetime(2024, 5, 8, tzinfo=timezone.utc), datetime(2024, 5, 9, tzinfo=timezone.utc)
    expected_rows = fake.rows_for(None, start, end)
    window = {"project": fake.project_id, "start": start.isoformat(), "end": "2024-05-09T00:00:00Z"}
    assert expected_rows
    assert HTTP.get(fake.base_url + "/_fake/rows", params=window).content.splitlines(keepends=True) == [
        row + b"\n" for row in expected_rows
    ]


def test_the_admin_api_shows_rows_as_an_export_did(fake: FakeLabelbox, client: Client) -> None:
    export_id = client.start(params={"includeLabelDetails": True})
    assert HTTP.get(fake.base_url + "/_fake/rows", params={"export": export_id}).content == client.read(export_id)
    wished = {"params": '{"includeLabelDetails": true}'}
    assert HTTP.get(fake.base_url + "/_fake/rows", params=wished).content == client.read(export_id)


def test_admin_api_gives_expected_rows_of_all_sources(fake: FakeLabelbox, client: Client) -> None:
    """The admin API gives the expected rows of an export and of every source."""
    export_id = client.start()

    def get(**query: str) -> bytes:
        return HTTP.get(
            f"{fake.base_url}/_fake/{'expected_rows' if 'export' in query else 'rows'}", params=query
        ).content

    assert get(export=export_id) == fake.expected_rows(export_id) == client.read(export_id)
    assert get(export=export_id, stream="ERRORS") == b""
    dataset = fake.workspace.datasets[0].id
    assert get(dataset=dataset).splitlines() == b"\n".join(fake.rows_for(dataset_id=dataset)).splitlines()
    assert len(get(everything="yes").split(b"\n")) == 91
    listed = HTTP.get(f"{fake.base_url}/_fake/workspace").json()
    assert {place["id"] for place in listed["datasets"]} == {place.id for place in fake.workspace.datasets}
    assert listed["rows"] == []


def test_the_admin_api_lists_exports_requests_and_projects(fake: FakeLabelbox, client: Client) -> None:
    client.read(client.start(between("2024-05-08", "2024-05-09"), name="nightly"))

    def show(name: str) -> Any:
        return HTTP.get(f"{fake.base_url}/_fake/{name}").json()

    (export,) = show("exports")
    assert (export["name"], export["status"], export["user_id"]) == ("nightly", "COMPLETE", fake.user.user_id)
    assert export["filters"]["searchQuery"]["query"][0]["value"]["value"]["min"] == "2024-05-08"
    requests = show("requests")
    assert requests["api"][0]["status"] == 200
    assert requests["files"][0]["had_authorization"] is False
    assert fake.api_key not in json.dumps(requests)
    assert show("projects") == fake.projects


def test_admin_api_takes_faults_and_edits(fake: FakeLabelbox, client: Client) -> None:
    """The admin API takes faults edits switches and revocations."""

    def post(name: str, content: object) -> int:
        return HTTP.post(f"{fake.base_url}/_fake/{name}", json=content).status_code

    fault = {"fault": "ErrorStatus", "status": 503, "operation": "user"}
    assert post("faults", [fault, {**fault, "times": None}]) == 200
    assert client.post("{ user { id } }").status_code == 503
    assert len(HTTP.get(fake.base_url + "/_fake/faults").json()) == 1
    HTTP.delete(fake.base_url + "/_fake/faults")
    assert client.post("{ user { id } }").status_code == 200
    row_id = fake.row_ids()[0]
    assert post("edit", {"row_id": row_id, "last_activity_at": "2024-07-01T00:00:00Z"}) == 200
    assert len(fake.rows_for(None, datetime(2024, 6, 30, tzinfo=timezone.utc))) == 1
    assert post("behaviour", {"seconds_per_export": 7}) == 200
    assert fake.behaviour.seconds_per_export == 7
    assert post("revoke", {"api_key": fake.api_key}) == 200
    assert client.post("{ user { id } }").status_code == 401


@pytest.mark.parametrize(
    ("request_line", "content", "message"),
    [
        ("GET rows?project=clnothere", None, "no project has the id clnothere"),
        ("GET rows?export=clnothere", None, "no export has the id clnothere"),
        ("POST faults", {"fault": "Nonsense"}, "`fault` must be one of"),
        ("POST behaviour", {"speed": 1}, "speed"),
        ("POST revoke", {"api_key": "nobody's"}, "no such API key"),
        ("POST edit", {"row_id": "clnothere"}, "clnothere"),
    ],
)
def test_the_admin_api_reports_what_was_wrong(
    fake: FakeLabelbox, request_line: str, content: object, message: str
) -> None:
    method, path = request_line.split()
    answer = HTTP.request(method, f"{fake.base_url}/_fake/{path}", json=content)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_the_admin_api_lists_its_paths(fake: FakeLabelbox) -> None:
    answer = HTTP.get(fake.base_url + "/_fake/nothing")
    assert answer.status_code == 404
    assert "GET /_fake/exports" in answer.json()["error"]
