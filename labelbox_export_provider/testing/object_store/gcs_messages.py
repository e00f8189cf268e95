"""The wire format of Google Cloud Storage's JSON API: parsed requests, resources, answers and errors.

A request that is wrong or not understood here is refused, never ignored: an ignored condition would let a test pass.
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
from urllib.parse import unquote

import google_crc32c

from labelbox_export_provider.testing.http.server import HttpAnswer, HttpRequest
from labelbox_export_provider.testing.object_store.store import ParsedRequest, RefusedError, StoredObject

JSON = {"content-type": "application/json; charset=UTF-8"}
_PATH = re.compile(r"(/upload|/download)?/storage/v1/b/([^/]+)(/o(?:/([^/]+))?)?")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_CHUNK = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_QUESTION = re.compile(r"bytes \*/(\d+|\*)")
_NUMBERS = {"generation", "ifGenerationMatch", "maxResults"}
_UNDERSTOOD = _NUMBERS | {
    *("alt", "fields", "kmsKeyName", "name", "pageToken", "predefinedAcl", "prefix", "prettyPrint", "projection"),
    *("uploadType", "upload_id", "userProject"),
}


@dataclass(frozen=True)
class Path:
    """A request's path; `key` is empty where the request is about a bucket or names its object in the body."""

    is_upload: bool
    bucket: str
    about_objects: bool
    key: str


@dataclass(frozen=True)
class Chunk:
    """The position of a request's bytes in its object; `total` is -1 where it is left open."""

    first: int
    last: int
    total: int


def parse_path(request: HttpRequest) -> Path:
    """Parse a request's path and check its query parameters."""
    found = _PATH.fullmatch(request.raw_path)
    if not found:
        raise RefusedError(404, "notFound", f"There is nothing at {request.raw_path}")
    for name in request.query.keys() - _UNDERSTOOD:
        raise RefusedError(400, "invalidParameter", f"Unknown parameter {name}")
    for name in request.query.keys() & _NUMBERS:
        if not request.query[name].isdecimal():
            raise RefusedError(400, "invalidParameter", f"{name}={request.query[name]}")
    return Path(found[1] == "/upload", unquote(found[2]), bool(found[3]), unquote(found[4] or ""))


def parse_object(request: HttpRequest) -> tuple[dict[str, Any], bytes]:
    """Return the resource that an upload describes and, for an upload of one request, the content."""
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
        described = json.loads(about)
    except ValueError:
        raise RefusedError(400, "parseError", "The resource is not valid JSON") from None
    name = request.query.get("name") or described.get("name")
    if not name:
        raise RefusedError(400, "required", "Required parameter: name")
    typed = {"contentType": content_type} if content_type else {}
    return {**typed, **described, "name": name}, content


def _two_parts(request: HttpRequest) -> tuple[str, bytes, str | None]:
    boundary = re.search(r'multipart/related; *boundary="?([^";]+)', request.headers.get("content-type", ""))
    marks = re.escape(boundary[1].encode()) if boundary else b""
    parts = re.fullmatch(
        b"--%s\r\n(.*?)\r\n--%s\r\n(.*)\r\n--%s--\\s*" % (marks, marks, marks), request.body, re.DOTALL
    )
    if not boundary or not parts:
        raise RefusedError(400, "parseError", "Two parts and their boundary are expected")
    head, _, content = parts[2].partition(b"\r\n\r\n")
    content_type = re.search(rb"content-type: *(\S+)", head, re.IGNORECASE)
    described = parts[1].partition(b"\r\n\r\n")[2].decode()
    return described, content, content_type[1].decode() if content_type else None


def parse_chunk(request: ParsedRequest) -> Chunk:
    """Return the position of a request's bytes in the object of its upload session."""
    found = _CHUNK.fullmatch(request.headers.get("content-range", ""))
    if not found:
        raise RefusedError(400, "invalid", f"Content-Range: {request.headers.get('content-range')}")
    read = Chunk(int(found[1]), int(found[2]), -1 if found[3] == "*" else int(found[3]))
    if len(request.body) != read.last - read.first + 1:
        raise RefusedError(400, "invalid", "Content-Length and Content-Range differ")
    if read.total != -1 and read.last >= read.total:
        raise RefusedError(400, "invalid", f"A byte {read.last} of {read.total}")
    return read


def parse_question(request: ParsedRequest) -> int:
    """Return the total that a request without bytes names, -1 for none."""
    found = _QUESTION.fullmatch(request.headers.get("content-range", ""))
    if not found or request.body:
        raise RefusedError(400, "invalid", f"Content-Range: {request.headers.get('content-range')}")
    return -1 if found[1] == "*" else int(found[1])


def check_hashes(
    content: bytes, described: Mapping[str, Any], headers: Mapping[str, str], *, code: str = "invalid"
) -> None:
    """Refuse content whose hashes differ from those in the resource or the header `x-goog-hash`."""
    found = hashes(content)
    of_header = [each.strip().partition("=") for each in headers.get("x-goog-hash", "").split(",") if each.strip()]
    stated = [(name, value) for name, _, value in of_header]
    fields = (("crc32c", "crc32c"), ("md5", "md5Hash"))
    stated += [(name, described[field]) for name, field in fields if described.get(field)]
    for name, value in stated:
        if found.get(name) != value:
            message = f"Provided {name.upper()} {value} doesn't match calculated {found.get(name)}."
            raise RefusedError(400, code, message)


def hashes(content: bytes) -> dict[str, str]:
    """Return the hashes of bytes as the API writes them."""
    crc32c = google_crc32c.value(content).to_bytes(4, "big")
    return {
        "crc32c": base64.b64encode(crc32c).decode(),
        "md5": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
    }


def resource(found: StoredObject) -> dict[str, Any]:
    """Return the resource of an object: the members of its upload, and those that the store derives itself."""
    digests = hashes(found.content)
    made = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=found.generation)
    return {
        "contentType": "application/octet-stream",
        "storageClass": "STANDARD",
        **found.metadata,
        "kind": "storage#object",
        "id": f"{found.bucket}/{found.key}/{found.generation}",
        "bucket": found.bucket,
        "name": found.key,
        "generation": str(found.generation),
        "metageneration": "1",
        "size": str(len(found.content)),
        "crc32c": digests["crc32c"],
        # An object of a multipart upload has none.
        **({} if found.etag else {"md5Hash": digests["md5"]}),
        "etag": f"e{found.generation}",
        "timeCreated": f"{made:%Y-%m-%dT%H:%M:%S.%fZ}",
        "updated": f"{found.modified_at:%Y-%m-%dT%H:%M:%S.%fZ}",
    }


def download(request: ParsedRequest, content: bytes, about: Mapping[str, Any]) -> HttpAnswer:
    """Return the bytes, or the requested range of them, and the hashes of the whole object."""
    headers = {
        "content-type": about["contentType"],
        "etag": about["etag"],
        "x-goog-generation": about["generation"],
        "x-goog-hash": ",".join(
            f"{name}={about[member]}" for name, member in (("crc32c", "crc32c"), ("md5", "md5Hash")) if member in about
        ),
        "x-goog-stored-content-length": about["size"],
    }
    if "contentEncoding" in about:
        headers["content-encoding"] = headers["x-goog-stored-content-encoding"] = about["contentEncoding"]
    if "range" not in request.headers:
        return HttpAnswer(200, content, headers)
    found = _RANGE.fullmatch(request.headers["range"])
    if not found or found[0] == "bytes=-":
        raise RefusedError(400, "invalid", f"Range: {request.headers['range']}")
    first = int(found[1]) if found[1] else max(len(content) - int(found[2]), 0)
    last = min(int(found[2]), len(content) - 1) if found[1] and found[2] else len(content) - 1
    if first > last:
        raise RefusedError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
    headers["content-range"] = f"bytes {first}-{last}/{len(content)}"
    return HttpAnswer(206, content[first : last + 1], headers)


def confirmed(size: int) -> HttpAnswer:
    """Return how many bytes of an upload are kept; there is no range for none."""
    return HttpAnswer(308, b"", {"range": f"bytes=0-{size - 1}"} if size else {})


def error(status: int, code: str, message: str) -> HttpAnswer:
    """Return an error in the API's form."""
    details = [{"reason": code, "message": message, "domain": "global"}]
    return answer({"error": {"code": status, "message": message, "errors": details}}, status)


def answer(content: Mapping[str, Any], status: int = 200) -> HttpAnswer:
    """Return a JSON document as answer."""
    return HttpAnswer(status, json.dumps(content).encode(), JSON)
