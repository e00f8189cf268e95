"""The recorded measurement of many sources at a limit holds the goal."""

from __future__ import annotations

import json

from benchmarks.many_sources import GOAL, MAX_PHASES
from benchmarks.stage import ROOT


def test_sixty_sources_hold_the_goal() -> None:
    """All landed in little more than the least possible time, refused once at most, without a retry."""
    [recorded] = sorted((ROOT / "benchmarks" / "results").glob("many-sources-*.json"))
    report = json.loads(recorded.read_text())
    assert report["settings"] == {"sources": 60, "limit": 6, "seconds": 90, "parallelism": 4}
    assert report["of_least"] <= GOAL
    assert report["max_phases"] <= MAX_PHASES
    assert report["refused_starts"] <= 60 - 6
    assert (report["states"], report["tries"]) == ({"success": 60}, 1)
