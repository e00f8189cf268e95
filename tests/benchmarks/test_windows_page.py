"""What is stated about the page of windows is what was measured, and within its gates."""

from __future__ import annotations

import json

from benchmarks.windows_page import CASES, GATE_COST, GATE_SECONDS, PROGRAMS, ROOT


def test_the_recorded_measurement_is_within_its_gates() -> None:
    [*_, recorded] = sorted((ROOT / "benchmarks" / "results").glob("windows-page-*.json"))
    report = json.loads(recorded.read_text())
    assert set(report["page"]) == set(CASES)
    assert set(report["costs"]) == set(PROGRAMS)
    assert all(page["first_paint"] < GATE_SECONDS for page in report["page"].values())
    assert all(page["first_sources"] < GATE_SECONDS for page in report["page"].values())
    ratios = [each[f"{what}_ratio"] for each in report["costs"].values() for what in ("cpu_seconds", "memory_mib")]
    assert max(ratios) < GATE_COST
    readme = (ROOT / "benchmarks" / "README.md").read_text()
    for page in report["page"].values():
        seconds = (page[name] for name in ("first_paint", "snapshot_answered", "first_sources", "all_sources"))
        assert f"| {' | '.join(f'{each:.2f}' for each in seconds)} | {page['api_calls']:.0f} |" in readme
