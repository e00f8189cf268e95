"""What is recorded in benchmarks/results holds the gates that it was measured with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import fan_out, many_sources, resume, small_landings
from benchmarks.stage import ROOT

MISSED: dict[str, Callable[[Any], list[str]]] = {
    "fan-out": fan_out.missed,
    "many-sources": many_sources.missed,
    "resume": resume.missed,
    "small-landings": small_landings.missed,
}
RECORDED = [(name, path) for name in MISSED for path in (ROOT / "benchmarks" / "results").glob(f"{name}-*.json")]


@pytest.mark.parametrize(("name", "path"), RECORDED, ids=[path.stem for _, path in RECORDED])
def test_a_recorded_result_holds_its_gates(name: str, path: Path) -> None:
    assert MISSED[name](json.loads(path.read_text())) == []


def test_a_gate_that_is_missed_is_named() -> None:
    """One byte more of memory, a share more that is read again, one percent more than the other checkout."""
    fanned: dict[str, Any] = {"gate": fan_out.GATE, "cases": {"2 workers": [{"peak_memory_mib": 128.0}]}}
    assert fan_out.missed(fanned) == []
    fanned["cases"]["2 workers"].append({"peak_memory_mib": 128.1})
    assert fan_out.missed(fanned) == ["2 workers: 128.1 MiB"]
    resumed: dict[str, Any] = {"gate": resume.GATE, "rounds": [{"second try": {"read": 0.25}}]}
    assert resume.missed(resumed) == []
    resumed["rounds"].append({"second try": {"read": 0.251}})
    assert resume.missed(resumed) == ["a second try read 0.251 of a landing"]
    small: dict[str, Any] = {"gate": small_landings.GATE, "ratios": {"wall": 1.03, "cpu": 1.0, "first_wall": 2.0}}
    assert small_landings.missed(small) == []
    small["ratios"]["cpu"] = 1.031
    assert small_landings.missed(small) == ["cpu: 1.031 of the other checkout's"]
    assert small_landings.missed({"gate": small_landings.GATE, "ratios": {}}) == []
