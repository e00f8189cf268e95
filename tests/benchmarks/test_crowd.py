"""The benchmark of a thousand first polls runs, at toy size; its recorded result holds the gate."""

from __future__ import annotations

import json

import pytest

from benchmarks import waiting
from benchmarks.crowd import CASES, GATE_SECONDS, main, refused
from benchmarks.stage import ROOT


@pytest.mark.thorough
def test_every_case_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    report = main(["--waits", "30", "--rounds", "1", "--latency", "1", "--outage", "3"])
    assert set(report["cases"]) == {*CASES, *refused(3)}
    for name in refused(3):
        assert report["cases"][name][0]["seconds"] > 3
    for [measured] in report["cases"].values():
        assert 0 <= measured["longest_block"] < measured["seconds"]
    assert "longest block of the loop" in capsys.readouterr().out


@pytest.mark.thorough
def test_waits_are_measured_beside_their_rivals(capsys: pytest.CaptureFixture[str]) -> None:
    """Each case runs at toy size, and the poller keeps to its budget."""
    toy = ["--waits", "20", "--rival-waits", "20", "--seconds", "5", "--settle", "5", "--latency", "1"]
    report = waiting.main(toy)
    for case in report["cases"].values():
        assert case.keys() == {"requests_per_minute", "core_percent", "longest_block"}
    assert report["ratios"]["one poller, 20 waits"] == {"requests_per_minute": 1.0, "core_percent": 1.0}
    ours, *rivals = (each["requests_per_minute"] for each in report["cases"].values())
    assert 0 < ours <= waiting.MAX_REQUESTS_PER_MINUTE
    assert len(rivals) == 2
    assert min(rivals) >= 0
    assert "requests/min" in capsys.readouterr().out


def test_a_thousand_first_polls_hold_the_gate() -> None:
    """G9, as recorded: no block of the loop is longer than the gate in any round, nor at the end of two bad minutes."""
    [recorded] = sorted((ROOT / "benchmarks" / "results").glob("crowd-*.json"))
    report = json.loads(recorded.read_text())
    assert report["settings"]["waits"] == 1000
    assert report["cases"].keys() == {*CASES, *refused(120)}
    for rounds in report["cases"].values():
        assert max(each["longest_block"] for each in rounds) < GATE_SECONDS


def test_a_thousand_waits_hold_the_gate() -> None:
    """G9, as recorded: requests and CPU of 1,000 waits are within the gate, and those of 10,000 within theirs."""
    [recorded] = sorted((ROOT / "benchmarks" / "results").glob("waiting-*.json"))
    report = json.loads(recorded.read_text())
    cases = report["cases"]
    for rival in ("httpx client per poll", "aiohttp session per poll"):
        assert report["ratios"][f"{rival}, 1000 waits"]["core_percent"] > 1
    for waits, requests, percent in ((1000, 60, 2.0), (10_000, 150, 3.0)):
        case = cases[f"one poller, {waits} waits"]
        assert case["requests_per_minute"] <= requests
        assert case["core_percent"] <= percent
        assert case["longest_block"] < GATE_SECONDS
