"""The comparisons of the judge suites: written as an artefact, counted at the end of the run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("JUDGE_ARTEFACTS", ".e2e/judge"))


def write_cases(name: str, cases: Sequence[dict[str, Any]]) -> None:
    """Write one case a line."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(case, ensure_ascii=False, default=str) + "\n" for case in cases)
    (FOLDER / f"{name}.ndjson").write_text(text, encoding="utf-8")


def count_cases(since: float) -> list[str]:
    """Count what was written since an instant, one line a suite."""
    lines = []
    for file in sorted(FOLDER.glob("*.ndjson")):
        if file.stat().st_mtime >= since:
            cases = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            rows = sum(case.get("rows", 0) for case in cases)
            lines.append(f"{file}: {len(cases)} cases{f', {rows} rows' if rows else ''} compared")
    return lines
