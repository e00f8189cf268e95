"""One run of one program, measured from outside: wall time, CPU of the whole process tree, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MIB = 1024**2
GIB = 1024**3


class RunFailedError(Exception):
    """A program that is measured ended with an error."""


@dataclass(frozen=True)
class Run:
    """Seconds and bytes of one run.

    `cpu` is user and system time of the program and everything it started. `peak_rss` is that of its largest process.
    `server_cpu` is what the store used meanwhile. `notes` are what the program records about itself.
    """

    wall: float
    cpu: float
    peak_rss: int
    server_cpu: float
    notes: Mapping[str, Any] = field(default_factory=dict)


def run(command: Sequence[str], env: Mapping[str, str], notes: Path, servers: Iterable[int] = ()) -> Run:
    """Run a program to its end. `notes` is where it may leave a JSON object."""
    notes.unlink(missing_ok=True)
    pids = list(servers)
    launch = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py")), *command]
    before = sum(map(cpu_of, pids))
    done = subprocess.run(launch, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, check=False)
    server_cpu = sum(map(cpu_of, pids)) - before
    if done.returncode:
        reported = done.stderr.strip() or "nothing"
        # The terminal shows all of it; the report takes the last line.
        print(reported, file=sys.stderr)
        raise RunFailedError(f"it ended with {done.returncode}, saying last: {reported.splitlines()[-1]}")
    used = json.loads(done.stdout)
    noted = json.loads(notes.read_text()) if notes.exists() else {}
    return Run(used["wall"], used["cpu"], used["peak_rss"], server_cpu, noted)


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a running process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
