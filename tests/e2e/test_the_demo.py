"""`make demo`: ends well, cleans up after itself however it is ended, and notices what is wrong."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from demo.airflow_api import until
from labelbox_export_provider.testing import generate_rows
from labelbox_export_provider.testing.data.rows import RowView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PROJECT = Path(__file__).parent.parent.parent


class Demo:
    """A run of the demo as a process, and all that it has said so far."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo.run", "--home", str(home), *arguments],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)

    @property
    def reported(self) -> str:
        return "".join(self._lines)

    def wait_to_say(self, text: str, timeout: float = 300) -> str:
        """Wait until it says something that this pattern finds, and return what was found."""

        def look() -> re.Match[str] | None:
            found = re.search(text, self.reported)
            assert found or self.process.poll() is None, self.reported
            return found

        return str(until(f"the demo to say {text!r}", look, timeout=timeout, every=0.1)[0])

    def end(self, number: signal.Signals | None = None, timeout: float = 500) -> int:
        """Wait for its end, after a signal if one is given, and return its exit status."""
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=timeout)
        self._reader.join(timeout=10)
        return status


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Start runs of the demo that share one home."""
    runs: list[Demo] = []

    def start(*arguments: str) -> Demo:
        runs.append(Demo(tmp_path / "demo", *arguments))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()


def left_of(home: Path) -> list[str]:
    """Return what still runs in the home, whoever started it."""
    found = []
    for process in psutil.process_iter():
        try:
            mentions = [process.cwd(), *process.cmdline()]
            if process.status() != psutil.STATUS_ZOMBIE and any(str(home) in mention for mention in mentions):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:  # it ended while we looked at it, or is not ours
            continue
    return found


@pytest.mark.parametrize("moment", ["starting a fake Labelbox", "starting Airflow", "start: running"])
def test_killed_demo_leaves_nothing_behind(demo: Callable[..., Demo], moment: str) -> None:
    """Killed at any moment it leaves nothing behind and the next run can start."""
    killed = demo("--generate", "300")
    killed.wait_to_say(moment)
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    following = demo("--generate", "300")
    following.wait_to_say("starting Airflow")
    assert following.end(signal.SIGTERM) == 128 + signal.SIGTERM
    until("nothing to be left", lambda: not left_of(following.home), timeout=20)


def test_generated_rows_land_in_three_windows(demo: Callable[..., Demo]) -> None:
    """Generated rows land in three windows and the web UI stays up until Ctrl-C."""
    run = demo("--generate", "400", "--keep")
    url = run.wait_to_say(r"stays up at (\S+)").removeprefix("stays up at ")
    assert httpx.get(url, trust_env=False).status_code == 200
    page = run.wait_to_say(r"the same windows in Airflow: \S+/plugin/labelbox-windows").split()[-1]
    script = httpx.get(page.replace("/plugin/labelbox-windows", "/labelbox-windows/page.js"), trust_env=False)
    assert script.status_code == 200
    assert re.search(r"aws --endpoint-url http://127\.0\.0\.1:\d+ s3 ls", run.reported)
    assert run.end(signal.SIGINT) == 0
    assert left_of(run.home) == []
    counts = [int(number) for number in re.findall(r"│ +(\d+) │ +\d+ │ +\d+ │ +1 │ ok +│ row for row", run.reported)]
    assert len(counts) == 3
    assert f"{sum(counts)} rows in 3 windows: each exactly once" in run.reported


def test_rows_of_a_file_land_on_their_days(demo: Callable[..., Demo], tmp_path: Path) -> None:
    """The rows of a file land over the days that they belong to."""
    rows = generate_rows(120, days=2, project_id="clprojectofthefile0000000")
    view = RowView(data_row_details=True, project_ids=None)
    file = tmp_path / "export.ndjson"
    file.write_bytes(b"\n".join(row.render(view) for row in rows))
    run = demo("--rows", str(file))
    assert run.end() == 0, run.reported
    assert re.search(r"\b120 rows in \d windows: each exactly once", run.reported), run.reported
    assert left_of(run.home) == []


def test_a_file_that_is_not_there_is_refused_by_its_name(demo: Callable[..., Demo], tmp_path: Path) -> None:
    run = demo("--rows", str(tmp_path / "exprot.ndjson"))
    assert run.end() == 1
    assert re.search(r"FAILED: ROWS=\S+exprot.ndjson: there is no such file", run.reported), run.reported
    assert "usage:" not in run.reported


def test_file_that_is_not_an_export_is_refused(demo: Callable[..., Demo], tmp_path: Path) -> None:
    """A file that is no export is refused before anything is started."""
    file = tmp_path / "export.ndjson"
    file.write_text(json.dumps({"data_row": {"id": "cl1"}}) + "\nnot json\n")
    run = demo("--rows", str(file))
    assert run.end() != 0
    assert "export.ndjson, line 2: not a data row" in run.reported
    assert "starting" not in run.reported
