"""The wire format of S3: names of operations, checksums, aws-chunked bodies, XML answers."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping
from urllib.parse import quote
from xml.etree import ElementTree

import google_crc32c

from labelbox_export_provider.testing.http.server import HttpAnswer, HttpRequest
from labelbox_export_provider.testing.object_store.store import ParsedRequest, RefusedError, StoredObject

UNSIGNED = {"UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
XML = {"content-type": "application/xml"}


def parse(request: HttpRequest) -> ParsedRequest:
    """Return the request with its operation, bucket and key."""
    bucket, _, key = request.path.lstrip("/").partition("/")
    operation = _operation(request.method, key, request.query)
    return ParsedRequest(operation, bucket, key or request.query.get("prefix", ""), request)


def _operation(method: str, key: str, query: Mapping[str, str]) -> str:
    if not key and "lifecycle" not in query:
        return "ListMultipartUploads" if "uploads" in query else "ListObjectsV2"
    upload = "uploadId" in query
    of_bucket = {"GET": "GetBucketLifecycleConfiguration", "PUT": "PutBucketLifecycleConfiguration"}
    of_key = {
        "PUT": "UploadPart" if upload else "PutObject",
        "POST": "CompleteMultipartUpload" if upload else "CreateMultipartUpload",
        "DELETE": "AbortMultipartUpload" if upload else "DeleteObject",
        "GET": "ListParts" if upload else "GetObject",
        "HEAD": "HeadObject",
    }
    found = (of_key if key else of_bucket).get(method)
    if found is None:
        raise RefusedError(405, "MethodNotAllowed")
    return found


def kept_headers(request: ParsedRequest) -> dict[str, str]:
    """Return the headers that the store keeps with an object."""
    kept = {"content-type", "x-amz-storage-class"}
    return {name: value for name, value in request.headers.items() if name.startswith("x-amz-meta-") or name in kept}


def checked_body(request: ParsedRequest, *, takes_trailers: bool) -> bytes:
    """Return the content of a request whose size and checksums are right; one without any checksum is refused."""
    headers = dict(request.headers)
    content = request.body
    if "aws-chunked" in headers.get("content-encoding", ""):
        if not takes_trailers:
            raise RefusedError(411, "MissingContentLength")
        content, trailers = _unwrapped(content)
        headers |= trailers
        if len(content) != int(headers["x-amz-decoded-content-length"]):
            raise RefusedError(400, "IncompleteBody")
    found = _digests(content)
    given = {name: value for name, value in headers.items() if name in found}
    signed = headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
    if any(found[name] != value for name, value in given.items()):
        raise RefusedError(400, "BadDigest")
    if signed not in UNSIGNED and signed != hashlib.sha256(content).hexdigest():
        raise RefusedError(400, "XAmzContentSHA256Mismatch")
    if not given and signed in UNSIGNED:
        raise RefusedError(400, "InvalidRequest", "There is no checksum")
    return content


def unread_body(request: ParsedRequest) -> bytes:
    """Return the body as it came, as a store does that knows neither framing nor checksums."""
    return request.body


def checksums_of(request: ParsedRequest) -> dict[str, str]:
    """Return the headers about checksums, which S3 repeats in its answer."""
    return {name: value for name, value in request.headers.items() if name.startswith("x-amz-checksum-")}


def refuse_checksums(request: ParsedRequest) -> None:
    """Refuse headers about checksums as a store does that does not know them."""
    for name, value in checksums_of(request).items():
        raise RefusedError(501, "NotImplemented", f"Header '{name}' with value '{value}' not implemented")


def check_whole(content: bytes, given: Mapping[str, str]) -> None:
    """Compare the checksum of a whole object, if a completion gives one."""
    digests = _digests(content)
    if any(digests[name] != value for name, value in given.items() if name in digests):
        raise RefusedError(400, "BadDigest", "The checksum of the object is not the one that you specified")


def md5_of(content: bytes) -> str:
    """Return the MD5 of bytes, of which S3 makes ETags."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def named_parts(body: bytes) -> list[tuple[int, str]]:
    """Return number and ETag of the parts that a completion names."""
    return [
        (int(part.findtext("{*}PartNumber") or 0), (part.findtext("{*}ETag") or "").strip('"'))
        for part in ElementTree.fromstring(body).iter()  # noqa: S314  a test's own client wrote it
        if part.tag.rpartition("}")[2] == "Part"
    ]


def error(status: int, code: str, message: str) -> HttpAnswer:
    """Return an error in S3's form."""
    body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return HttpAnswer(status, body.encode(), XML)


def xml(root: str, inside: str) -> HttpAnswer:
    """Return an XML document as answer."""
    text = f'<?xml version="1.0" encoding="UTF-8"?><{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inside}</{root}>'
    return HttpAnswer(200, text.encode(), XML)


def listed_object(found: StoredObject) -> str:
    """Return an object's entry in a listing."""
    return (
        f"<Contents><Key>{quote(found.key)}</Key><Size>{len(found.content)}</Size><ETag>&quot;{found.etag}&quot;</ETag>"
        f"<LastModified>{found.modified_at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
    )


def listed_part(number: int, content: bytes, etag: str) -> str:
    """Return a part's entry in the listing of an upload."""
    return (
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag><Size>{len(content)}</Size>"
        "<LastModified>2026-11-22T02:00:00.000Z</LastModified></Part>"
    )


def escape(text: str) -> str:
    """Return text for an XML element."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _digests(content: bytes) -> dict[str, str]:
    def text(digest: bytes) -> str:
        return base64.b64encode(digest).decode()

    return {
        "content-md5": text(hashlib.md5(content, usedforsecurity=False).digest()),
        "x-amz-checksum-crc32": text(zlib.crc32(content).to_bytes(4, "big")),
        "x-amz-checksum-crc32c": text(google_crc32c.value(content).to_bytes(4, "big")),
        "x-amz-checksum-sha256": text(hashlib.sha256(content).digest()),
    }


def _unwrapped(body: bytes) -> tuple[bytes, dict[str, str]]:
    """Split an aws-chunked body into its content and its trailers."""
    content = b""
    while True:
        head, _, body = body.partition(b"\r\n")
        size = int(head.partition(b";")[0], 16)
        if size == 0:
            break
        content, body = content + body[:size], body[size + 2 :]
    lines = [line.partition(b":") for line in body.split(b"\r\n") if line]
    return content, {name.decode().lower().strip(): value.decode().strip() for name, _, value in lines}
