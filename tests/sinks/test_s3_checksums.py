"""The bytes of an upload on their way into S3, and into stores that know less of checksums than AWS."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import google_crc32c
import pytest
from support.stores.s3_uploads import CONTENT, leave_checksums_to_the_client, whole, write
from support.stores.servers import s3_client
from support.streaming.http import Reply, Request, http_server

from labelbox_export_provider.errors import (
    IntegrityError,
    StorageError,
    StorageUnavailableError,
    StorageUnsupportedError,
)
from labelbox_export_provider.sinks.base import NewObject, Part, PartBody
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing.object_store import Fault, StrictS3

UPLOADS = {"PutObject", "UploadPart"}
CURED: Any = {"request_checksum_calculation": "when_required"}


def cure_in(message: str) -> Any:
    return json.loads(message.partition("AWS connection's extra: ")[2].partition(", then")[0])


@pytest.mark.parametrize("calculation", ["when_supported", "when_required"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_body_is_protected_in_transit(
    scheme: str, calculation: str, strict: StrictS3, secure: tuple[StrictS3, str]
) -> None:
    """By the CRC32C of its bytes, over http by the signature too; the server refuses bare bytes.

    A connection that switches checksums off has signatures. Over https nothing is framed, and nothing signed but then.
    """
    server, bundle = (strict, None) if scheme == "http" else secure
    sink = S3Sink(s3_client(server.address, verify=bundle, request_checksum_calculation=calculation), "lake")
    sink.put(NewObject("small", "text/plain"), b"content")
    write(sink).complete(whole())
    assert server.visible() == {"rows": CONTENT, "small": b"content"}
    assert server.unprotected == []
    bodies = [call.headers for call in server.calls if call.operation in UPLOADS]
    assert len(bodies) == 4
    for headers in bodies:
        given = {name for name in headers if name.startswith(("x-amz-checksum", "x-amz-trailer", "content-encoding"))}
        assert given == ({"x-amz-checksum-crc32c"} if calculation == "when_supported" else set())
        signed = len(headers["x-amz-content-sha256"]) == 64
        assert signed == ((scheme, calculation) != ("https", "when_supported"))


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


def test_the_checksum_of_the_whole_is_given_at_completion(strict: StrictS3) -> None:
    """The store compares the joined parts with the CRC32C of what was packed, and so nobody asks for the size."""
    write(S3Sink(s3_client(strict.address), "lake")).complete(whole())
    completion = strict.calls[-1]
    assert completion.operation == "CompleteMultipartUpload"
    given = base64.b64encode(google_crc32c.value(CONTENT).to_bytes(4, "big")).decode()
    assert completion.headers["x-amz-checksum-crc32c"] == given
    assert completion.headers["x-amz-checksum-type"] == "FULL_OBJECT"


@pytest.mark.parametrize("reaction", ["refused", "ignored", "of parts"])
def test_a_store_without_it_is_asked_once(reaction: str, strict: StrictS3) -> None:
    """Objects are completed without a checksum of the whole, and their size is compared instead.

    A store that makes a checksum of the parts' checksums instead would want those at completion.
    """
    strict.checksum_type = "COMPOSITE" if reaction == "of parts" else ""
    if reaction == "refused":
        strict.fault = lambda call: (
            Fault("before", 501, "NotImplemented", message="Header 'x-amz-checksum-algorithm' not implemented")
            if "x-amz-checksum-algorithm" in call.headers
            else None
        )
    sink = S3Sink(s3_client(strict.address), "lake")
    for key in ("one", "two"):
        write(sink, key=key).complete(whole())
    assert strict.visible() == {"one": CONTENT, "two": CONTENT}
    asked = [call for call in strict.calls if "x-amz-checksum-algorithm" in call.headers]
    assert len(asked) == 1
    assert [call.key for call in strict.calls if call.operation == "HeadObject"] == ["one", "two"]
    assert strict.open_uploads() == []


def test_stores_that_know_no_trailers_need_no_setting(secure: tuple[StrictS3, str]) -> None:
    """Many stores refuse bytes with a checksum behind them, or keep the framing in the object: none is sent."""
    server, bundle = secure
    for lack in ("takes_trailers", "keeps_framing"):
        setattr(server, lack, lack == "keeps_framing")
        server.checksum_type = ""
        sink = S3Sink(s3_client(server.address, verify=bundle), "lake")
        sink.check_writable("rows")
        sink.put(NewObject("small", "text/plain"), b"content")
        write(sink).complete(whole())
        assert server.visible() == {"rows": CONTENT, "small": b"content"}
        server.reset()


@pytest.mark.parametrize("small", [True, False], ids=["one part", "several parts"])
def test_framing_in_an_object_is_noticed(small: bool, secure: tuple[StrictS3, str]) -> None:
    """Should framing be sent all the same: the object is removed, and the message names the setting that cures it."""
    server, bundle = secure
    server.keeps_framing, server.checks_size, server.checksum_type = True, False, ""
    client = leave_checksums_to_the_client(s3_client(server.address, verify=bundle))
    sink = S3Sink(client, "lake")
    with pytest.raises(StorageError, match="removed again") as caught:
        sink.put(NewObject("rows", "text/plain"), b"1") if small else write(sink).complete(whole())
    assert any("aws-chunked" in call.headers.get("content-encoding", "") for call in server.calls)
    assert not caught.value.retryable
    assert cure_in(str(caught.value)) == {"config_kwargs": CURED}
    assert server.visible() == {}
    sink = S3Sink(s3_client(server.address, verify=bundle, **CURED), "lake")
    sink.put(NewObject("rows", "text/plain"), b"1") if small else write(sink).complete(whole())
    assert server.visible() == {"rows": b"1" if small else CONTENT}


@pytest.mark.parametrize("listed", [True, False], ids=["may be removed", "may not"])
def test_an_object_of_another_size_is_removed(listed: bool, strict: StrictS3) -> None:
    """Small ones too; where removing is denied the message says so."""
    strict.spoil = lambda content: content[:-1]
    strict.denied = frozenset() if listed else frozenset({"DeleteObject"})
    sink = S3Sink(s3_client(strict.address, **CURED), "lake")
    with pytest.raises(IntegrityError, match="removed again" if listed else "could not be removed"):
        sink.put(NewObject("manifest", "text/plain"), b"content")
    assert strict.visible() == ({} if listed else {"manifest": b"conten"})  # codespell:ignore conten


def refusal(status: int, code: str, message: str, header: str = "") -> Reply:
    inside = f"<Code>{code}</Code><Message>{message}</Message>{f'<Header>{header}</Header>' if header else ''}"
    return Reply(status, f"<Error>{inside}</Error>".encode(), {"Content-Type": "text/xml"})


# As stores of others word it: Cloudflare R2, OCI, OVH, Backblaze B2, Alibaba OSS, GCS by its S3 interface, Ceph, s3s.
NO_CHECKSUMS = [
    (501, "NotImplemented", "Header 'x-amz-checksum-crc32c' with value 'a1uQAw==' not implemented"),
    (501, "NotImplemented", "AWS chunked encoding not supported."),
    (501, "NotImplemented", "Payloads in multiple chunks using aws-chunked are not supported."),
    (400, "InvalidArgument", "Unsupported header 'x-amz-sdk-checksum-algorithm' received for this API call."),
    (400, "InvalidArgument", "aws-chunked encoding is not supported with the specified x-amz-content-sha256 value."),
    (400, "InvalidRequest", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a valid sha256 value."),
    (400, "InvalidRequest", "The value specified in the x-amz-trailer header is not supported"),
    (403, "SignatureDoesNotMatch", "Invalid argument."),
    (411, "MissingContentLength", "You must provide the Content-Length HTTP header."),
    (400, "MalformedTrailerError", "The request contained trailing data that was not well-formed"),
]


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart"])
@pytest.mark.parametrize(("status", "code", "text"), NO_CHECKSUMS, ids=lambda value: str(value)[:40])
def test_a_store_that_knows_no_checksums_is_told_so(status: int, code: str, text: str, operation: str) -> None:
    """The message has the store's own words and the setting that cures it, and no retry is used up."""
    sends = upload_to(lambda request: refusal(status, code, text))
    with pytest.raises(StorageError) as caught:
        sends(operation, s3_client)
    assert not caught.value.retryable
    assert cure_in(caught.value.message) == {"config_kwargs": CURED}
    assert text.rstrip(".") in str(caught.value)
    # Where the cure is in place already, or the store is AWS's own, it is something else.
    for connect in (
        lambda address, **more: s3_client(address, **CURED, **more),
        lambda address, **more: s3_client("http://s3.us-east-1.amazonaws.com", proxies={"http": address}, **more),
    ):
        with pytest.raises(StorageError) as other:
            sends(operation, connect)
        assert "when_required" not in str(other.value)


def upload_to(respond: Callable[[Request], Reply]) -> Callable[[str, Callable[..., Any]], None]:
    """Return a function that sends one object, in one part or as a part of several, to a store that answers so."""

    def reply(request: Request) -> Reply:
        if request.method == "PUT":
            return respond(request)
        if request.method == "POST":
            return Reply(200, b"<R><UploadId>u1</UploadId></R>", {"Content-Type": "text/xml"})
        return Reply(204, b"")

    def send(operation: str, connect: Callable[..., Any]) -> None:
        with http_server(reply) as address:
            sink = S3Sink(connect(address, attempts=0), "lake")
            if operation == "PutObject":
                sink.put(NewObject("rows", "text/plain"), b"1")
            else:
                sink.begin(NewObject("rows", "text/plain")).put_part(Part(1, 0, PartBody([b"1"]), last=False))

    return send


def test_an_own_signature_is_trusted_once_it_was_accepted(strict: StrictS3) -> None:
    """A store that accepted other calls, and refuses the signature of an upload, does not understand its headers."""
    text = "The request signature we calculated does not match the signature you provided."
    strict.fault = lambda call: (
        Fault("before", 403, "SignatureDoesNotMatch", message=text) if call.operation in UPLOADS else None
    )
    sink = S3Sink(s3_client(strict.address, attempts=0), "lake")
    with pytest.raises(StorageError, match="Renew them in the connection"):
        sink.put(NewObject("rows", "text/plain"), b"1")
    assert sink.head("rows") is None
    assert list(sink.list("rows")) == []
    with pytest.raises(StorageError) as caught:
        sink.put(NewObject("rows", "text/plain"), b"1")
    assert cure_in(str(caught.value)) == {"config_kwargs": CURED}


def test_another_content_than_signed_over_https_is_about_checksums(secure: tuple[StrictS3, str]) -> None:
    """Such a store compares the body with a signature that it does not have; over http, bytes have changed."""
    server, bundle = secure
    server.fault = lambda call: (
        Fault("before", 400, "XAmzContentSHA256Mismatch") if call.operation == "PutObject" else None
    )
    with pytest.raises(StorageError, match="when_required") as caught:
        S3Sink(s3_client(server.address, attempts=0, verify=bundle), "lake").put(NewObject("rows", "text/plain"), b"1")
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("header", "calculation", "told"),
    [
        ("If-None-Match", "when_supported", "does not know If-None-Match"),
        ("", "when_required", "does not know If-None-Match"),
        ("", "when_supported", "If that is not it, the store may not know the checksum"),
    ],
    ids=["named", "nothing else was sent", "either"],
)
def test_a_store_that_cannot_refuse_to_overwrite_is_told_so(header: str, calculation: str, told: str) -> None:
    """501 is about If-None-Match, not about the call; some stores name the header, some do not."""
    text = "A header you provided implies functionality that is not implemented"
    with http_server(lambda request: refusal(501, "NotImplemented", text, header)) as address:
        sink = S3Sink(s3_client(address, attempts=0, request_checksum_calculation=calculation), "lake")
        with pytest.raises(StorageUnsupportedError, match=f"{told}.*replace=True" if header else told) as caught:
            sink.put(NewObject("rows", "text/plain", create_only=True), b"1")
    assert "replace=True" in caught.value.message
    assert not caught.value.retryable
