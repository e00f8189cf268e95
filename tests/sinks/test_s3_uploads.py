"""Uploads to an S3 server that checks everything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import google_crc32c
import pytest
from support.stores.servers import s3_client
from support.streaming.tls import certificate

from labelbox_export_provider.errors import (
    IntegrityError,
    StorageError,
    StorageUnavailableError,
)
from labelbox_export_provider.sinks.base import (
    EXPORT_ID,
    ExpectedObject,
    NewObject,
    ObjectWriter,
    Part,
    PartBody,
)
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing.object_store import Call, Fault, StrictS3, strict_s3

MIB = 1024**2


# --- against a server that checks everything

CONTENT = b"x" * 5 * MIB + b"y" * 5 * MIB + b"the rest"


ORIGIN = {EXPORT_ID: "e1"}


@pytest.fixture
def strict() -> Iterator[StrictS3]:
    with strict_s3() as server:
        yield server


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[StrictS3, str]]:
    """A server over TLS, and the certificate to trust it by."""
    bundle, context = certificate(tmp_path)
    with strict_s3(tls=context) as server:
        yield server, str(bundle)


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


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client library's own waits between tries."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.mark.parametrize("calculation", ["when_supported", "when_required"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_body_is_protected_in_transit(
    scheme: str, calculation: str, strict: StrictS3, secure: tuple[StrictS3, str]
) -> None:
    """Every body is protected in transit, whatever the connection's settings are.

    By a checksum, or where the connection switches that off, by the signature; the server refuses bare bytes.
    """
    server, bundle = (strict, None) if scheme == "http" else secure
    sink = S3Sink(s3_client(server.address, verify=bundle, request_checksum_calculation=calculation), "lake")
    sink.put(NewObject("small", "text/plain"), b"content")
    write(sink).complete(whole())
    assert server.visible() == {"rows": CONTENT, "small": b"content"}
    assert server.unprotected == []
    bodies = [call.headers for call in server.calls if call.operation in {"PutObject", "UploadPart"}]
    assert len(bodies) == 4
    for headers in bodies:
        trailer = headers.get("x-amz-trailer") == "x-amz-checksum-crc32"
        header = "x-amz-checksum-crc32" in headers
        signed = len(headers["x-amz-content-sha256"]) == 64
        assert (header, trailer, signed) == {
            ("http", "when_supported"): (True, False, True),
            ("https", "when_supported"): (False, True, False),
            ("http", "when_required"): (False, False, True),
            ("https", "when_required"): (False, False, True),
        }[scheme, calculation]


@pytest.mark.parametrize("small", [True, False], ids=["one part", "several parts"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_bytes_changed_in_transit_are_refused(
    scheme: str, small: bool, strict: StrictS3, secure: tuple[StrictS3, str]
) -> None:
    """Bytes that change in transit are refused, and a retry sends them again."""
    server, bundle = (strict, None) if scheme == "http" else secure
    client = s3_client(server.address, attempts=0, verify=bundle)

    def flip(request: Any, **kwargs: object) -> None:
        if request.method == "PUT":
            body = bytearray(request.body.read())
            place = body.index(b"x")
            body[place] ^= 1
            request.body = bytes(body)

    client.meta.events.register("before-send.s3", flip)
    sink = S3Sink(client, "lake")
    send = (lambda: sink.put(NewObject("rows", "text/plain"), b"xyz")) if small else (lambda: write(sink))
    with pytest.raises(StorageUnavailableError, match=r"sends them again.*BadDigest"):
        send()
    assert server.visible() == {}


def test_a_store_without_checksum_trailers_has_a_setting(
    secure: tuple[StrictS3, str],
) -> None:
    """A store that takes no checksum trailers is an error that names the setting, and the setting works.

    Over TLS the client sends its checksum after the bytes, which many a store answers with 411.
    """
    server, bundle = secure
    server.takes_trailers = False
    with pytest.raises(StorageError) as caught:
        S3Sink(s3_client(server.address, verify=bundle), "lake").put(NewObject("rows", "text/plain"), b"1")
    cure = json.loads(str(caught.value).partition("AWS connection's extra: ")[2].partition(", then")[0])
    assert cure == {"config_kwargs": {"request_checksum_calculation": "when_required"}}
    assert not caught.value.retryable
    sink = S3Sink(s3_client(server.address, verify=bundle, **cure["config_kwargs"]), "lake")
    write(sink).complete(whole())
    assert server.visible() == {"rows": CONTENT}


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
    """A store that takes the expected size refuses; the size in one that ignores it is checked afterwards."""
    strict.spoil = lambda content: content[:-1]
    with pytest.raises(StorageError, match="InvalidRequest"):
        write(S3Sink(s3_client(strict.address), "lake")).complete(whole())
    assert strict.visible() == {}
    strict.checks_size = False
    with pytest.raises(IntegrityError, match=str(len(CONTENT) - 1)):
        write(S3Sink(s3_client(strict.address), "lake")).complete(whole())


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
