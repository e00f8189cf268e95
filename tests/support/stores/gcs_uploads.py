"""Uploads through a sink into the strict server of Google Cloud Storage."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import google_crc32c
import pytest
from support.stores.servers import BUCKET, gcs_client

from labelbox_export_provider.sinks.base import (
    EXPORT_ID,
    ExpectedObject,
    NewObject,
    ObjectWriter,
    Part,
    PartBody,
)
from labelbox_export_provider.sinks.gcs.sink import GCSSink
from labelbox_export_provider.testing.object_store import Call, Fault, StrictGCS

PART = 64 * 1024
CONTENT = random.Random(1).randbytes(5 * PART + 12_345)


MINE = {EXPORT_ID: "e1"}


def sink(server: StrictGCS, **options: Any) -> GCSSink:
    return GCSSink(gcs_client(server.address), BUCKET, **{"retry_timeout": 5.0, **options})


def expected(content: bytes = CONTENT) -> ExpectedObject:
    return ExpectedObject(len(content), google_crc32c.value(content))


def parts(content: bytes = CONTENT, part_bytes: int = PART * 3 // 2) -> Iterator[Part]:
    starts = range(0, len(content), part_bytes)
    for number, start in enumerate(starts, 1):
        body = PartBody([content[start : start + part_bytes]])
        yield Part(number, start, body, last=number == len(starts))


def put(writer: ObjectWriter, content: bytes = CONTENT, part_bytes: int = PART * 3 // 2) -> None:
    for part in parts(content, part_bytes):
        writer.put_part(part)


def write(server: StrictGCS, *, create_only: bool = False, **options: Any) -> ObjectWriter:
    writer = sink(server, **options).begin(NewObject("rows", "text/plain", MINE, create_only=create_only))
    put(writer)
    return writer


def inject(operation: str, fault: Fault, *, turn: int = 0, for_ever: bool = False) -> Callable[[Call], Fault | None]:
    return lambda call: (
        fault if call.operation == operation and (call.turn == turn or (for_ever and call.turn >= turn)) else None
    )


def put_and_complete(writer: ObjectWriter) -> None:
    put(writer)
    writer.complete(expected())


def use_small_chunks(patch: pytest.MonkeyPatch, size: int) -> None:
    """Let the library send streams in chunks of this size, which need not be a multiple of 256 KiB."""
    from google.cloud.storage import blob

    patch.setattr("labelbox_export_provider.sinks.gcs.calls.CHUNK_BYTES", size)
    patch.setattr(blob.Blob, "_CHUNK_SIZE_MULTIPLE", size)
    patch.setitem(blob.ResumableUpload.__init__.__globals__, "UPLOAD_CHUNK_SIZE", size)
