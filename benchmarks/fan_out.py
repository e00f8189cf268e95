"""What one landing by several worker processes takes: `python -m benchmarks.fan_out --help`.

An export is landed by the single transfer; then it is planned, staged by one worker process, and published; then the
same with two worker processes at the same time. Every step is a process of its own, as a task of Airflow is, and its
start counts. All of it runs on this machine, with the store and Labelbox's file host: where the single transfer keeps
all cores busy, more workers cannot be faster.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import measure
from benchmarks.cases import Case, landing
from benchmarks.measure import MIB, Run
from benchmarks.measures import peak_above_start
from benchmarks.options import add_server_options, byte_count, reach_loopback_directly, report_of, write
from benchmarks.stage import BUCKET, Stage, stage
from benchmarks.verify import WrongResultError, verify
from labelbox_export_provider.streaming.pipeline.memory_plan import DEFAULT_MAX_MEMORY

OBJECTS = 8
WORKERS = (1, 2)
"""How many worker processes stage at the same time."""
GATE = {"peak_memory_mib": DEFAULT_MAX_MEMORY / MIB}
"""The memory that a worker may add to its process. That all objects are equal is a condition of every figure."""
SINGLE = "single transfer"
_DATA_FILES = 64
"""Files on disk at most; a larger export has them again and again."""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print a table, write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=byte_count, default=byte_count("4GiB"), help="size of the export; 4GiB")
    parser.add_argument("--files", type=int, default=256, help="files that it is cut into; 256")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each case; 3")
    parser.add_argument("--compression", choices=("none", "gzip", "zstd"), default="gzip")
    parser.add_argument("--output", type=Path)
    add_server_options(parser)
    given = parser.parse_args(argv)
    reach_loopback_directly()
    kept = min(given.files, _DATA_FILES)
    with stage(given.work, files=kept, file_bytes=given.size // given.files, store=given.store) as ready:
        figures = _rounds(given, ready)
    single = median(each["wall"] for each in figures[SINGLE])
    report = report_of(
        given,
        *("size", "files", "rounds", "latency", "compression"),
        objects=OBJECTS,
        gate=GATE,
        cases=figures,
        of_single={name: round(median(each["wall"] for each in runs) / single, 3) for name, runs in figures.items()},
    )
    _print(report)
    write(report, given.output)
    return report


def missed(report: Mapping[str, Any]) -> list[str]:
    """Return the gates that a report does not hold."""
    return [
        f"{name}: {run['peak_memory_mib']} MiB"
        for name, runs in report["cases"].items()
        for run in runs
        if run["peak_memory_mib"] > report["gate"]["peak_memory_mib"]
    ]


def _rounds(given: argparse.Namespace, ready: Stage) -> dict[str, list[dict[str, Any]]]:
    """Run every case once per round, each round beginning with another one, and compare what they leave."""
    bench = _Bench(given, ready)
    bench.warm_up()
    names = {SINGLE: 0, **{f"{number} worker{'s' * (number > 1)}": number for number in WORKERS}}
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(given.rounds):
        turn = number % len(names)
        order = [*names.items()]
        for name, workers in (*order[turn:], *order[:turn]):
            measured = bench.single() if name == SINGLE else bench.by_workers(workers)
            figures[name].append(measured)
            print(f"round {number + 1}: {name}: {measured['wall']:.2f} s", file=sys.stderr, flush=True)
    return figures


class _Bench:
    """Runs the cases; the first one decides which objects all others must leave."""

    def __init__(self, given: argparse.Namespace, ready: Stage) -> None:
        self._ready = ready
        self._files = given.files
        options: dict[str, Any] = {
            "compression": given.compression,
            "object_bytes": -(-ready.dataset.size_of(given.files) // OBJECTS),
        }
        self._whole = landing(SINGLE, given.files, given.latency, **options)
        self._steps = landing("by steps", given.files, given.latency, **options, program="land_by_steps")
        self._small = landing("warm-up", 1, given.latency, **options)
        self._content: dict[str, str] = {}

    def warm_up(self) -> None:
        """Land one file, so that modules are compiled and the store has made its pools."""
        self._run(self._small, "warm-up")

    def single(self) -> dict[str, Any]:
        """Land it in one process."""
        self._ready.empty()
        run = self._run(self._whole, "single")
        self._compare(run, self._whole)
        return _figures([run], run.wall)

    def by_workers(self, workers: int) -> dict[str, Any]:
        """Plan it, stage it by so many processes at the same time, publish it."""
        self._ready.empty()
        begun = time.perf_counter()
        plan = self._step("plan", shards=max(WORKERS))
        staged_from = time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            numbers = range(workers)
            staged = list(pool.map(lambda worker: self._step("stage", worker=worker, workers_at_once=workers), numbers))
        staged_to = time.perf_counter()
        published = self._step("publish")
        wall = time.perf_counter() - begun
        self._compare(published, self._steps)
        steps = {"plan": plan.wall, "stage": staged_to - staged_from, "publish": published.wall}
        return {
            **_figures([plan, *staged, published], wall),
            "steps": {name: round(seconds, 3) for name, seconds in steps.items()},
        }

    def _step(self, step: str, **options: int) -> Run:
        given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        plan = str(self._ready.work / "plan.json")
        return self._run(self._steps, f"{step}-{options.get('worker', 0)}", "--step", step, "--plan", plan, *given)

    def _run(self, case: Case, name: str, *more: str) -> Run:
        notes = self._ready.work / f"notes-{name}.json"
        return measure.run([*case.command(self._ready), *more], self._ready.environment(notes), notes)

    def _compare(self, run: Run, case: Case) -> None:
        """Fail unless there are the objects of the first run, and their rows are the export's."""
        found = dict(_digests(run, self._ready))
        if not self._content:
            verify(case, run, self._ready)
            self._content = found
        if found != self._content or len(found) != OBJECTS:
            raise WrongResultError(f"{case.name}: other objects than those of the first run: {sorted(found)}")


def _digests(run: Run, ready: Stage) -> Iterator[tuple[str, str]]:
    """Return the SHA-256 of each object that a landing has published, by its key."""
    client = ready.s3_client()
    for uri in run.notes["objects"]:
        key = uri.split("/", 3)[3]
        digest = hashlib.sha256()
        for piece in client.get_object(Bucket=BUCKET, Key=key)["Body"].iter_chunks(MIB):
            digest.update(piece)
        yield key, digest.hexdigest()


def _figures(runs: Sequence[Run], wall: float) -> dict[str, Any]:
    return {
        "wall": round(wall, 3),
        "cpu": round(sum(run.cpu for run in runs), 3),
        "peak_memory_mib": round(max(map(peak_above_start, runs)) / MIB, 1),
    }


def _median_steps(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for step in runs[0].get("steps", ()):
        yield f"{median(run['steps'][step] for run in runs):.1f}"


def _print(report: Mapping[str, Any]) -> None:
    settings = report["settings"]
    print(f"{settings['size'] / MIB:.0f} MiB in {OBJECTS} objects, compression {settings['compression']}\n")
    print(
        "| case | wall s, median (least to most) | of the single transfer | of it plan, stage, publish, s | CPU-s "
        "| peak memory of a process, MiB |"
    )
    print("|---|---|---|---|---|---|")
    for name, runs in report["cases"].items():
        walls, cpu = [run["wall"] for run in runs], median(run["cpu"] for run in runs)
        peak = max(run["peak_memory_mib"] for run in runs)
        print(
            f"| {name} | {median(walls):.2f} ({min(walls):.2f} to {max(walls):.2f}) | {report['of_single'][name]:.2f} "
            f"| {', '.join(_median_steps(runs))} | {cpu:.1f} | {peak:.0f} |"
        )


if __name__ == "__main__":
    raise SystemExit(1 if missed(main()) else 0)
