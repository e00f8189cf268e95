"""Compares what a measured program left in the store with the export, so that no speed comes from being wrong."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Callable
from typing import IO, Any

from benchmarks.cases import Case
from benchmarks.dataset import Stream
from benchmarks.measure import Run
from benchmarks.stage import BUCKET, Stage

_SMALL_OBJECTS = 64 * 1024
"""Most bytes that the manifest and the list of objects take beside the rows."""


class WrongResultError(Exception):
    """A program ended well and left something else than the export."""


def verify(case: Case, run: Run, stage: Stage) -> str:
    """Check what a run left and return what was checked; raises `WrongResultError`."""
    if case.kind == "work":
        return "nothing is stored"
    if case.kind == "discard":
        return _sizes(case, run, stage)
    expected_rows = stage.dataset.expected_rows(case.files, trimmed=case.trimmed)
    keys = _keys(case, run, stage)
    open_object = (_gcs_object if case.kind.startswith("gcs") else _s3_object)(stage)
    if case.kind == "rows":
        return _rows(open_object("object"), expected_rows)
    digest, size = hashlib.sha256(), 0
    for key in keys:
        body = _unpacked(open_object(key), case.compression)
        while piece := body.read(1024**2):
            digest.update(piece)
            size += len(piece)
    if (size, digest.hexdigest()) != (expected_rows.size, expected_rows.sha256):
        raise WrongResultError(
            f"{case.name}: {size} bytes of another content in the store, {expected_rows.size} are right"
        )
    return f"downloaded, {len(keys)} object(s), SHA-256 of the rows equals the source's"


def _keys(case: Case, run: Run, stage: Stage) -> list[str]:
    if case.kind.endswith("land"):
        return [uri.split("/", 3)[3] for uri in run.notes["objects"]]
    if case.kind == "objects":
        pages = stage.s3_client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return sorted(each["Key"] for page in pages for each in page.get("Contents", ()))
    return ["object"]


def _sizes(case: Case, run: Run, stage: Stage) -> str:
    received, described, size = stage.discarded(), int(run.notes["bytes"]), stage.dataset.size_of(case.files)
    if case.compression == "none" and not case.trimmed and described != size:
        raise WrongResultError(f"{case.name}: {described} bytes landed, {size} are right")
    if not described <= received <= described + _SMALL_OBJECTS:
        raise WrongResultError(f"{case.name}: the manifest tells of {described} bytes, the sink received {received}")
    return "the sink received the bytes that the manifest tells of"


def _rows(body: IO[bytes], expected_rows: Stream) -> str:
    """Count the rows of a rival that writes JSON again, which changes the bytes but may not lose a row."""
    lines, last = 0, b""
    for line in body:
        lines, last = lines + 1, line
    json.loads(last)
    if lines != expected_rows.lines:
        raise WrongResultError(f"{lines} rows in the store, {expected_rows.lines} are right")
    return "downloaded, the number of rows equals the source's; bytes differ, since JSON is written again"


def _s3_object(stage: Stage) -> Callable[[str], IO[bytes]]:
    client = stage.s3_client()

    def open_object(key: str) -> IO[bytes]:
        return io.BufferedReader(client.get_object(Bucket=BUCKET, Key=key)["Body"])

    return open_object


def _gcs_object(stage: Stage) -> Callable[[str], IO[bytes]]:
    bucket = stage.gcs_bucket()

    def open_object(key: str) -> IO[bytes]:
        body: IO[bytes] = bucket.blob(key).open("rb")
        return body

    return open_object


def _unpacked(body: IO[bytes], compression: str) -> Any:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=body)
    if compression == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True)
    return body
