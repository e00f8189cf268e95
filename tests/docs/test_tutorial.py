"""docs/tutorial.md: every command and sample runs as it stands there, and prints what the page says."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.streaming.exports import landing_client

from labelbox_export_provider.client.settings import DEFAULT_APP_URL
from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.testing import DEMO_PROJECT_ID, FakeLabelbox, generate_rows
from labelbox_export_provider.transfers.announcement import landing_line

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
COMMANDS = [block for language, block in BLOCKS if language == "sh"]
OUTPUTS = [block for language, block in BLOCKS if not language]
FILES = dict(re.findall(r"^`(\w+\.py)`\n\n```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))
DAG = re.findall(r"^<!-- (dags_examples/\S+) -->\n```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
NIGHTS = (("2024-05-07T02:00:00Z", "2024-05-08T02:00:00Z"), ("2024-05-08T02:00:00Z", "2024-05-09T02:00:00Z"))
SERVES, LANDED, FOLDER, DUCKDB, PANDAS, WINDOWS = OUTPUTS[1:]


def plain(text: str) -> list[str]:
    """The lines without the generations, which differ from export to export, and without padding at their ends."""
    return [line.rstrip() for line in re.sub(r"\.g[0-9a-f]{8}\.", ".g.", text).strip("\n").splitlines()]


def step(number: int) -> str:
    """The text of one step of the page, without its line breaks."""
    return " ".join(TEXT.partition(f"\n## {number}. ")[2].partition("\n## ")[0].split())


def pattern(line: str) -> re.Pattern[str]:
    """What a line of the page stands for, whose dots are left out there."""
    return re.compile(re.escape(line).replace(re.escape("..."), ".+?"))


def test_the_dag_is_an_example_and_asks_for_the_project_of_the_fake() -> None:
    [(name, block)] = DAG
    assert (ROOT / name).read_text().endswith(block)
    assert block.startswith("from __future__")
    assert f'"LABELBOX_PROJECT_ID", "{DEMO_PROJECT_ID}"' in block
    assert f"`dags/{Path(name).name}`" in TEXT


def test_the_readers_print_what_the_page_says(tmp_path: Path) -> None:
    """The two nights are landed without Airflow here."""
    with FakeLabelbox(generate_rows(2000)) as fake, landing_client(fake) as at:
        nights = [
            at.land(at.export(window=FixedWindow(*night)), FileSink(tmp_path / "lake"), prefix="") for night in NIGHTS
        ]
    for night, line in zip(nights, LANDED.splitlines(), strict=True):
        assert pattern(line).match(landing_line(night, 1.0))
    files = (path for path in (tmp_path / "lake").rglob("*") if path.is_file())
    assert plain(FOLDER) == plain("\n".join(sorted(path.relative_to(tmp_path).as_posix() for path in files)))
    for name, expected in (("with_duckdb.py", DUCKDB), ("with_pandas.py", PANDAS)):
        done = subprocess.run(
            [sys.executable, "-c", FILES[name]], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert plain(done.stdout) == plain(expected), done.stderr


def test_the_fake_prints_a_line_that_is_not_needed() -> None:
    """The page shows some of the lines and names the one that looks like a command to run."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with in_another_terminal(COMMANDS[1].replace("8765", "0"), environment) as described:
        [line] = [line for line in described if line.startswith("export ")]
    named = re.search(r"`(export \w+)\.\.\.` line is not needed", step(2))
    assert named
    assert line.startswith(named[1])


def test_the_page_names_the_link_that_leads_nowhere() -> None:
    """The connection of step 3 has the default web app, which knows nothing of the fake."""
    assert "app_url" not in COMMANDS[2]
    assert f"`{DEFAULT_APP_URL.removeprefix('https://')}`" in step(3)


def test_the_folder_exists_and_is_exported_before_a_run() -> None:
    """The page names the folder that is used, and missing, where the variable is not set."""
    [(_, dag)] = DAG
    found = re.search(r'"LABELBOX_FOLDER", "(.+?)"', dag)
    assert found
    assert f"`{found[1]}`" in step(5)
    assert "mkdir dags lake" in COMMANDS[0].splitlines()
    [test] = [command for command in COMMANDS if "airflow dags test labelbox_project_to_folder" in command]
    assert test.index("export LABELBOX_FOLDER=$PWD/lake") < test.index("airflow dags test")


def test_the_page_quotes_what_airflow_prints_until_a_retry() -> None:
    """The pause and the number of retries are those of the DAG."""
    from airflow import sdk

    quoted = "No tasks to run. unrunnable tasks: "
    assert quoted in inspect.getsource(sdk.DAG.test)
    assert f"`{quoted}...`" in step(5)
    assert '{"retries": 3, "retry_delay": timedelta(minutes=5)}' in DAG[0][1]
    assert "five minutes for the next of its three retries" in step(5)


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_every_command_runs_under_airflow(tmp_path: Path) -> None:
    """In its order, in one shell, but for the fake, which has a terminal of its own on the page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    setup, fake, *others = (command.replace("8765", port) for command in COMMANDS)
    [(name, _)] = DAG
    setup += f"cp '{ROOT / name}' dags/\n"
    setup += "".join(f"cat > {file} <<'EOF'\n{content}EOF\n" for file, content in FILES.items())
    environment = {key: value for key, value in os.environ.items() if "AIRFLOW" not in key and "LABELBOX" not in key}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with in_another_terminal(fake, environment) as described:
        assert [line for line in plain(SERVES.replace("8765", port)) if line not in described] == []
        done = subprocess.run(
            ["bash", "-e", "-c", "\n".join((setup, *others))],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=850,
            check=False,
        )
    output = plain(done.stdout)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert "Connection success!" in done.stdout
    for line in (*LANDED.splitlines(), WINDOWS.rstrip()):
        assert len(pattern(line).findall(done.stdout + done.stderr)) == 1
    for expected in map(plain, (FOLDER, DUCKDB, PANDAS)):
        assert [line for line in expected if line not in output] == []


@contextmanager
def in_another_terminal(command: str, environment: dict[str, str]) -> Iterator[list[str]]:
    """The fake's command while it runs; gives the lines with which it began."""
    bash = shutil.which("bash")
    assert bash
    process = subprocess.Popen([bash, "-c", f"exec {command}"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        described: list[str] = []
        deadline = time.monotonic() + 60
        while not (described and described[-1].startswith("export ")) and time.monotonic() < deadline:
            described.append(process.stdout.readline().rstrip("\n"))
        yield described
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
