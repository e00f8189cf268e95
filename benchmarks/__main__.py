"""Measure: `make bench`, or `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from fnmatch import fnmatch
from pathlib import Path

from benchmarks import measure
from benchmarks.cases import Case, cases
from benchmarks.options import add_server_options, byte_count, reach_loopback_directly
from benchmarks.profile import profile
from benchmarks.report import Report
from benchmarks.servers.processes import ServerMissingError
from benchmarks.stage import ROOT, Stage, stage
from benchmarks.verify import WrongResultError, verify


def main(argv: Sequence[str] | None = None) -> Report:
    """Run the cases that were asked for, print the report, write its JSON."""
    given = _parsed(argv)
    reach_loopback_directly()
    wanted = [case for case in cases(given.files, given.latency) if _is_wanted(case, given)]
    if given.list:
        print("\n".join(f"{case.name:32} {case.settings}" for case in wanted))
        raise SystemExit(0)
    stores = {"store": given.store, "gcs_store": given.gcs_store}
    with stage(given.work, files=given.files, file_bytes=given.size // given.files, **stores) as ready:
        report = Report(
            date=f"{datetime.now(timezone.utc):%Y-%m-%d}",
            settings={
                **{
                    name: getattr(given, name)
                    for name in ("size", "files", "rounds", "memory_rounds", "latency", "gcs_store")
                },
                "source_bytes": ready.dataset.size,
            },
            source_bytes={case.name: ready.dataset.size_of(case.files) for case in wanted},
        )
        for group in _groups(wanted):
            measured = [case for case in group if _can_run(case, ready, report)]
            measured = _warmed_up(measured, given.latency, ready, report)
            if given.profile:
                _profile(measured, ready)
            else:
                _rounds(measured, given.memory_rounds if group[0].is_memory else given.rounds, ready, report)
        report.settings = {**report.settings, "store": ready.store_version}
    if given.profile:
        return report
    print(report.markdown())
    if given.output != Path("-"):
        target = given.output or ROOT / "benchmarks" / "results" / f"{report.date}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(report.to_json(), indent=1) + "\n")
    return report


def _groups(wanted: Sequence[Case]) -> Iterator[Sequence[Case]]:
    """Return the cases that share their rounds.

    Google Cloud Storage comes first, when no other store runs yet: Ceph's monitor keeps the disk busy even when idle.
    Memory comes last, in rounds of its own.
    """
    in_gcs = [case for case in wanted if case.store == "gcs"]
    of_memory = [case for case in wanted if case.is_memory]
    others = [case for case in wanted if case not in in_gcs and case not in of_memory]
    return filter(None, (in_gcs, others, of_memory))


def _profile(wanted: Sequence[Case], ready: Stage) -> None:
    """Profile each case once instead of measuring it."""
    for case in wanted:
        ready.empty()
        print(profile(case, ready), flush=True)


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", type=byte_count, help="size of the export, such as 1GiB (the default) or 64MiB")
    parser.add_argument("--files", type=int, help="files that it is cut into; 64")
    parser.add_argument("--rounds", type=int, help="runs of each case; 5")
    parser.add_argument("--memory-rounds", type=int, default=1, help="runs of each case that is about memory; 1")
    add_server_options(parser)
    parser.add_argument("--cases", default="*", help="names or patterns with commas between, as --list shows them")
    parser.add_argument(
        "--gcs-store",
        choices=("own", "emulator"),
        default="own",
        help="GCS server; the emulator is quadratic in chunks",
    )
    parser.add_argument("--quick", action="store_true", help="256 MiB in 16 files, one round, no long export")
    parser.add_argument("--profile", action="store_true", help="instead of measuring, show where each case's CPU goes")
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    parser.add_argument(
        "--output", type=Path, help="where the JSON goes, '-' for nowhere; benchmarks/results/<date>.json"
    )
    given = parser.parse_args(argv)
    given.size = given.size or (256 * 1024**2 if given.quick else 1024**3)
    given.files = given.files or (16 if given.quick else 64)
    given.rounds = given.rounds or (1 if given.quick else 5)
    given.work = given.work.resolve()
    return given


def _is_wanted(case: Case, given: argparse.Namespace) -> bool:
    if given.quick and "-x10" in case.name:
        return False
    return any(fnmatch(case.name, pattern) for pattern in given.cases.split(","))


def _can_run(case: Case, ready: Stage, report: Report) -> bool:
    """Start what a case needs; what cannot be started is reported, and its rows are left out."""
    try:
        report.note_command(case, case.command(ready), ready.work)
    except ServerMissingError as error:
        report.left_out[case.name] = str(error)
        print(f"left out: {case.name}: {error}", file=sys.stderr, flush=True)
        return False
    return True


def _rounds(wanted: Sequence[Case], rounds: int, ready: Stage, report: Report) -> None:
    """Run every case once per round, each round beginning with another one."""
    for number in range(rounds):
        turn = number * len(wanted) // rounds
        for case in (*wanted[turn:], *wanted[:turn]):
            if case.name not in report.left_out:
                _once(case, number, ready, report)


def _warmed_up(wanted: Sequence[Case], latency: int, ready: Stage, report: Report) -> list[Case]:
    """Run every case once with one file, unmeasured, and return those that can run.

    So Python's modules are compiled, the gateway has made its pools, and what fails is known early.
    """
    small = {case.name: case for case in cases(1, latency)}
    good: list[Case] = []
    for case in wanted:
        notes = ready.work / "notes.json"
        ready.empty()
        try:
            measure.run(small[case.name].command(ready), ready.environment(notes), notes)
        except measure.RunFailedError as error:
            _leave_out(case, error, report)
        else:
            good.append(case)
    return good


def _leave_out(case: Case, error: Exception, report: Report) -> None:
    report.failed = True
    report.runs.pop(case.name, None)
    report.left_out[case.name] = str(error)
    print(f"left out: {case.name}: {error}", file=sys.stderr, flush=True)


def _once(case: Case, number: int, ready: Stage, report: Report) -> None:
    notes = ready.work / "notes.json"
    ready.empty()
    if case.kind == "discard":
        ready.discarded()
    try:
        stored = ready.store_pids if case.store == "s3" else ()
        run = measure.run(case.command(ready), ready.environment(notes), notes, stored)
        if case.name not in report.checks:
            report.checks[case.name] = verify(case, run, ready)
    except (measure.RunFailedError, WrongResultError) as error:
        _leave_out(case, error, report)
        return
    report.runs.setdefault(case.name, []).append(run)
    print(f"round {number + 1}: {case.name}: {run.wall:.2f} s, {run.cpu:.2f} CPU-s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    # An end by SIGTERM ends the servers, too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    raise SystemExit(1 if main().failed else 0)
