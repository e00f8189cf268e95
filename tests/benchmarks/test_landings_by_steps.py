"""The benchmarks of several workers, of a killed try and of small landings run, at toy size."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks import fan_out, resume, small_landings
from benchmarks.measure import Run
from benchmarks.stage import BUCKET, ROOT, stage
from benchmarks.verify import WrongResultError

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


def test_other_objects_than_those_of_the_first_run_are_refused(tmp_path: Path) -> None:
    """One byte of one object, or an object less."""
    given = argparse.Namespace(files=2, latency=1, compression="none")
    with stage(tmp_path, files=2, file_bytes=64 * 1024, store="rclone") as ready:
        bench = fan_out._Bench(given, ready)
        client, content = ready.s3_client(), bytearray(ready.dataset.joined(2).read_bytes())
        each = -(-len(content) // fan_out.OBJECTS)

        def compare(count: int = fan_out.OBJECTS) -> None:
            for number in range(count):
                client.put_object(Bucket=BUCKET, Key=f"{number}", Body=bytes(content[number * each :][:each]))
            landed = [f"s3://{BUCKET}/{number}" for number in range(count)]
            bench._compare(Run(1, 1, 1, 0, {"objects": landed}), bench._whole)

        compare()
        compare()
        with pytest.raises(WrongResultError):
            compare(fan_out.OBJECTS - 1)
        content[3 * each] ^= 1
        with pytest.raises(WrongResultError):
            compare()


def test_a_killed_landing_reads_little_again(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy = ["--size", "16MiB", "--files", "32", "--rounds", "1", "--latency", "100", "--store", "rclone"]
    report = resume.main([*toy, "--work", str(work), "--rivals", "upload"])
    [measured] = report["rounds"]
    assert resume.KILLED_AT <= measured["killed at"] < 1
    assert measured["whole landing"]["read"] == 1
    assert 0.1 <= measured["second try"]["read"] < 1
    assert measured["upload"]["wall"] > 0
    assert "| second try |" in capsys.readouterr().out


def test_small_landings_are_compared(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another checkout of the same package is the one that runs: same calls, and a ratio for each figure."""
    (tmp_path / "labelbox_export_provider").symlink_to(ROOT / "labelbox_export_provider")
    toy = ["--landings", "2", "--rounds", "1", "--latency", "1", "--store", "rclone", "--against", str(tmp_path)]
    report = small_landings.main([*toy, "--work", str(work)])
    [ours], [other] = report["cases"].values()
    assert ours["calls"] == other["calls"]
    assert ours["calls"]["files"] == 1
    assert ours["calls"]["store"]["PutObject"] == 3
    assert report["ratios"].keys() == {"wall", "cpu", "first_wall", "first_cpu"}
    assert not any(str(path) in str(report) for path in (ROOT, tmp_path))
    assert "ratio, pair by pair" in capsys.readouterr().out
