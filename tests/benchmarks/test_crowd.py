"""The benchmark of a thousand first polls runs, at toy size; its recorded result holds the gate."""

from __future__ import annotations

import json

import pytest

from benchmarks.crowd import CASES, GATE_SECONDS, main
from benchmarks.stage import ROOT


@pytest.mark.thorough
def test_every_case_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    report = main(["--waits", "30", "--rounds", "1", "--latency", "1"])
    assert set(report["cases"]) == set(CASES)
    for [measured] in report["cases"].values():
        assert 0 <= measured["longest_block"] < measured["seconds"]
    assert "longest block of the loop" in capsys.readouterr().out


def test_a_thousand_first_polls_hold_the_gate() -> None:
    """The recorded measurement: no block of the loop is longer than the gate in any round."""
    [recorded] = sorted((ROOT / "benchmarks" / "results").glob("crowd-*.json"))
    report = json.loads(recorded.read_text())
    assert report["settings"]["waits"] == 1000
    assert report["cases"].keys() == CASES.keys()
    for rounds in report["cases"].values():
        assert max(each["longest_block"] for each in rounds) < GATE_SECONDS
