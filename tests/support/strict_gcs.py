"""A Google Cloud Storage of our own over real HTTP: its JSON API, as far as exports need it, and strict about it.

It recomputes checksums, honours `ifGenerationMatch` when an upload begins and again when it ends, takes chunks in order
and in multiples of 256 KiB alone, may keep a part of a chunk, forgets cancelled uploads, and fails on request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, unquote

import google_crc32c
from support.streaming_http import Reply, Request, http_server

JSON = {"Content-Type": "application/json"}
_CHUNK = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_QUESTION = re.compile(r"bytes \*/(\d+|\*)")
_NEEDS = {
    "list": "storage.objects.list",
    "get": "storage.objects.get",
    "download": "storage.objects.get",
    "delete": "storage.objects.delete",
    "insert": "storage.objects.create",
    "open": "storage.objects.create",
}


@dataclass(frozen=True)
class Call:
    """One request; `turn` counts the calls of this operation and key from 0.

    Operations: `list`, `get`, `download`, `delete`, `insert` (an object in one request), and of a resumable upload
    `open`, `send`, `finish` (the bytes that end it), `ask` (how far it is) and `cancel`.
    """

    operation: str
    key: str
    turn: int


@dataclass(frozen=True)
class Fault:
    """What goes wrong: `before` the call takes effect, `after` it did, or when `half` of a chunk is kept.

    With a `status`, that is the answer; without one the connection is reset.
    """

    when: Literal["before", "half", "after"] = "before"
    status: int = 0
    reason: str = ""


@dataclass
class Stored:
    content: bytes
    given: Mapping[str, Any]
    generation: int


@dataclass
class Upload:
    key: str
    given: Mapping[str, Any]
    query: Mapping[str, str]
    content: bytearray = field(default_factory=bytearray)
    made: Stored | None = None


class _RefusedError(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass
class StrictGCS:
    """The state of the store, to look into and to spoil. One bucket is as good as many: each has its own name space.

    `denied` holds permissions that the identity lacks.
    """

    address: str = ""
    quantum: int = 256 * 1024
    page: int = 3
    stores: Callable[[bytes], bytes] = bytes
    fault: Callable[[Call], Fault | None] = lambda call: None
    denied: frozenset[str] = frozenset()
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    generations: int = 1_700_000_000_000_000
    lock: threading.RLock = field(default_factory=threading.RLock)

    def reset(self) -> None:
        """Empty it, and forget what it was asked and told."""
        with self.lock:
            for each in (self.objects, self.uploads, self.calls, self.requests):
                each.clear()
            self.fault = lambda call: None
            self.denied = frozenset()

    def visible(self) -> dict[str, bytes]:
        return {key: each.content for key, each in sorted(self.objects.items())}

    def open_uploads(self) -> list[str]:
        return sorted(upload.key for upload in self.uploads.values() if upload.made is None)

    # --- requests

    def respond(self, request: Request) -> Reply:
        query = {name: values[0] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
        bucket, _, key = request.path.partition("/b/")[2].partition("/o")
        operation, key = self._operation(request, query, unquote(key.lstrip("/")))
        with self.lock:
            turn = sum((call.operation, call.key) == (operation, key) for call in self.calls)
            call = Call(operation, key, turn)
            self.calls.append(call)
            self.requests.append(request)
        fault = self.fault(call)
        if fault is not None and fault.when == "before":
            return _broken(fault)
        try:
            with self.lock:
                if bucket.startswith("no-such"):
                    raise _RefusedError(404, "notFound", "The specified bucket does not exist.")
                self._check_permission(_NEEDS.get(operation))
                if fault is not None and fault.when == "half":
                    self._keep_half(request, query)
                    return _broken(fault)
                reply: Reply = getattr(self, f"_{operation}")(request, key, query)
        except _RefusedError as refused:
            reply = _error(refused.status, refused.reason, str(refused))
        return reply if fault is None else _broken(fault)

    def _operation(self, request: Request, query: Mapping[str, str], key: str) -> tuple[str, str]:
        if upload := query.get("upload_id"):
            key = self.uploads[upload].key if upload in self.uploads else ""
            place = request.headers.get("content-range", "")
            if request.method == "DELETE":
                return "cancel", key
            return ("ask" if "*/" in place else "send" if place.endswith("/*") else "finish"), key
        if request.method == "POST":
            resumable = query.get("uploadType") == "resumable"
            name = query.get("name") or _given(request, multipart=not resumable)[0].get("name", "")
            return ("open" if resumable else "insert"), name
        if request.method == "DELETE":
            return "delete", key
        if not key:
            return "list", query.get("prefix", "")
        return ("download" if query.get("alt") == "media" else "get"), key

    # --- objects

    def _list(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:
        after = query.get("pageToken", "")
        keys = [each for each in sorted(self.objects) if each.startswith(key) and each > after]
        page = {"items": [{"name": each} for each in keys[: self.page]]}
        more = {"nextPageToken": keys[self.page - 1]} if len(keys) > self.page else {}
        return _json({**page, **more})

    def _get(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:
        return _json(_resource(key, self._object(key, query)))

    def _download(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:
        content = self._object(key, query).content
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if not found:
            return Reply(200, content)
        first, last = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
        if first > last:
            raise _RefusedError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
        return Reply(206, content[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(content)}"})

    def _delete(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:
        self._object(key, query)
        self._check_generation(key, query)
        del self.objects[key]
        return Reply(204)

    def _insert(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:
        given, content = _given(request, multipart=True)
        return _json(_resource(key, self._make(key, given, query, content, request.headers)))

    # --- resumable uploads

    def _open(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:
        self._check_overwriting(key, query)
        upload = f"u{len(self.calls)}-as-good-as-a-password"
        self.uploads[upload] = Upload(key, _given(request, multipart=False)[0], query)
        path = f"{self.address}{request.path}?uploadType=resumable&upload_id={upload}"
        return Reply(200, b"", {"Location": path})

    def _send(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:
        upload = self._upload(query)
        self._append(upload, request)
        return _confirmed(upload)

    def _finish(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:
        upload = self._upload(query)
        if upload.made is None:
            total = self._append(upload, request)
            if len(upload.content) != total:
                return _confirmed(upload)
            self._end(upload, request)
        assert upload.made is not None
        return _json(_resource(key, upload.made))

    def _ask(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:
        upload = self._upload(query)
        found = _QUESTION.fullmatch(request.headers["content-range"])
        assert found, request.headers["content-range"]
        if upload.made is None and found[1] == str(len(upload.content)):
            self._end(upload, request)
        return _confirmed(upload) if upload.made is None else _json(_resource(key, upload.made))

    def _cancel(self, request: Request, key: str, query: Mapping[str, str]) -> Reply:
        self._upload(query)
        del self.uploads[query["upload_id"]]
        return Reply(499)

    def _append(self, upload: Upload, request: Request, most: int | None = None) -> int:
        """Take a chunk, or the first bytes of it; gives the total that it names, -1 for none."""
        found = _CHUNK.fullmatch(request.headers["content-range"])
        assert found, request.headers["content-range"]
        first, last, total = int(found[1]), int(found[2]), -1 if found[3] == "*" else int(found[3])
        if len(request.body) != last - first + 1:
            raise _RefusedError(400, "invalid", "Content-Length and Content-Range differ")
        if first != len(upload.content):
            raise _RefusedError(400, "invalid", f"A chunk at byte {first}, {len(upload.content)} are there")
        if last + 1 != total and len(request.body) % self.quantum:
            raise _RefusedError(400, "invalid", f"A chunk of {len(request.body)} bytes that is not the last")
        upload.content += request.body[:most]
        return total

    def _keep_half(self, request: Request, query: Mapping[str, str]) -> None:
        self._append(self._upload(query), request, len(request.body) // 2 // self.quantum * self.quantum)

    def _end(self, upload: Upload, request: Request) -> None:
        upload.made = self._make(upload.key, upload.given, upload.query, bytes(upload.content), request.headers)

    # --- rules

    def _make(
        self,
        key: str,
        given: Mapping[str, Any],
        query: Mapping[str, str],
        content: bytes,
        headers: Mapping[str, str],
    ) -> Stored:
        self._check_overwriting(key, query)
        stated = re.search(r"crc32c=([^,]+)", headers.get("x-goog-hash", ""))
        for checksum in (given.get("crc32c"), stated and stated[1]):
            if checksum and checksum != crc32c(content):
                raise _RefusedError(400, "invalid", f"Provided CRC32C {checksum} doesn't match {crc32c(content)}.")
        self.generations += 1
        self.objects[key] = Stored(self.stores(content), given, self.generations)
        return self.objects[key]

    def _check_overwriting(self, key: str, query: Mapping[str, str]) -> None:
        self._check_generation(key, query)
        if key in self.objects:
            self._check_permission("storage.objects.delete")

    def _check_permission(self, needed: str | None) -> None:
        if needed in self.denied:
            raise _RefusedError(403, "forbidden", f"worker does not have {needed} access to the object.")

    def _check_generation(self, key: str, query: Mapping[str, str]) -> None:
        there = self.objects[key].generation if key in self.objects else 0
        if int(query.get("ifGenerationMatch", there)) != there:
            raise _RefusedError(412, "conditionNotMet", "At least one of the pre-conditions did not hold.")

    def _object(self, key: str, query: Mapping[str, str]) -> Stored:
        found = self.objects.get(key)
        if found is None or int(query.get("generation", found.generation)) != found.generation:
            raise _RefusedError(404, "notFound", f"No such object: {key}")
        return found

    def _upload(self, query: Mapping[str, str]) -> Upload:
        if query["upload_id"] not in self.uploads:
            raise _RefusedError(410, "gone", "The upload was cancelled or has expired.")
        return self.uploads[query["upload_id"]]


@contextmanager
def strict_gcs(**settings: object) -> Iterator[StrictGCS]:
    """Serve one."""
    store = StrictGCS(**settings)  # type: ignore[arg-type]  # passed on as they are
    with http_server(store.respond) as address:
        store.address = address
        yield store


def crc32c(content: bytes) -> str:
    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()


def _given(request: Request, *, multipart: bool) -> tuple[dict[str, Any], bytes]:
    """Read what an upload says of its object and, of one in a single request, the content."""
    if not multipart:
        return json.loads(request.body or b"{}"), b""
    boundary = request.headers["content-type"].partition("boundary=")[2].strip('"').encode()
    _, about, content, _ = request.body.split(b"--" + boundary)
    return json.loads(about.partition(b"\r\n\r\n")[2]), content.partition(b"\r\n\r\n")[2][:-2]


def _resource(key: str, stored: Stored) -> dict[str, Any]:
    return {
        "kind": "storage#object",
        "name": key,
        "generation": str(stored.generation),
        "metageneration": "1",
        "size": str(len(stored.content)),
        "crc32c": crc32c(stored.content),
        "md5Hash": base64.b64encode(hashlib.md5(stored.content).digest()).decode(),
        "etag": f"e{stored.generation}",
        **{name: value for name, value in stored.given.items() if name not in {"name", "crc32c"}},
    }


def _confirmed(upload: Upload) -> Reply:
    return Reply(308, b"", {"Range": f"bytes=0-{len(upload.content) - 1}"} if upload.content else {})


def _broken(fault: Fault) -> Reply:
    return _error(fault.status, fault.reason, "as told") if fault.status else Reply(no_answer=True)


def _error(status: int, reason: str, message: str) -> Reply:
    details = [{"reason": reason, "message": message, "domain": "global"}]
    return Reply(status, json.dumps({"error": {"code": status, "message": message, "errors": details}}).encode(), JSON)


def _json(content: Mapping[str, Any]) -> Reply:
    return Reply(200, json.dumps(content).encode(), JSON)
