"""The ground of the end-to-end tests: a real cluster that works and that goes away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from demo.airflow_api import until
from demo.processes import RECORDS, HomeInUseError, Processes, alive

pytestmark = pytest.mark.thorough

OWNER = """
import sys, time
from pathlib import Path
from demo.processes import Processes
with Processes(Path(sys.argv[1]), grace=1) as processes:
    for name, first in (("obeys", "true"), ("does not", "trap '' TERM")):
        command = ["sh", "-c", f"{first}; set -m; sleep 300 & sleep 300"]
        processes.start(name, command, environment={"PATH": "/bin:/usr/bin"})
    print("ready", flush=True)
    time.sleep(300)
"""
"""Owns two children, of which one does not end when asked; each has children in process groups of their own."""


def _alive(home: Path) -> list[psutil.Process]:
    return [process for record in home.glob(RECORDS) for process in alive(record)]


def _own(home: Path) -> subprocess.Popen[bytes]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(home)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    until("two children with two of their own each", lambda: len(_alive(home)) == 6, timeout=10, every=0.05)
    return owner


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_children_end_with_their_owner_however_it_ends(number: signal.Signals, tmp_path: Path) -> None:
    owner = _own(tmp_path)
    owner.send_signal(number)
    owner.wait(timeout=20)
    until("all to be gone", lambda: not _alive(tmp_path), timeout=15)


def test_what_an_owner_and_its_watchdog_left_behind_is_ended_by_the_next_start(tmp_path: Path) -> None:
    owner = _own(tmp_path)
    for watchdog in psutil.Process(owner.pid).children():
        if "demo.processes" in watchdog.cmdline():
            watchdog.kill()
    owner.kill()
    owner.wait()
    left = _alive(tmp_path)
    assert len(left) == 6
    with Processes(tmp_path, grace=1):
        assert [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []


def test_a_home_has_one_owner_at_a_time_and_the_second_is_told_who_the_first_is(tmp_path: Path) -> None:
    with Processes(tmp_path), pytest.raises(HomeInUseError, match=rf"in use by process {os.getpid()}\b"):
        Processes(tmp_path, wait=0.3).__enter__()
