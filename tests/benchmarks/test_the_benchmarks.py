"""The benchmarks run, at toy size: what is measured is verified, and the report holds every number with its bounds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.cases import cases
from benchmarks.dataset import Dataset
from benchmarks.measure import GIB, MIB, Run, RunFailedError, run
from benchmarks.measures import Measure, measures
from benchmarks.report import Report
from benchmarks.servers.processes import ServerMissingError, plain_environment
from benchmarks.stage import BUCKET, ROOT, Stage, stage
from benchmarks.verify import WrongResultError, verify

TOY = ["--files", "4", "--size", "8MiB", "--rounds", "1", "--latency", "1", "--store", "rclone"]


def bench(work: Path, names: str) -> tuple[Report, dict[str, Any]]:
    output = work / "result.json"
    report = main([*TOY, "--work", str(work), "--output", str(output), "--cases", names])
    return report, json.loads(output.read_text())


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, dict[str, Any]]:
    return bench(tmp_path_factory.mktemp("short"), "land,upload,memory-gzip-trim-x1")


@pytest.mark.thorough
def test_each_case_is_run_and_verified(short: tuple[Report, dict[str, Any]]) -> None:
    report, plain = short
    assert not report.failed
    assert plain["left_out"] == {}
    assert set(plain["cases"]) == {"land", "upload", "memory-gzip-trim-x1"}
    for case in plain["cases"].values():
        (measured,) = case["runs"]
        assert measured["wall"] > 0
        assert measured["cpu"] > 0
        assert measured["peak_rss"] > 2**20
        assert case["source_bytes"] >= 8 * 2**20
    assert "SHA-256 of the rows equals the source's" in plain["cases"]["land"]["verified"]
    assert "SHA-256 of the rows equals the source's" in plain["cases"]["upload"]["verified"]
    assert "the sink received the bytes" in plain["cases"]["memory-gzip-trim-x1"]["verified"]


@pytest.mark.thorough
def test_ratios_stand_beside_gate_and_target(short: tuple[Report, dict[str, Any]]) -> None:
    report, plain = short
    land, upload = (plain["cases"][name]["runs"][0] for name in ("land", "upload"))
    described = {each["name"]: each for each in plain["measures"]}
    against_upload = described["wall, against uploading a local file, same client"]
    assert against_upload["value"] == pytest.approx(land["notes"]["work_wall"] / upload["notes"]["work_wall"], rel=1e-3)
    assert (against_upload["gate"], against_upload["target"]) == (1.4, 1.2)
    whole = described["the same, with the start and end of both processes"]
    assert whole["value"] == pytest.approx(land["wall"] / upload["wall"], rel=1e-3)
    assert (whole["gate"], whole["result"]) == (None, "")
    assert "peak memory above the start, gzip-trim, without awscrt" in described
    assert "| wall, against uploading a local file, same client |" in report.markdown()


@pytest.mark.thorough
def test_the_report_holds_only_the_size_of_the_machine(short: tuple[Report, dict[str, Any]]) -> None:
    report, plain = short
    assert plain["machine"]["cores"] > 0
    for text in (json.dumps(plain), report.markdown()):
        assert str(ROOT) not in text
        assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|usr)\b", text)
    assert report.commands["land"].startswith("python -m benchmarks.clients.land --graphql http://127.0.0.1:PORT/1/")


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_the_cases_of_s3_run_and_give_their_measures(tmp_path: Path) -> None:
    report, plain = bench(tmp_path, "land*,sdk,rclone,upload,compress-*,gcs-upload*,memory-plain-x1,memory-plain-x0.25")
    assert plain["left_out"] == {}
    assert not report.failed
    described = " ".join(each["name"] for each in plain["measures"])
    for named in (
        "SDK's stream",
        "rclone",
        "client CPU",
        "200 ms",
        "trimming",
        "with gzip",
        "with zstd",
        "default gzip",
    ):
        assert named in described
    assert "its difference between sizes, plain, without awscrt" in described


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("toy"), files=2, file_bytes=64 * 1024, store="rclone") as ready:
        yield ready


def test_an_object_that_differs_in_one_byte_is_refused(toy: Stage) -> None:
    upload = next(case for case in cases(2, 0) if case.name == "upload")
    content = bytearray(toy.dataset.joined(2).read_bytes())
    toy.s3_client().put_object(Bucket=BUCKET, Key="object", Body=bytes(content))
    assert "equals" in verify(upload, Run(1, 1, 1, 0), toy)
    content[1000] ^= 1
    toy.s3_client().put_object(Bucket=BUCKET, Key="object", Body=bytes(content))
    with pytest.raises(WrongResultError):
        verify(upload, Run(1, 1, 1, 0), toy)


def test_rows_that_a_rival_lost_are_noticed(toy: Stage) -> None:
    sdk = next(case for case in cases(2, 0) if case.name == "sdk")
    rows = toy.dataset.joined(2).read_bytes().splitlines(keepends=True)
    toy.s3_client().put_object(Bucket=BUCKET, Key="object", Body=b"".join(rows[:-1]))
    with pytest.raises(WrongResultError):
        verify(sdk, Run(1, 1, 1, 0), toy)


def test_missing_server_leaves_its_rows_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing server leaves its rows out and says how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    given = ["--files", "1", "--size", "64KiB", "--rounds", "1", "--work", str(tmp_path), "--output", "-"]
    report = main([*given, "--cases", "upload,compress-gzip"])
    assert "apt-get install --no-install-recommends radosgw" in report.left_out["upload"]
    assert list(report.runs) == ["compress-gzip"]
    assert "**Left out**" in capsys.readouterr().out


def test_a_program_that_fails_is_not_measured(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RunFailedError, match="ended with 3, saying last: why"):
        run(["bash", "-c", "echo why >&2; exit 3"], plain_environment(), tmp_path / "notes.json")


def test_memory_of_the_starter_does_not_count(tmp_path: Path) -> None:
    held = bytearray(b"x") * (300 * 2**20)
    measured = run(["sleep", "0.01"], plain_environment(), tmp_path / "notes.json")
    assert measured.peak_rss < 40 * 2**20 < len(held)


def test_cpu_of_a_whole_pipeline_counts(tmp_path: Path) -> None:
    burn = "python3 -c 'import time\nwhile time.process_time() < 0.3: pass'"
    measured = run(["bash", "-c", f"{burn} | {burn}"], plain_environment(), tmp_path / "notes.json")
    assert 0.6 <= measured.cpu < 2


def test_the_export_is_the_same_everywhere(tmp_path: Path) -> None:
    dataset = Dataset.make(tmp_path, files=1, file_bytes=500_000)
    whole, trimmed = dataset.expected_rows(1, trimmed=False), dataset.expected_rows(1, trimmed=True)
    assert (whole.lines, whole.lines - trimmed.lines) == (129, 1)
    assert whole.sha256 == "f4f97bca6ab7de18f08f3978cf847033088b758a8cc7772709f2660c225e0457"
    for line in dataset.joined(1).read_bytes().splitlines():
        json.loads(line)


def at(value: float, gate: float | None, target: float | None) -> str:
    return Measure("a measure", value, (), gate, target).result


def test_a_result_names_the_strictest_bound_that_is_kept() -> None:
    assert [at(value, 1.4, 1.2) for value in (1.2, 1.3, 1.5)] == ["target", "gate", "MISSED"]
    assert [at(value, 128, None) for value in (128, 129)] == ["gate", "MISSED"]
    assert at(1.5, None, None) == ""


def test_compression_is_compared_with_its_parts() -> None:
    """Compression is compared with plain transfer and compression alone."""

    def runs(cpu: float, work: float = 0.0) -> list[Run]:
        return [Run(1, cpu, 1, 0, {"work_cpu": work, "rss_before": 0, "rss_peak": 0})]

    measured = {"land": runs(2), "land-gzip": runs(3.6), "compress-gzip": runs(9, work=1)}
    described = {each.name: each for each in measures(measured, dict.fromkeys(measured, GIB))}
    assert described["CPU with gzip, against plain transfer + gzip alone"].value == pytest.approx(1.2)
    assert described["CPU with the default gzip"].value == pytest.approx(3.6)


def test_memory_is_what_a_transfer_adds() -> None:
    """Memory is what a transfer adds to its process and alike for all sizes."""

    def runs(peak: int) -> list[Run]:
        return [Run(1, 1, 1, 0, {"rss_before": 50 * MIB, "rss_peak": peak * MIB})]

    def described() -> dict[str, tuple[float, str]]:
        return {each.name: (each.value, each.result) for each in measures(measured, {})}

    peak = "peak memory above the start, plain, without awscrt"
    difference = "its difference between sizes, plain, without awscrt"
    measured = {"memory-plain-x0.25": runs(130), "memory-plain-x1": runs(135), "memory-plain-x10": runs(179)}
    assert described().items() >= {peak: (129, "MISSED"), difference: (49, "MISSED")}.items()
    measured["memory-plain-x10"] = runs(140)
    assert described().items() >= {peak: (90, "gate"), difference: (10, "gate")}.items()


def test_every_case_has_its_own_name() -> None:
    names = [case.name for case in cases(64, 50)]
    assert len(names) == len(set(names))


def test_a_missing_server_is_asked_for_once(toy: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    monkeypatch.setattr(toy, "gcs_store", "emulator")
    for _ in range(2):
        with pytest.raises(ServerMissingError, match="pip install gcp-storage-emulator"):
            toy.gcs()


def test_a_size_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--size", "1 GB"])
    assert "1GiB" in capsys.readouterr().err
