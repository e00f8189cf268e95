"""The outcome of a long campaign, written as JSON: which generated cases were run, and which of them failed."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any


def write_campaign(file: Path, outcomes: Iterable[tuple[str, str]], seconds: float) -> None:
    """Write how many cases of each module passed and failed, the range of their seeds, and every failed case.

    `outcomes` are node ids, each with `passed` or `failed`.
    """
    counts: dict[str, Counter[str]] = {}
    seeds: dict[str, list[int]] = {}
    failed: list[str] = []
    for node, outcome in outcomes:
        module, _, case = node.partition("::")
        counts.setdefault(module, Counter())[outcome] += 1
        seed = case.rpartition("[")[2].rstrip("]")
        if seed.isdecimal() and ("property" in module or "interleavings" in module):
            seeds.setdefault(module, []).append(int(seed))
        if outcome == "failed":
            failed.append(node)
    campaigns: dict[str, Any] = {
        module: {
            "passed": count["passed"],
            "failed": count["failed"],
            **({"seeds": [min(seeds[module]), max(seeds[module])]} if module in seeds else {}),
        }
        for module, count in sorted(counts.items())
    }
    report = {
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "python": platform.python_version(),
        "airflow": version("apache-airflow-core"),
        "seconds": round(seconds),
        "campaigns": campaigns,
        "failed": sorted(failed),
    }
    file.write_text(json.dumps(report, indent=1) + "\n")
