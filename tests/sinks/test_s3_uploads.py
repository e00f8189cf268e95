"""Uploads to an S3 server that checks everything."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from support.stores.s3_uploads import CONTENT, MIB, once, whole, write
from support.stores.servers import s3_client
from support.streaming.http import Reply, http_server

from labelbox_export_provider.errors import (
    IntegrityError,
    StorageError,
    StorageUnavailableError,
)
from labelbox_export_provider.sinks.base import (
    NewObject,
    Part,
    PartBody,
)
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing.object_store import Fault, StrictS3


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client library's own waits between tries."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.mark.parametrize("create_only", [False, True])
@pytest.mark.parametrize("operation", ["PutObject", "UploadPart", "CompleteMultipartUpload"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("after"),
        Fault("before"),
        Fault("before", 503, "SlowDown"),
        Fault("before", 500, "InternalError"),
        Fault("after", 500, "InternalError"),
    ],
    ids=["lost answer", "reset", "slow down", "500", "500 after it was done"],
)
def test_temporary_failures_are_retried_by_the_client(
    fault: Fault, operation: str, create_only: bool, strict: StrictS3, no_waits: None
) -> None:
    """The client retries temporary failures, and their outcome is recognised.

    Also a creation whose answer was lost: the client sends it again, and the answer is that the object exists.
    """
    content = b"one part" if operation == "PutObject" else CONTENT
    strict.fault = once(operation, fault)
    write(S3Sink(s3_client(strict.address), "lake"), content=content, create_only=create_only).complete(whole(content))
    assert strict.visible() == {"rows": content}
    assert strict.open_uploads() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_completion_answered_200_with_an_error_fails(when: Any, strict: StrictS3, no_waits: None) -> None:
    """A completion that is answered 200 with an error in its body is not a success."""
    strict.fault = once("CompleteMultipartUpload", Fault(when, code="InternalError", in_body=True))
    write(S3Sink(s3_client(strict.address), "lake")).complete(whole())
    assert strict.visible() == {"rows": CONTENT}
    strict.reset()
    strict.fault = lambda call: (
        Fault("before", code="InternalError", in_body=True) if call.operation == "CompleteMultipartUpload" else None
    )
    writer = write(S3Sink(s3_client(strict.address), "lake"))
    with pytest.raises(StorageUnavailableError):
        writer.complete(whole())
    writer.abort()
    assert (strict.visible(), strict.open_uploads()) == ({}, [])


def test_a_store_that_loses_bytes_while_it_joins_parts_is_caught(strict: StrictS3) -> None:
    """A store that takes the expected size or checksum refuses; what one that ignores both made is removed."""
    strict.spoil = lambda content: content[:-1]
    with pytest.raises(StorageError, match="InvalidRequest"):
        write(S3Sink(s3_client(strict.address), "lake")).complete(whole())
    strict.checks_size = False
    with pytest.raises(StorageUnavailableError, match="BadDigest"):
        write(S3Sink(s3_client(strict.address), "lake")).complete(whole())
    assert strict.visible() == {}
    strict.checksum_type = ""
    with pytest.raises(IntegrityError, match=f"{len(CONTENT) - 1} bytes of {len(CONTENT)}.*removed again"):
        write(S3Sink(s3_client(strict.address), "lake")).complete(whole())
    assert strict.visible() == {}


def test_a_part_that_is_too_small_is_refused(strict: StrictS3) -> None:
    """A part that is too small is refused before anything is visible."""
    writer = S3Sink(s3_client(strict.address), "lake").begin(NewObject("rows", "text/plain"))
    for number in (1, 2):
        writer.put_part(Part(number, number - 1, PartBody([b"x"]), last=number == 2))
    with pytest.raises(StorageError, match="EntityTooSmall"):
        writer.complete(whole(b"xx"))
    writer.abort()
    assert (strict.visible(), strict.open_uploads()) == ({}, [])


def test_all_uploads_of_a_key_are_removed_on_all_pages(strict: StrictS3) -> None:
    """All uploads of a key are removed, however many pages they fill."""
    sink = S3Sink(s3_client(strict.address), "lake")
    for _ in range(7):
        write(sink, key="source=a/rows", content=CONTENT[: 6 * MIB])
    write(sink, key="source=a/rows.2", content=CONTENT[: 6 * MIB])
    write(sink, key="source=b/rows", content=CONTENT[: 6 * MIB])
    assert sink.abort_open_uploads("source=a/rows", exact=True) == 7
    assert strict.open_uploads() == ["source=a/rows.2", "source=b/rows"]
    assert sink.abort_open_uploads("source=a/") == 1
    assert strict.open_uploads() == ["source=b/rows"]


@pytest.mark.parametrize("create", ["answered later", "never answered"])
def test_uploads_that_nobody_knows_are_removed(create: str, strict: StrictS3, no_waits: None) -> None:
    """A creation whose answer was lost is sent again, which makes a second upload; the first costs money for ever."""
    strict.fault = lambda call: (
        Fault("after") if call.operation == "CreateMultipartUpload" and (call.turn < 1 or create[0] == "n") else None
    )
    sink = S3Sink(s3_client(strict.address, attempts=1), "lake")
    if create == "answered later":
        write(sink).complete(whole())
        assert strict.visible() == {"rows": CONTENT}
    else:
        writer = sink.begin(NewObject("rows", "text/plain"))
        with pytest.raises(StorageUnavailableError):
            writer.put_part(Part(1, 0, PartBody([CONTENT]), last=False))
        assert [call.operation for call in strict.calls].count("CreateMultipartUpload") == 2
        writer.abort()
        with pytest.raises(StorageUnavailableError):
            sink.check_writable("rows")
    assert strict.open_uploads() == []


@pytest.mark.parametrize("listing", ["ListObjectsV2", "ListMultipartUploads"])
@pytest.mark.parametrize("fault", ["no token", "the same token"])
def test_a_listing_that_cannot_be_followed_is_an_error(listing: str, fault: str) -> None:
    """What is not listed must not be treated as missing, and a listing must end."""
    token = (
        ""
        if fault == "no token"
        else "<NextContinuationToken>t</NextContinuationToken><NextKeyMarker>k</NextKeyMarker>"
    )
    page = f"<R><IsTruncated>true</IsTruncated>{token}</R>".encode()
    with http_server(lambda request: Reply(200, page, {"Content-Type": "text/xml"})) as address:
        sink = S3Sink(s3_client(address, attempts=0), "lake")
        with pytest.raises(StorageError, match=f"listing.*what is there is not known.*{listing}") as caught:
            sink.abort_open_uploads("data/") if listing == "ListMultipartUploads" else list(sink.list("data/"))
    assert not caught.value.retryable
