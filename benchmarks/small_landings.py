"""What a small landing takes, one file of 1 MiB: `python -m benchmarks.small_landings --help`.

Twenty landings in one process, each below another prefix; the start of the process does not count, and what the first
landing imports and connects is a figure of its own. With `--against CHECKOUT` the package of another checkout lands the
same in turn with this one's, and each figure is compared pair by pair:

    git worktree add ../before v1.2.0
    python -m benchmarks.small_landings --against ../before
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import measure
from benchmarks.cases import Case, landing
from benchmarks.measure import MIB, Run
from benchmarks.options import add_server_options, byte_count, reach_loopback_directly, report_of, write
from benchmarks.stage import ROOT, Stage, stage
from benchmarks.verify import verify

GATE = {"ratio": 1.03}
"""What a landing may take, in shares of the other checkout's: median of the pairs."""
COMPARED = ("wall", "cpu")
OURS, OTHER = "this checkout", "the other one"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print a table, write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=byte_count, default=MIB, help="size of the export; 1MiB")
    parser.add_argument("--landings", type=int, default=20, help="landings of one process after its first; 20")
    parser.add_argument("--rounds", type=int, default=10, help="processes of each checkout; 10")
    parser.add_argument("--against", type=Path, help="another checkout of this package")
    parser.add_argument("--compression", choices=("none", "gzip", "zstd"), default="gzip")
    parser.add_argument("--output", type=Path)
    add_server_options(parser)
    given = parser.parse_args(argv)
    reach_loopback_directly()
    packages = {OURS: ROOT} if given.against is None else {OURS: ROOT, OTHER: given.against.resolve()}
    with stage(given.work, files=1, file_bytes=given.size, store=given.store) as ready:
        case = landing("land-small", 1, given.latency, compression=given.compression, program="land_many")
        figures = _rounds(packages, case, given, ready)
    ratios = {} if len(packages) == 1 else {name: _ratio(figures, name) for name in figures[OURS][0] if name != "calls"}
    report = report_of(
        given, *("size", "landings", "rounds", "latency", "compression"), gate=GATE, cases=figures, ratios=ratios
    )
    _print(report)
    write(report, given.output)
    return report


def missed(report: Mapping[str, Any]) -> list[str]:
    """Return the gates that a report does not hold; one without another checkout has none."""
    gate, ratios = report["gate"]["ratio"], report["ratios"]
    return [f"{name}: {ratios[name]} of the other checkout's" for name in COMPARED if ratios.get(name, 0) > gate]


def _rounds(
    packages: Mapping[str, Path], case: Case, given: argparse.Namespace, ready: Stage
) -> dict[str, list[dict[str, Any]]]:
    """Run each checkout once per round, in an order that changes each time; the runs before the first do not count."""
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in packages}
    for number in range(1 + given.rounds):
        for name in sorted(packages, reverse=number % 2 == 1):
            measured = _run(packages[name], case, given.landings, ready)
            if number:
                figures[name].append(measured)
                print(f"round {number}: {name}: {measured}", file=sys.stderr, flush=True)
    return figures


def _run(package: Path, case: Case, landings: int, ready: Stage) -> dict[str, Any]:
    ready.empty()
    ready.requests_answered()
    notes = ready.work / "notes.json"
    command = [*case.command(ready), "--landings", str(landings), "--package", str(package)]
    run = measure.run(command, ready.environment(notes), notes)
    if Path(run.notes["package"]).parent.parent != package:
        raise RuntimeError(f"the package of {run.notes['package']} was measured instead of that in {package}")
    verify(case, run, ready)
    return _figures(run, landings, ready.requests_answered())


def _figures(run: Run, landings: int, answered: Mapping[str, int]) -> dict[str, Any]:
    """Return milliseconds of one landing, and the calls that it makes."""
    notes = run.notes
    return {
        "wall": round(1000 * notes["work_wall"] / landings, 2),
        "cpu": round(1000 * notes["work_cpu"] / landings, 2),
        "first_wall": round(1000 * notes["first_wall"], 1),
        "first_cpu": round(1000 * notes["first_cpu"], 1),
        "calls": {
            **{name: round(number / (1 + landings), 2) for name, number in answered.items()},
            "store": notes["store_calls"],
        },
    }


def _ratio(figures: Mapping[str, Sequence[Mapping[str, Any]]], name: str) -> float:
    pairs = zip(figures[OURS], figures[OTHER], strict=True)
    return round(float(median(ours[name] / other[name] for ours, other in pairs)), 3)


def _print(report: Mapping[str, Any]) -> None:
    settings = report["settings"]
    print(f"{settings['landings']} landings of {settings['size'] / MIB:g} MiB, {settings['rounds']} rounds; medians\n")
    print(
        "| package | wall of one, ms | CPU of one, ms | wall of the first, ms | CPU of the first, ms | calls of one |"
    )
    print("|---|---|---|---|---|---|")
    names = ("wall", "cpu", "first_wall", "first_cpu")
    for case, runs in report["cases"].items():
        medians = " | ".join(f"{median(run[name] for run in runs):.1f}" for name in names)
        calls = runs[-1]["calls"]
        counted = f"{calls['labelbox']:g} Labelbox, {calls['files']:g} files, {sum(calls['store'].values()):g} store"
        print(f"| {case} | {medians} | {counted} |")
    if report["ratios"]:
        ratios = " | ".join(f"{report['ratios'][name]:.3f}" for name in names)
        print(f"| ratio, pair by pair | {ratios} | |")


if __name__ == "__main__":
    raise SystemExit(1 if missed(main()) else 0)
