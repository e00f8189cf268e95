"""The numbers that are promised: each from measured cases, with the gate that has to hold and the target aimed at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.cases import MEMORY_SHARES, MEMORY_TREATMENTS
from benchmarks.measure import GIB, MIB, Run
from labelbox_export_provider.streaming.pipeline.memory_plan import DEFAULT_MAX_MEMORY

Runs = Mapping[str, Sequence[Run]]


@dataclass(frozen=True)
class Measure:
    """One number. `values` has one entry per round where rounds can be compared; smaller is better.

    One without a gate is reported beside another that has one.
    """

    name: str
    value: float
    values: tuple[float, ...]
    gate: float | None
    target: float | None
    unit: str = ""

    @property
    def result(self) -> str:
        """Return which bound the number keeps."""
        if self.target is not None and self.value <= self.target:
            return "target"
        if self.gate is None:
            return ""
        return "gate" if self.value <= self.gate else "MISSED"


def measures(runs: Runs, sizes: Mapping[str, int]) -> Iterator[Measure]:
    """Return the measures whose cases were run; `sizes` are the source bytes of each case."""
    for name, over, under, of, gate, target in _RATIOS:
        if runs.get(over) and runs.get(under):
            yield _ratio(name, runs[over], runs[under], of, gate=gate, target=target)
    for each in ("gzip", "zstd"):
        yield from _compression(runs, each)
    if done := runs.get("land-gzip"):
        gib = sizes["land-gzip"] / GIB
        values = tuple(run.cpu / gib for run in done)
        yield Measure("CPU with the default gzip", median(values), values, 5, 3.5, "CPU-s/GiB")
    yield from _memory(runs)


def _wall(run: Run) -> float:
    return run.wall


def _work(run: Run) -> float:
    """Seconds from the moment when everything is imported and the clients are made, as in a worker, to the end."""
    return float(run.notes["work_wall"])


def _cpu(run: Run) -> float:
    return run.cpu


_RATIOS: Sequence[tuple[str, str, str, Callable[[Run], float], float | None, float | None]] = (
    ("wall, against the SDK's stream + upload_file", "land", "sdk", _wall, 1 / 7, 1 / 8),
    ("wall, against curl | aws s3 cp -", "land", "curl-aws", _wall, 0.50, 0.40),
    ("wall, against uploading a local file, same client", "land", "upload", _work, 1.4, 1.2),
    ("the same, with the start and end of both processes", "land", "upload", _wall, None, None),
    ("wall, against rclone copyurl", "land", "rclone", _wall, None, 0.9),
    ("client CPU, against rclone copyurl", "land", "rclone", _cpu, None, None),
    ("wall, against obstore", "land", "obstore", _wall, None, 1.0),
    ("the same for obstore, without the start of both processes", "land", "obstore", _work, None, None),
    ("client CPU, against obstore", "land", "obstore", _cpu, None, None),
    ("wall, gzip, against obstore, which does not compress", "land-gzip", "obstore", _wall, None, None),
    ("client CPU, against the SDK path", "land", "sdk", _cpu, 0.12, 0.08),
    ("wall, 200 ms against 0 ms, 8 workers", "land-8-workers-200ms", "land-8-workers-0ms", _wall, 1.8, 1.5),
    ("wall, trimming on against off", "land-trim", "land", _wall, 1.3, 1.15),
    ("wall, trimming on against off, gzip", "land-gzip-trim", "land-gzip", _wall, 1.3, 1.15),
    ("wall, GCS, against upload_from_filename", "gcs-land", "gcs-upload", _work, 1.15, 1.0),
    ("the same for GCS, with the start and end of both processes", "gcs-land", "gcs-upload", _wall, None, None),
    ("wall, GCS, against upload_from_filename in chunks", "gcs-land", "gcs-upload-chunked", _work, 1.4, 1.2),
)


def _ratio(
    name: str,
    over: Sequence[Run],
    under: Sequence[Run],
    of: Callable[[Run], float],
    *,
    gate: float | None,
    target: float | None,
) -> Measure:
    value = median(map(of, over)) / median(map(of, under))
    return Measure(name, value, tuple(of(a) / of(b) for a, b in zip(over, under, strict=False)), gate, target)


def _compression(runs: Runs, name: str) -> Iterator[Measure]:
    """Compare with plain transfer + compression alone, of which only the work counts, not the start of its process."""
    packed, plain, alone = (runs.get(each, ()) for each in (f"land-{name}", "land", f"compress-{name}"))
    if not (packed and plain and alone):
        return
    work = [float(run.notes["work_cpu"]) for run in alone]
    value = median(map(_cpu, packed)) / (median(map(_cpu, plain)) + median(work))
    values = tuple(a.cpu / (b.cpu + c) for a, b, c in zip(packed, plain, work, strict=False))
    yield Measure(f"CPU with {name}, against plain transfer + {name} alone", value, values, 1.2, 1.1)


def _memory(runs: Runs) -> Iterator[Measure]:
    bound = DEFAULT_MAX_MEMORY / MIB
    stored = [peak_above_start(run) / MIB for name in runs if name.startswith("land") for run in runs[name]]
    if stored:
        yield Measure(
            "peak memory above the start, any transfer into S3", max(stored), tuple(stored), bound, None, "MiB"
        )
    for output_format in MEMORY_TREATMENTS:
        for awscrt in ("", "-awscrt"):
            names = [f"memory-{output_format}-x{share:g}{awscrt}" for share in MEMORY_SHARES]
            peaks = [max(map(peak_above_start, runs[name])) / MIB for name in names if runs.get(name)]
            if not peaks:
                continue
            what = f"{output_format}, {'with' if awscrt else 'without'} awscrt"
            yield Measure(f"peak memory above the start, {what}", max(peaks), tuple(peaks), bound, None, "MiB")
            if len(peaks) > 1:
                spread = max(peaks) - min(peaks)
                yield Measure(f"its difference between sizes, {what}", spread, (), 15, None, "MiB")


def peak_above_start(run: Run) -> float:
    """Return the bytes that the transfer added to its process at its peak."""
    return float(run.notes["rss_peak"] - run.notes["rss_before"])
