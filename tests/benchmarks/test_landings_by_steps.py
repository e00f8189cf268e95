"""The benchmarks of several workers, of a killed try and of small landings run, at toy size."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import fan_out, resume, small_landings
from benchmarks.stage import ROOT

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


def test_workers_leave_the_objects_of_the_single_transfer(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy = ["--size", "8MiB", "--files", "80", "--rounds", "1", "--latency", "1", "--store", "rclone"]
    report = fan_out.main([*toy, "--work", str(work)])
    assert list(report["cases"]) == [fan_out.SINGLE, "1 worker", "2 workers"]
    assert fan_out.missed(report) == []
    for [measured] in report["cases"].values():
        assert 0 < sum(measured.get("steps", {}).values()) <= measured["wall"] or "steps" not in measured
        assert measured["peak_memory_mib"] > 0
    assert report["of_single"][fan_out.SINGLE] == 1
    assert "| 2 workers |" in capsys.readouterr().out


def test_a_killed_landing_reads_little_again(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy = ["--size", "16MiB", "--files", "32", "--rounds", "1", "--latency", "100", "--store", "rclone"]
    report = resume.main([*toy, "--work", str(work), "--rivals", "upload"])
    [measured] = report["rounds"]
    assert resume.KILLED_AT <= measured["killed at"] < 1
    assert measured["whole landing"]["read"] == 1
    assert 0.1 <= measured["second try"]["read"] < 1
    assert measured["upload"]["wall"] > 0
    assert "| second try |" in capsys.readouterr().out


def test_small_landings_are_compared(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A checkout beside itself: same calls, and a ratio for each figure."""
    toy = ["--landings", "2", "--rounds", "1", "--latency", "1", "--store", "rclone", "--against", str(ROOT)]
    report = small_landings.main([*toy, "--work", str(work)])
    [ours], [other] = report["cases"].values()
    assert ours["calls"] == other["calls"]
    assert ours["calls"]["store"]["PutObject"] == 3
    assert report["ratios"].keys() == {"wall", "cpu", "first_wall", "first_cpu"}
    assert str(ROOT) not in str(report)
    assert "ratio, pair by pair" in capsys.readouterr().out
