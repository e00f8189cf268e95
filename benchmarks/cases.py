"""The programs that are measured: this package in its settings, and its rivals."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.stage import BUCKET, ROOT, Stage
from labelbox_export_provider.streaming.pipeline.compression import GZIP_LEVEL, ZSTD_LEVEL

Kind = Literal["land", "rows", "object", "objects", "work", "discard", "gcs-land", "gcs-object"]
"""The result of a program, which decides how it is verified: landed objects, same rows, same bytes, or nothing."""

WORKERS_OF_LATENCY = 8
LATENCIES = (0, 50, 200)
MEMORY_SHARES = (0.25, 1, 10)
"""Sizes at which memory is measured, in terms of the export's."""

MEMORY_TREATMENTS = {"plain": ("none", False), "trim": ("none", True), "gzip-trim": ("gzip", True)}
"""The landings whose memory is measured: compression, and whether rows are trimmed."""


@dataclass(frozen=True)
class Case:
    """One program and its settings. `files` is how many files of the export it moves."""

    name: str
    kind: Kind
    files: int
    settings: str
    command: Callable[[Stage], Sequence[str]]
    trimmed: bool = False
    compression: str = "none"

    @property
    def store(self) -> Literal["s3", "gcs", "discard", "none"]:
        """Which store it writes to."""
        if self.kind == "work":
            return "none"
        if self.kind == "discard":
            return "discard"
        return "gcs" if self.kind.startswith("gcs") else "s3"

    @property
    def is_memory(self) -> bool:
        """Whether it is run for its memory alone, in rounds of its own."""
        return self.kind == "discard"


def cases(files: int, latency: int) -> Iterator[Case]:
    """Return all cases, for an export of so many files."""
    yield Case("land", "land", files, "uncompressed, else defaults: 4 workers, parts of 16 MiB", _land(files, latency))
    yield Case(
        "sdk", "rows", files, "labelbox SDK's get_buffered_stream, json.dumps, upload_file", _sdk(files, latency)
    )
    yield Case("curl-aws", "object", files, "file after file by curl into `aws s3 cp -`", _curl_aws(files, latency))
    yield Case("rclone", "objects", files, "copyurl of the signed URLs, 8 transfers", _rclone(files, latency))
    yield Case("obstore", "object", files, "signed URLs in order, 8 ahead, parts of 16 MiB", _obstore(files, latency))
    yield Case("upload", "object", files, "local file, same client, 4 threads, parts of 16 MiB", _upload(files))
    yield landing("land-trim", files, latency, trim=True)
    yield landing("land-gzip", files, latency, compression="gzip")
    yield landing("land-gzip-trim", files, latency, compression="gzip", trim=True)
    yield landing("land-zstd", files, latency, compression="zstd")
    for compression, level in (("gzip", GZIP_LEVEL), ("zstd", ZSTD_LEVEL)):
        yield Case(
            f"compress-{compression}",
            "work",
            files,
            f"level {level}, one thread, no I/O but the file",
            _compress(files, compression, level),
        )
    for each in LATENCIES:
        yield Case(
            f"land-8-workers-{each}ms",
            "land",
            files,
            f"uncompressed, 8 workers, {each} ms per call and first byte",
            _land(files, each, workers=WORKERS_OF_LATENCY),
        )
    yield from _gcs(files, latency)
    yield from _memory(files, latency)


def _gcs(files: int, latency: int) -> Iterator[Case]:
    yield Case("gcs-land", "gcs-land", files, "uncompressed, else defaults", _land(files, latency, store="gcs"))
    yield Case("gcs-upload", "gcs-object", files, "upload_from_filename, the library's defaults", _gcs_upload(files))
    chunk = 16 * 1024**2
    yield Case(
        "gcs-upload-chunked", "gcs-object", files, "upload_from_filename, chunk_size 16 MiB", _gcs_upload(files, chunk)
    )


def _memory(files: int, latency: int) -> Iterator[Case]:
    for share in MEMORY_SHARES:
        count = max(1, int(files * share))
        for with_awscrt in (False, True):
            for output_format, (compression, trim) in MEMORY_TREATMENTS.items():
                yield Case(
                    f"memory-{output_format}-x{share:g}{'-awscrt' if with_awscrt else ''}",
                    "discard",
                    count,
                    f"{output_format}, else defaults, {'with' if with_awscrt else 'without'} awscrt, into a null sink",
                    _land(count, latency, store="discard", compression=compression, trim=trim, awscrt=with_awscrt),
                    trimmed=trim,
                    compression=compression,
                )


def landing(
    name: str,
    files: int,
    latency: int,
    *,
    compression: str = "none",
    trim: bool = False,
    object_bytes: int | None = None,
    program: str = "land",
) -> Case:
    """Return a case of this package into S3; `program` is the module of `clients` that runs it."""
    settings = f"compression {compression}, trim {'on' if trim else 'off'}, else defaults"
    command = _land(files, latency, compression=compression, trim=trim, object_bytes=object_bytes, program=program)
    return Case(name, "land", files, settings, command, trimmed=trim, compression=compression)


def _land(
    files: int,
    latency: int,
    *,
    store: Literal["s3", "gcs", "discard"] = "s3",
    compression: str = "none",
    trim: bool = False,
    workers: int | None = None,
    awscrt: bool = False,
    object_bytes: int | None = None,
    program: str = "land",
) -> Callable[[Stage], Sequence[str]]:
    def command(stage: Stage) -> Sequence[str]:
        python = stage.python_with_awscrt() if awscrt else sys.executable
        given = [python, "-m", f"benchmarks.clients.{program}", "--graphql", stage.graphql(latency)]
        given += ["--export", f"files-{files}", "--bucket", BUCKET, "--prefix", "lake", "--compression", compression]
        if store == "gcs":
            given += ["--store", "gcs", "--endpoint", stage.gcs()]
        else:
            given += ["--endpoint", stage.s3() if store == "s3" else stage.discard()]
        given += ["--trim"] if trim else []
        given += ["--workers", str(workers)] if workers else []
        given += ["--object-bytes", str(object_bytes)] if object_bytes else []
        return given

    return command


def _sdk(files: int, latency: int) -> Callable[[Stage], Sequence[str]]:
    return lambda stage: [
        *(sys.executable, "-m", "benchmarks.clients.sdk", "--graphql", stage.graphql(latency)),
        *("--export", f"files-{files}", "--endpoint", stage.s3(), "--bucket", BUCKET, "--key", "object"),
    ]


def _curl_aws(files: int, latency: int) -> Callable[[Stage], Sequence[str]]:
    script = str(ROOT / "benchmarks" / "clients" / "curl_aws.sh")
    return lambda stage: [
        *("bash", script, stage.graphql(latency), f"files-{files}", stage.aws(), stage.s3()),
        f"s3://{BUCKET}/object",
    ]


def _rclone(files: int, latency: int) -> Callable[[Stage], Sequence[str]]:
    def command(stage: Stage) -> Sequence[str]:
        # No request but those that move bytes: neither for a bucket that is there, nor for what has just been written.
        options = f"provider=Other,env_auth,endpoint='{stage.s3()}',no_check_bucket,no_head"
        given = [stage.rclone(), "copyurl", "--urls", str(stage.urls(files, latency)), f":s3,{options}:{BUCKET}/files"]
        return [*given, "--transfers", str(WORKERS_OF_LATENCY), "--config", "/dev/null"]

    return command


def _obstore(files: int, latency: int) -> Callable[[Stage], Sequence[str]]:
    return lambda stage: [
        *(stage.python_with_obstore(), "-m", "benchmarks.clients.obstore_copy", "--endpoint", stage.s3()),
        *("--bucket", BUCKET, "--key", "object", "--urls", str(stage.urls(files, latency))),
    ]


def _upload(files: int) -> Callable[[Stage], Sequence[str]]:
    return lambda stage: [
        *(sys.executable, "-m", "benchmarks.clients.upload", "--endpoint", stage.s3(), "--bucket", BUCKET),
        *("--key", "object", "--file", str(stage.dataset.joined(files))),
    ]


def _compress(files: int, compression: str, level: int) -> Callable[[Stage], Sequence[str]]:
    return lambda stage: [
        *(sys.executable, "-m", "benchmarks.clients.compress", "--compression", compression, "--level", str(level)),
        *("--file", str(stage.dataset.joined(files))),
    ]


def _gcs_upload(files: int, chunk_bytes: int | None = None) -> Callable[[Stage], Sequence[str]]:
    def command(stage: Stage) -> Sequence[str]:
        given = [sys.executable, "-m", "benchmarks.clients.gcs_upload", "--endpoint", stage.gcs()]
        given += ["--bucket", BUCKET, "--key", "object"]
        given += ["--file", str(stage.dataset.joined(files))]
        return [*given, "--chunk-bytes", str(chunk_bytes)] if chunk_bytes else given

    return command
