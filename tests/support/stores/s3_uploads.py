"""Uploads of a few parts to the strict S3, in the tests of its store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import google_crc32c

from labelbox_export_provider.sinks.base import EXPORT_ID, ExpectedObject, NewObject, ObjectWriter, Part, PartBody
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing.object_store import Call, Fault

MIB = 1024**2
CONTENT = b"x" * 5 * MIB + b"y" * 5 * MIB + b"the rest"
ORIGIN = {EXPORT_ID: "e1"}


def write(sink: S3Sink, *, key: str = "rows", create_only: bool = False, content: bytes = CONTENT) -> ObjectWriter:
    writer = sink.begin(NewObject(key, "text/plain", ORIGIN, create_only=create_only))
    starts = range(0, len(content), 5 * MIB)
    for number, start in enumerate(starts, 1):
        body = PartBody([content[start : start + 5 * MIB]])
        writer.put_part(Part(number, start, body, last=number == len(starts)))
    return writer


def whole(content: bytes = CONTENT) -> ExpectedObject:
    return ExpectedObject(len(content), google_crc32c.value(content))


def once(operation: str, fault: Fault) -> Callable[[Call], Fault | None]:
    return lambda call: fault if call.operation == operation and call.turn == 0 else None


def leave_checksums_to_the_client(client: Any) -> Any:
    """Take out the checksums that are given to a client, so that it adds its own, framed, as a plain boto3 does."""
    for operation in ("PutObject", "UploadPart"):
        client.meta.events.register(
            f"before-parameter-build.s3.{operation}", lambda params, **_: params.pop("ChecksumCRC32C", None)
        )
    return client
