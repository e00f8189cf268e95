"""The report of a benchmark: tables for people, JSON for later. It holds no paths and no names of a machine."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import Case
from benchmarks.measure import GIB, MIB, Run
from benchmarks.measures import Measure, measures
from benchmarks.stage import ROOT

_PACKAGES = ("boto3", "botocore", "labelbox", "google-cloud-storage", "urllib3", "isal", "zstandard", "httpx")


@dataclass
class Report:
    """Everything that one benchmark measured."""

    date: str
    settings: Mapping[str, Any]
    source_bytes: Mapping[str, int]
    runs: dict[str, list[Run]] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    case_settings: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: bool = False
    """Whether a program failed, or left something else than the export."""

    def note_command(self, case: Case, command: Sequence[str], work: Path) -> None:
        """Keep a command and its settings for the report; `work` is the folder that is called .bench there."""
        self.commands[case.name] = shown(command, work)
        self.case_settings[case.name] = case.settings

    def measures(self) -> list[Measure]:
        """Return the promised numbers that could be measured."""
        return list(measures(self.runs, self.source_bytes))

    def to_json(self) -> dict[str, Any]:
        """Return the plain form."""
        return {
            "v": 1,
            "date": self.date,
            "machine": machine(),
            "settings": dict(self.settings),
            "measures": [{**asdict(each), "result": each.result} for each in self.measures()],
            "cases": {
                name: {
                    "command": self.commands[name],
                    "settings": self.case_settings[name],
                    "source_bytes": self.source_bytes[name],
                    "verified": self.checks.get(name),
                    "runs": [_plain(run) for run in runs],
                }
                for name, runs in self.runs.items()
            },
            "left_out": self.left_out,
        }

    def markdown(self) -> str:
        """Return the tables."""
        return "\n".join([*self._measures_table(), "", *self._cases_table(), "", *self._commands(), *self._left_out()])

    def _measures_table(self) -> Iterator[str]:
        yield "| measure | measured | rounds, least to most | gate | target | holds |"
        yield "|---|---|---|---|---|---|"
        for each in self.measures():
            unit = f" {each.unit}" if each.unit else ""
            span = f"{min(each.values):.3g} to {max(each.values):.3g}" if each.values else ""
            gate, target = ("" if bound is None else f"≤ {bound:.3g}" for bound in (each.gate, each.target))
            name = each.name.replace("|", "\\|")
            yield f"| {name} | {each.value:.3g}{unit} | {span} | {gate} | {target} | {each.result} |"

    def _cases_table(self) -> Iterator[str]:
        yield (
            "| case | n | wall s, median (least to most) | MiB/s | CPU-s/GiB | CPU-s to start | store's CPU-s/GiB "
            "| peak RSS MiB | of it the transfer's |"
        )
        yield "|---|---|---|---|---|---|---|---|---|"
        for name, runs in self.runs.items():
            walls = [run.wall for run in runs]
            size = self.source_bytes[name]
            own = start = ""
            if "rss_peak" in runs[0].notes:
                start = f"{median(run.cpu - run.notes['work_cpu'] for run in runs):.2f}"
                own = f"{max(run.notes['rss_peak'] - run.notes['rss_before'] for run in runs) / MIB:.0f}"
            yield (
                f"| {name} | {len(runs)} | {median(walls):.2f} ({min(walls):.2f} to {max(walls):.2f}) "
                f"| {size / MIB / median(walls):.0f} | {median(run.cpu for run in runs) / size * GIB:.2f} "
                f"| {start} | {median(run.server_cpu for run in runs) / size * GIB:.2f} "
                f"| {max(run.peak_rss for run in runs) / MIB:.0f} | {own} |"
            )

    def _commands(self) -> Iterator[str]:
        for name, command in self.commands.items():
            if name.startswith("memory-") and "-x1" not in name:
                continue
            yield f"- `{name}`: {self.case_settings[name]}. Verified: {self.checks.get(name, 'no')}."
            yield f"  `{command}`"

    def _left_out(self) -> Iterator[str]:
        if self.left_out:
            yield ""
            yield "**Left out**"
            for name, reason in self.left_out.items():
                yield f"- {name}: {reason}"


def machine() -> dict[str, Any]:
    """Return the kind of machine, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory / GIB),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def shown(command: Sequence[str], work: Path) -> str:
    """Write a command without the paths and ports of this machine."""
    plain = " ".join(command).replace(str(work), ".bench").replace(sys.executable, "python").replace(f"{ROOT}/", "")
    plain = re.sub(r"^/\S*/", "", plain)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", plain)


def _plain(run: Run) -> dict[str, Any]:
    plain = asdict(run)
    plain["notes"] = {name: value for name, value in run.notes.items() if name != "objects"}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in plain.items()}
