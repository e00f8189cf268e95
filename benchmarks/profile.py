"""Profiles a case: its CPU by library and by function, with Linux's profiler around one run."""

from __future__ import annotations

import shutil
import subprocess

from benchmarks.cases import Case
from benchmarks.measure import RunFailedError
from benchmarks.servers.processes import ServerMissingError
from benchmarks.stage import Stage

INSTALL = "apt-get update && apt-get install --no-install-recommends linux-perf"
_MIN_PERCENT = "1"


def profile(case: Case, ready: Stage) -> str:
    """Run a case once under `perf` and give its tables; samples are of CPU, not of waits."""
    if shutil.which("perf") is None:
        raise ServerMissingError(f"perf not found. As root: {INSTALL}")
    samples = str(ready.work / "perf.data")
    recorded = _run(["perf", "record", "-q", "-F", "499", "-o", samples, "--", *case.command(ready)], case, ready)
    tables = [f"## {case.name}: {case.settings}"]
    for sort in ("dso", "dso,symbol"):
        report = ["perf", "report", "-i", samples, "--stdio", "-q", "--no-children", "--sort", sort]
        lines = _run([*report, "--percent-limit", _MIN_PERCENT], case, ready).splitlines()
        tables += ["", *(line.rstrip(" -") for line in lines if line.strip() and not line.startswith("#"))]
    return "\n".join(tables) + recorded


def _run(command: list[str], case: Case, ready: Stage) -> str:
    env = ready.environment(ready.work / "notes.json")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise RunFailedError(f"{case.name} under perf ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
