"""What is said to and by the JSON API of Google Cloud Storage: requests taken apart, resources and errors put together.

What a request says wrongly, or says that is not understood here, is refused and never passed over.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, unquote

import google_crc32c
from support.streaming.http import Reply, Request

JSON = {"Content-Type": "application/json; charset=UTF-8"}
_PATH = re.compile(r"(/upload|/download)?/storage/v1/b/([^/]+)(/o(?:/([^/]+))?)?")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_CHUNK = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_QUESTION = re.compile(r"bytes \*/(\d+|\*)")
_NUMBERS = {"generation", "ifGenerationMatch", "maxResults"}
_UNDERSTOOD = _NUMBERS | {
    *("alt", "fields", "kmsKeyName", "name", "pageToken", "predefinedAcl", "prefix", "prettyPrint", "projection"),
    *("uploadType", "upload_id", "userProject"),
}
"""A condition that is passed over would let a test pass that should not."""


class RefusedError(Exception):
    """What a request is answered with instead of what it asks for."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Asked:
    """A request, taken apart; `key` is empty where the request is about a bucket or names its object in the body."""

    method: str
    path: str
    is_upload: bool
    bucket: str
    about_objects: bool
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Chunk:
    """Where the bytes of a request belong; `total` is -1 where it is left open."""

    first: int
    last: int
    total: int


def asked(request: Request) -> Asked:
    found = _PATH.fullmatch(request.path)
    query = {name: values[0] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
    if not found:
        raise RefusedError(404, "notFound", f"There is nothing at {request.path}")
    for name in query.keys() - _UNDERSTOOD:
        raise RefusedError(400, "invalidParameter", f"Unknown parameter {name}")
    for name in query.keys() & _NUMBERS:
        if not query[name].isdecimal():
            raise RefusedError(400, "invalidParameter", f"{name}={query[name]}")
    return Asked(
        *(request.method, request.path, found[1] == "/upload", unquote(found[2]), bool(found[3])),
        *(unquote(found[4] or ""), query, request.headers, request.body),
    )


def given(request: Asked) -> tuple[dict[str, Any], bytes]:
    """Read what an upload says of its object and, where it is made by this one request, the content."""
    kind, headers = request.query.get("uploadType"), request.headers
    if kind == "media":
        about, content, content_type = "{}", request.body, headers.get("content-type")
    elif kind == "resumable":
        about, content, content_type = request.body.decode() or "{}", b"", headers.get("x-upload-content-type")
    elif kind == "multipart":
        about, content, content_type = _two_parts(request)
    else:
        raise RefusedError(400, "invalid", f"uploadType={kind}")
    try:
        told = json.loads(about)
    except ValueError:
        raise RefusedError(400, "parseError", "What is said of the object is no JSON") from None
    name = request.query.get("name") or told.get("name")
    if not name:
        raise RefusedError(400, "required", "Required parameter: name")
    typed = {"contentType": content_type} if content_type else {}
    return {**typed, **told, "name": name}, content


def _two_parts(request: Asked) -> tuple[str, bytes, str | None]:
    boundary = re.search(r'multipart/related; *boundary="?([^";]+)', request.headers.get("content-type", ""))
    marks = re.escape(boundary[1].encode()) if boundary else b""
    parts = re.fullmatch(
        b"--%s\r\n(.*?)\r\n--%s\r\n(.*)\r\n--%s--\\s*" % (marks, marks, marks), request.body, re.DOTALL
    )
    if not boundary or not parts:
        raise RefusedError(400, "parseError", "Two parts and their boundary are expected")
    head, _, content = parts[2].partition(b"\r\n\r\n")
    content_type = re.search(rb"content-type: *(\S+)", head, re.IGNORECASE)
    return parts[1].partition(b"\r\n\r\n")[2].decode(), content, content_type and content_type[1].decode()


def chunk(request: Asked) -> Chunk:
    """Read where the bytes of a request of an upload session belong."""
    found = _CHUNK.fullmatch(request.headers.get("content-range", ""))
    if not found:
        raise RefusedError(400, "invalid", f"Content-Range: {request.headers.get('content-range')}")
    read = Chunk(int(found[1]), int(found[2]), -1 if found[3] == "*" else int(found[3]))
    if len(request.body) != read.last - read.first + 1:
        raise RefusedError(400, "invalid", "Content-Length and Content-Range differ")
    if read.total != -1 and read.last >= read.total:
        raise RefusedError(400, "invalid", f"A byte {read.last} of {read.total}")
    return read


def question(request: Asked) -> int:
    """Read the total that a request without bytes names, -1 for none."""
    found = _QUESTION.fullmatch(request.headers.get("content-range", ""))
    if not found or request.body:
        raise RefusedError(400, "invalid", f"Content-Range: {request.headers.get('content-range')}")
    return -1 if found[1] == "*" else int(found[1])


def check_hashes(content: bytes, told: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Compare what the bytes are with what the resource and the header `x-goog-hash` say of them."""
    found = hashes(content)
    of_header = [each.strip().partition("=") for each in headers.get("x-goog-hash", "").split(",") if each.strip()]
    stated = [(name, value) for name, _, value in of_header]
    stated += [(name, told[field]) for name, field in (("crc32c", "crc32c"), ("md5", "md5Hash")) if told.get(field)]
    for name, value in stated:
        if found.get(name) != value:
            message = f"Provided {name.upper()} {value} doesn't match calculated {found.get(name)}."
            raise RefusedError(400, "invalid", message)


def hashes(content: bytes) -> dict[str, str]:
    crc32c = google_crc32c.value(content).to_bytes(4, "big")
    return {
        "crc32c": base64.b64encode(crc32c).decode(),
        "md5": base64.b64encode(hashlib.md5(content).digest()).decode(),
    }


def resource(bucket: str, content: bytes, told: Mapping[str, Any], generation: int) -> dict[str, Any]:
    """Describe an object; what was told of it is kept, and what the store finds itself cannot be told."""
    digests = hashes(content)
    made = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=generation)
    return {
        "contentType": "application/octet-stream",
        "storageClass": "STANDARD",
        **told,
        "kind": "storage#object",
        "id": f"{bucket}/{told['name']}/{generation}",
        "bucket": bucket,
        "generation": str(generation),
        "metageneration": "1",
        "size": str(len(content)),
        "crc32c": digests["crc32c"],
        "md5Hash": digests["md5"],
        "etag": f"e{generation}",
        "timeCreated": f"{made:%Y-%m-%dT%H:%M:%S.%fZ}",
        "updated": f"{made:%Y-%m-%dT%H:%M:%S.%fZ}",
    }


def download(request: Asked, content: bytes, about: Mapping[str, Any]) -> Reply:
    """Answer with the bytes, or the stretch of them that is asked for, and the hashes of the whole."""
    headers = {
        "Content-Type": about["contentType"],
        "ETag": about["etag"],
        "X-Goog-Generation": about["generation"],
        "X-Goog-Hash": f"crc32c={about['crc32c']},md5={about['md5Hash']}",
        "X-Goog-Stored-Content-Length": about["size"],
    }
    if "contentEncoding" in about:
        headers["Content-Encoding"] = headers["X-Goog-Stored-Content-Encoding"] = about["contentEncoding"]
    if "range" not in request.headers:
        return Reply(200, content, headers)
    found = _RANGE.fullmatch(request.headers["range"])
    if not found or found[0] == "bytes=-":
        raise RefusedError(400, "invalid", f"Range: {request.headers['range']}")
    first = int(found[1]) if found[1] else max(len(content) - int(found[2]), 0)
    last = min(int(found[2]), len(content) - 1) if found[1] and found[2] else len(content) - 1
    if first > last:
        raise RefusedError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    return Reply(206, content[first : last + 1], headers)


def confirmed(so_many: int) -> Reply:
    """Say how many bytes of an upload are kept; of none, there is no range to name."""
    return Reply(308, b"", {"Range": f"bytes=0-{so_many - 1}"} if so_many else {})


def error(status: int, reason: str, message: str) -> Reply:
    details = [{"reason": reason, "message": message, "domain": "global"}]
    return Reply(status, json.dumps({"error": {"code": status, "message": message, "errors": details}}).encode(), JSON)


def answer(content: Mapping[str, Any]) -> Reply:
    return Reply(200, json.dumps(content).encode(), JSON)
