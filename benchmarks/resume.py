"""What a second try moves after the first was killed: `python -m benchmarks.resume --help`.

A landing is killed (SIGKILL) as soon as Labelbox's file host has sent 90 % of the export, and is run again. Counted is
what the file host sends to the second try, as a share of what it sends to a whole landing, which reads a little more
than the export. Programs that keep nothing of a try that was killed begin again: their second try is a whole run.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import measure
from benchmarks.cases import Case, cases, landing
from benchmarks.measure import GIB, Run
from benchmarks.options import add_server_options, byte_count, reach_loopback_directly, report_of, write
from benchmarks.servers.processes import ServerMissingError
from benchmarks.stage import Stage, stage
from benchmarks.verify import verify

OBJECTS = 8
KILLED_AT = 0.9
GATE = {"read_again": 0.25}
"""What the second try may read, as a share of what a whole landing reads."""
RIVALS = ("upload", "rclone", "obstore")
_LOOK_EVERY = 0.01


class NotKilledError(Exception):
    """A landing ended before it was killed."""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print a table, write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=byte_count, default=GIB, help="size of the export; 1GiB")
    parser.add_argument("--files", type=int, default=64, help="files that it is cut into; 64")
    parser.add_argument("--rounds", type=int, default=5, help="5")
    parser.add_argument("--compression", choices=("none", "gzip", "zstd"), default="none")
    parser.add_argument("--rivals", default=",".join(RIVALS), help="cases of `make bench`, with commas between")
    parser.add_argument("--output", type=Path)
    add_server_options(parser)
    given = parser.parse_args(argv)
    reach_loopback_directly()
    with stage(given.work, files=given.files, file_bytes=given.size // given.files, store=given.store) as ready:
        bench = _Bench(given, ready)
        rounds = list(bench.rounds(given.rounds))
    report = report_of(
        given,
        *("size", "files", "rounds", "latency", "compression"),
        objects=OBJECTS,
        killed_at=KILLED_AT,
        gate=GATE,
        left_out=bench.left_out,
        rounds=rounds,
    )
    _print(report)
    write(report, given.output)
    return report


def missed(report: Mapping[str, Any]) -> list[str]:
    """Return the gates that a report does not hold."""
    shares = [each["second try"]["read"] for each in report["rounds"]]
    return [f"a second try read {share} of a landing" for share in shares if share > report["gate"]["read_again"]]


class _Bench:
    """Runs whole landings, killed ones and those after them, and the rivals."""

    def __init__(self, given: argparse.Namespace, ready: Stage) -> None:
        self.left_out: dict[str, str] = {}
        self._ready = ready
        self._size = ready.dataset.size_of(given.files)
        self._case = landing(
            "land",
            given.files,
            given.latency,
            compression=given.compression,
            object_bytes=-(-self._size // OBJECTS),
        )
        wanted = given.rivals.split(",")
        self._rivals = [case for case in cases(given.files, given.latency) if case.name in wanted]
        self._small = {case.name: case for case in cases(1, given.latency)}

    def rounds(self, number: int) -> Iterator[dict[str, Any]]:
        """Run everything so often."""
        self._warm_up()
        for each in range(number):
            whole, bytes_read = self._landing()
            measured = {"whole landing": {**whole, "read": 1.0}, **self._killed_and_again(bytes_read)}
            for case in self._rivals:
                self._ready.empty()
                measured[case.name] = _figures(self._run(case))
            print(f"round {each + 1}: {measured}", file=sys.stderr, flush=True)
            yield measured

    def _warm_up(self) -> None:
        """Run every program with one file, so that modules are compiled, and leave out what cannot run here."""
        self._run(self._small["land"])
        for case in list(self._rivals):
            try:
                self._run(self._small[case.name])
            except (ServerMissingError, measure.RunFailedError) as error:
                self.left_out[case.name] = str(error)
                self._rivals.remove(case)

    def _landing(self) -> tuple[dict[str, float], int]:
        """Run a landing in an empty store; return its figures, and the bytes that it has read."""
        self._ready.empty()
        self._ready.bytes_read()
        run = self._run(self._case)
        return _figures(run), self._ready.bytes_read()

    def _killed_and_again(self, whole: int) -> dict[str, Any]:
        self._ready.empty()
        self._ready.bytes_read()
        killed_at = self._kill()
        # What was sent to the process that is gone does not count for the next one.
        self._ready.bytes_read()
        run = self._run(self._case)
        read = self._ready.bytes_read()
        verify(self._case, run, self._ready)
        return {"killed at": killed_at, "second try": {**_figures(run), "read": round(read / whole, 3)}}

    def _kill(self) -> float:
        """Start a landing, kill it, and return the share of the export that the file host had sent by then."""
        notes = self._ready.work / "notes.json"
        environment = self._ready.environment(notes)
        share = 0.0
        with subprocess.Popen(
            self._case.command(self._ready), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as process:
            try:
                while share < KILLED_AT:
                    if process.poll() is not None:
                        raise NotKilledError(f"the landing ended with {process.returncode} before it was killed")
                    time.sleep(_LOOK_EVERY)
                    share += self._ready.bytes_read() / self._size
            finally:
                process.kill()
        if process.returncode != -signal.SIGKILL:
            raise NotKilledError(f"the landing ended with {process.returncode} before it was killed")
        return round(share, 4)

    def _run(self, case: Case) -> Run:
        notes = self._ready.work / "notes.json"
        return measure.run(case.command(self._ready), self._ready.environment(notes), notes)


def _figures(run: Run) -> dict[str, float]:
    return {"wall": round(run.wall, 3), "cpu": round(run.cpu, 3)}


def _print(report: Mapping[str, Any]) -> None:
    rounds = report["rounds"]
    killed = [each["killed at"] for each in rounds]
    print(f"killed at {min(killed):.3f} to {max(killed):.3f} of the export; gate: {GATE['read_again']} read again\n")
    print("| run | bytes read, of a whole landing's, at most | wall s, median (least to most) | of a whole landing |")
    print("|---|---|---|---|")
    whole = median(each["whole landing"]["wall"] for each in rounds)
    for name in rounds[0]:
        if name == "killed at":
            continue
        walls = [each[name]["wall"] for each in rounds]
        read = "1" if "read" not in rounds[0][name] else f"{max(each[name]['read'] for each in rounds):.3f}"
        middle = median(walls)
        print(f"| {name} | {read} | {middle:.2f} ({min(walls):.2f} to {max(walls):.2f}) | {middle / whole:.2f} |")


if __name__ == "__main__":
    raise SystemExit(1 if missed(main()) else 0)
