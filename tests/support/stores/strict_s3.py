"""An S3 of our own over real HTTP: small, and strict about everything that the stand-ins let pass.

It recomputes checksums and refuses wrong ones and missing ones, honours `If-None-Match` on both kinds of upload, checks
sizes, and fails on request: a call may be refused, cut off before or after it took effect, or answered 200 with an
error.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs, quote, unquote
from xml.etree import ElementTree

import google_crc32c
from support.streaming.http import Reply, Request, http_server

SHA256_UNSIGNED = {"UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
XML = {"Content-Type": "application/xml"}


@dataclass(frozen=True)
class Call:
    """One request, named as the API names it; `turn` counts the calls of this operation and key from 0."""

    operation: str
    key: str
    part: int
    turn: int


@dataclass(frozen=True)
class Fault:
    """What goes wrong: `before` the call takes effect, or `after` it did, so that only its answer is lost.

    `error` is the code of an answer, with its HTTP status; without one the connection is reset. `in_body` sends the
    error under status 200, as S3 does when a completion fails after it has begun to answer.
    """

    when: Literal["before", "after"] = "before"
    error: str = ""
    status: int = 0
    in_body: bool = False
    message: str = "as told"


@dataclass
class _Object:
    content: bytes
    headers: dict[str, str]
    etag: str


@dataclass
class _Upload:
    key: str
    headers: dict[str, str]
    parts: dict[int, tuple[bytes, str]] = field(default_factory=dict)


class _RefusedError(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass
class StrictS3:
    """The state of the store, to look into and to spoil. One bucket is as good as many: each has its own name space."""

    address: str = ""
    minimum_part_bytes: int = 5 * 1024**2
    takes_trailers: bool = True
    checks_size: bool = True
    joins: Callable[[list[bytes]], bytes] = b"".join
    page: int = 3
    fault: Callable[[Call], Fault | None] = lambda call: None
    denied: frozenset[str] = frozenset()
    objects: dict[str, _Object] = field(default_factory=dict)
    uploads: dict[str, _Upload] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    headers: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    unprotected: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def reset(self) -> None:
        """Empty it, and forget what it was asked and told."""
        with self.lock:
            for each in (self.objects, self.uploads, self.calls, self.headers, self.unprotected):
                each.clear()
            self.fault = lambda call: None

    def visible(self) -> dict[str, bytes]:
        return {key: each.content for key, each in sorted(self.objects.items())}

    def open_uploads(self) -> list[str]:
        return sorted(upload.key for upload in self.uploads.values())

    # --- requests

    def respond(self, request: Request) -> Reply:
        bucket, _, key = unquote(request.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
        operation = _operation(request.method, key, query)
        target = key or query.get("prefix", "")
        with self.lock:
            turn = sum((call.operation, call.key) == (operation, target) for call in self.calls)
            call = Call(operation, target, int(query.get("partNumber", 0)), turn)
            self.calls.append(call)
            self.headers.append((operation, request.headers))
        fault = self.fault(call)
        if fault is not None and fault.when == "before":
            return _broken(fault)
        try:
            with self.lock:
                self._check_bucket(bucket, operation)
                reply: Reply = getattr(self, f"_{operation}")(request, key, query)
        except _RefusedError as refused:
            reply = _error(refused.status, refused.code)
        if fault is not None:
            return _broken(fault)
        return reply

    def _check_bucket(self, bucket: str, operation: str) -> None:
        if operation in self.denied:
            raise _RefusedError(403, "AccessDenied")
        if bucket.startswith("no-such"):
            raise _RefusedError(404, "NoSuchBucket")

    # --- objects

    def _PutObject(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:  # noqa: N802
        content = self._checked_body(request, "PutObject")
        self._check_creation(request, key)
        etag = hashlib.md5(content).hexdigest()
        self.objects[key] = _Object(content, _kept(request), etag)
        return Reply(200, b"", {"ETag": f'"{etag}"'})

    def _GetObject(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:  # noqa: N802
        found = self._object(key)
        return Reply(200, found.content, {"ETag": f'"{found.etag}"', **found.headers})

    def _HeadObject(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:  # noqa: N802
        found = self._object(key)
        headers = {"ETag": f'"{found.etag}"', **found.headers}
        return Reply(200, b"", headers, content_length=len(found.content))

    def _DeleteObject(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:  # noqa: N802
        self.objects.pop(key, None)
        return Reply(204)

    def _ListObjectsV2(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:  # noqa: N802
        after = query.get("continuation-token", "")
        keys = [each for each in sorted(self.objects) if each.startswith(query.get("prefix", "")) and each > after]
        listed = "".join(f"<Contents><Key>{quote(each)}</Key></Contents>" for each in keys[: self.page])
        more = len(keys) > self.page
        token = f"<NextContinuationToken>{_escape(keys[self.page - 1])}</NextContinuationToken>" if more else ""
        return _xml(
            "ListBucketResult",
            f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>{token}{listed}",
        )

    # --- multipart uploads

    def _CreateMultipartUpload(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:  # noqa: N802
        # Not the number of calls: another request may be counted between this one's and here.
        upload = f"u{next(self.numbers)}"
        self.uploads[upload] = _Upload(key, _kept(request))
        return _xml("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")

    def _UploadPart(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:  # noqa: N802
        content = self._checked_body(request, "UploadPart")
        etag = hashlib.md5(content).hexdigest()
        self._upload(key, query).parts[int(query["partNumber"])] = (content, etag)
        return Reply(200, b"", {"ETag": f'"{etag}"'})

    def _CompleteMultipartUpload(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:  # noqa: N802
        upload = self._upload(key, query)
        named = [
            (int(part.findtext("{*}PartNumber") or 0), (part.findtext("{*}ETag") or "").strip('"'))
            for part in ElementTree.fromstring(request.body).iter()
            if part.tag.endswith("}Part")
        ]
        if named != sorted(named) or len({number for number, _ in named}) != len(named):
            raise _RefusedError(400, "InvalidPartOrder")
        if not named or any(upload.parts.get(number, (b"", ""))[1] != etag for number, etag in named):
            raise _RefusedError(400, "InvalidPart")
        parts = [upload.parts[number][0] for number, _ in named]
        if any(len(part) < self.minimum_part_bytes for part in parts[:-1]):
            raise _RefusedError(400, "EntityTooSmall")
        content = self.joins(parts)
        if self.checks_size and int(request.headers.get("x-amz-mp-object-size", len(content))) != len(content):
            raise _RefusedError(400, "InvalidRequest")
        self._check_creation(request, key)
        of_parts = hashlib.md5(b"".join(bytes.fromhex(upload.parts[number][1]) for number, _ in named))
        etag = f"{of_parts.hexdigest()}-{len(parts)}"
        self.objects[key] = _Object(content, upload.headers, etag)
        del self.uploads[query["uploadId"]]
        return _xml("CompleteMultipartUploadResult", f'<ETag>"{etag}"</ETag>')

    def _AbortMultipartUpload(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:  # noqa: N802
        self._upload(key, query)
        del self.uploads[query["uploadId"]]
        return Reply(204)

    def _ListMultipartUploads(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:  # noqa: N802
        after = (query.get("key-marker", ""), query.get("upload-id-marker", ""))
        found = sorted(
            (upload.key, name)
            for name, upload in self.uploads.items()
            if upload.key.startswith(query.get("prefix", "")) and (upload.key, name) > after
        )
        page = found[: self.page]
        # Clients decode keys in listings of objects, not in those of uploads, and do not ask for it there.
        listed = "".join(f"<Upload><Key>{_escape(key)}</Key><UploadId>{name}</UploadId></Upload>" for key, name in page)
        more = len(found) > self.page
        marker = (
            f"<NextKeyMarker>{_escape(page[-1][0])}</NextKeyMarker><NextUploadIdMarker>{page[-1][1]}</NextUploadIdMarker>"
            if more
            else ""
        )
        return _xml(
            "ListMultipartUploadsResult",
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{marker}{listed}",
        )

    # --- rules

    def _object(self, key: str) -> _Object:
        if key not in self.objects:
            raise _RefusedError(404, "NoSuchKey")
        return self.objects[key]

    def _upload(self, key: str, query: Mapping[str, str]) -> _Upload:
        upload = self.uploads.get(query["uploadId"])
        if upload is None or upload.key != key:
            raise _RefusedError(404, "NoSuchUpload")
        return upload

    def _check_creation(self, request: Request, key: str) -> None:
        if request.headers.get("if-none-match") == "*" and key in self.objects:
            raise _RefusedError(412, "PreconditionFailed")

    def _checked_body(self, request: Request, operation: str) -> bytes:
        headers = dict(request.headers)
        content = request.body
        if "aws-chunked" in headers.get("content-encoding", ""):
            if not self.takes_trailers:
                raise _RefusedError(411, "MissingContentLength")
            content, trailers = _unwrapped(content)
            headers |= trailers
            if len(content) != int(headers["x-amz-decoded-content-length"]):
                raise _RefusedError(400, "IncompleteBody")
        found = _digests(content)
        given = {name: value for name, value in headers.items() if name in found}
        signed = headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        if any(found[name] != value for name, value in given.items()):
            raise _RefusedError(400, "BadDigest")
        if signed not in SHA256_UNSIGNED and signed != hashlib.sha256(content).hexdigest():
            raise _RefusedError(400, "XAmzContentSHA256Mismatch")
        if not given and signed in SHA256_UNSIGNED:
            self.unprotected.append(operation)
            raise _RefusedError(400, "InvalidRequest")
        return content


@contextmanager
def strict_s3(tls: ssl.SSLContext | None = None, **settings: object) -> Iterator[StrictS3]:
    """Serve one, over TLS where a context is given."""
    store = StrictS3(**settings)  # type: ignore[arg-type]  # passed on as they are
    with http_server(store.respond, tls=tls) as address:
        store.address = address
        yield store


def _operation(method: str, key: str, query: Mapping[str, str]) -> str:
    if not key:
        return "ListMultipartUploads" if "uploads" in query else "ListObjectsV2"
    upload = "uploadId" in query
    return {
        "PUT": "UploadPart" if upload else "PutObject",
        "POST": "CompleteMultipartUpload" if upload else "CreateMultipartUpload",
        "DELETE": "AbortMultipartUpload" if upload else "DeleteObject",
        "GET": "GetObject",
        "HEAD": "HeadObject",
    }[method]


def _kept(request: Request) -> dict[str, str]:
    return {
        name: value
        for name, value in request.headers.items()
        if name.startswith("x-amz-meta-") or name in {"content-type", "x-amz-storage-class"}
    }


def _digests(content: bytes) -> dict[str, str]:
    def text(digest: bytes) -> str:
        return base64.b64encode(digest).decode()

    return {
        "content-md5": text(hashlib.md5(content).digest()),
        "x-amz-checksum-crc32": text(zlib.crc32(content).to_bytes(4, "big")),
        "x-amz-checksum-crc32c": text(google_crc32c.value(content).to_bytes(4, "big")),
        "x-amz-checksum-sha256": text(hashlib.sha256(content).digest()),
    }


def _unwrapped(body: bytes) -> tuple[bytes, dict[str, str]]:
    """Take an aws-chunked body apart into its content and its trailers."""
    content = b""
    while True:
        head, _, body = body.partition(b"\r\n")
        size = int(head.partition(b";")[0], 16)
        if size == 0:
            break
        content, body = content + body[:size], body[size + 2 :]
    lines = [line.partition(b":") for line in body.split(b"\r\n") if line]
    return content, {name.decode().lower().strip(): value.decode().strip() for name, _, value in lines}


def _broken(fault: Fault) -> Reply:
    if not fault.error:
        return Reply(no_answer=True)
    return _error(200 if fault.in_body else fault.status, fault.error, fault.message)


def _error(status: int, code: str, message: str = "as told") -> Reply:
    return Reply(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode(), XML)


def _xml(root: str, inside: str) -> Reply:
    text = f'<?xml version="1.0" encoding="UTF-8"?><{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inside}</{root}>'
    return Reply(200, text.encode(), XML)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
