"""A Google Cloud Storage of our own over real HTTP: its JSON API, as far as exports need it, and strict about it.

It recomputes checksums, honours `ifGenerationMatch` when an upload begins and again when it ends, takes chunks in order
and in multiples of 256 KiB alone, may keep a part of a chunk, forgets cancelled uploads, and fails on request.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from support.stores.gcs_messages import (
    Asked,
    Chunk,
    RefusedError,
    answer,
    asked,
    check_hashes,
    chunk,
    confirmed,
    download,
    error,
    given,
    question,
    resource,
)
from support.streaming.http import Reply, Request, http_server

_NEEDS = {
    "list": "storage.objects.list",
    "get": "storage.objects.get",
    "download": "storage.objects.get",
    "delete": "storage.objects.delete",
    "insert": "storage.objects.create",
    "open": "storage.objects.create",
}
"""What exports need. A look at the bucket itself, which they take no notice of, needs `storage.buckets.get`."""


@dataclass(frozen=True)
class Call:
    """One request; `turn` counts the calls of this operation and key from 0.

    Operations: `list`, `get`, `download`, `delete`, `insert` (an object in one request), and of a resumable upload
    `open`, `send`, `finish` (the bytes that end it), `ask` (how far it is) and `cancel`. `bucket` is a look at the
    bucket, which the client library also takes unasked, in a thread of its own and so at any time.
    """

    operation: str
    key: str
    turn: int


@dataclass(frozen=True)
class Fault:
    """What goes wrong: `before` the call takes effect, `after` it did, or when `half` of a chunk is kept.

    With a `status`, that is the answer, with `body` instead of Google's form; without one the connection is reset. With
    `half`, `keeps` says how many bytes are kept instead of half of them; in either case as many as make whole multiples
    of 256 KiB. A call that sends no chunk has no half.
    """

    when: Literal["before", "half", "after"] = "before"
    status: int = 0
    reason: str = ""
    keeps: int | None = None
    body: bytes | None = None


@dataclass
class Stored:
    bucket: str
    content: bytes
    given: Mapping[str, Any]
    generation: int

    def resource(self) -> dict[str, Any]:
        return resource(self.bucket, self.content, self.given, self.generation)


@dataclass
class Upload:
    """`total` is -1 until the client has named it; `gone` is what a session that is no more is answered with."""

    key: str
    given: Mapping[str, Any]
    query: Mapping[str, str]
    total: int = -1
    content: bytearray = field(default_factory=bytearray)
    made: Stored | None = None
    gone: int = 0


@dataclass
class StrictGCS:
    """The state of the store, to look into and to spoil. One bucket is as good as many: each has its own name space.

    `denied` holds permissions that the identity lacks. `stores` makes other bytes of what arrives. GCS itself passes
    over bytes that it has and is sent again, and its client library counts on that; with `takes_overlaps` it is so
    here, without it the chunk is refused.
    """

    address: str = ""
    quantum: int = 256 * 1024
    page: int = 3
    takes_overlaps: bool = False
    stores: Callable[[bytes], bytes] = bytes
    fault: Callable[[Call], Fault | None] = lambda call: None
    denied: frozenset[str] = frozenset()
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    generations: int = 1_700_000_000_000_000
    numbers: Iterator[int] = field(default_factory=itertools.count)
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
        return sorted(upload.key for upload in self.uploads.values() if upload.made is None and not upload.gone)

    def expire_uploads(self, status: int = 410) -> None:
        """Forget what open uploads hold; whoever goes on with one is answered with 410, or with 404."""
        with self.lock:
            for upload in self.uploads.values():
                if upload.made is None:
                    upload.gone = status
                    upload.content.clear()

    # --- requests

    def respond(self, request: Request) -> Reply:
        with self.lock:
            self.requests.append(request)
        try:
            what = asked(request)
            operation, key = self._operation(what)
        except RefusedError as refused:
            return error(refused.status, refused.reason, str(refused))
        with self.lock:
            turn = sum((call.operation, call.key) == (operation, key) for call in self.calls)
            call = Call(operation, key, turn)
            self.calls.append(call)
        fault = self.fault(call)
        if fault is not None and fault.when == "before":
            return _broken(fault)
        try:
            with self.lock:
                if what.bucket.startswith("no-such"):
                    raise RefusedError(404, "notFound", "The specified bucket does not exist.")
                self._check_permission(_NEEDS.get(operation))
                if fault is not None and fault.when == "half":
                    self._keep_half(what, operation, fault)
                    return _broken(fault)
                reply: Reply = getattr(self, f"_{operation}")(what, key)
        except RefusedError as refused:
            reply = error(refused.status, refused.reason, str(refused))
        return reply if fault is None else _broken(fault)

    def _operation(self, what: Asked) -> tuple[str, str]:
        if session := what.query.get("upload_id"):
            key = self.uploads[session].key if session in self.uploads else ""
            place = what.headers.get("content-range", "")
            of_session = "ask" if "*/" in place else "send" if place.endswith("/*") else "finish"
            found = {"PUT": of_session, "DELETE": "cancel"}.get(what.method)
        elif what.is_upload:
            key = given(what)[0]["name"]
            found = {"POST": "open" if what.query["uploadType"] == "resumable" else "insert"}.get(what.method)
        elif what.key:
            key = what.key
            reading = "download" if what.query.get("alt") == "media" else "get"
            found = {"GET": reading, "DELETE": "delete"}.get(what.method)
        else:
            key = what.query.get("prefix", "")
            found = {"GET": "list" if what.about_objects else "bucket"}.get(what.method)
        if not found:
            raise RefusedError(405, "methodNotAllowed", f"{what.method} {what.path}")
        return found, key

    # --- buckets and objects

    def _bucket(self, what: Asked, key: str) -> Reply:
        self._check_permission("storage.buckets.get")
        return answer({"kind": "storage#bucket", "id": what.bucket, "name": what.bucket, "location": "EU"})

    def _list(self, what: Asked, key: str) -> Reply:
        after = what.query.get("pageToken", "")
        most = min(self.page, int(what.query.get("maxResults", self.page)))
        keys = [each for each in sorted(self.objects) if each.startswith(key) and each > after]
        page = {"kind": "storage#objects", "items": [self.objects[each].resource() for each in keys[:most]]}
        more = {"nextPageToken": keys[most - 1]} if len(keys) > most else {}
        return answer({**page, **more})

    def _get(self, what: Asked, key: str) -> Reply:
        return answer(self._object(key, what.query).resource())

    def _download(self, what: Asked, key: str) -> Reply:
        found = self._object(key, what.query)
        return download(what, found.content, found.resource())

    def _delete(self, what: Asked, key: str) -> Reply:
        self._object(key, what.query)
        del self.objects[key]
        return Reply(204)

    def _insert(self, what: Asked, key: str) -> Reply:
        told, content = given(what)
        return answer(self._make(what, key, told, what.query, content).resource())

    # --- resumable uploads

    def _open(self, what: Asked, key: str) -> Reply:
        self._check_overwriting(key, what.query)
        session = f"u{next(self.numbers)}-as-good-as-a-password"
        total = int(what.headers.get("x-upload-content-length", -1))
        self.uploads[session] = Upload(key, given(what)[0], what.query, total)
        return Reply(200, b"", {"Location": f"{self.address}{what.path}?uploadType=resumable&upload_id={session}"})

    def _send(self, what: Asked, key: str) -> Reply:
        upload = self._upload(what)
        if upload.made is None:
            place = chunk(what)
            self._append(upload, what, place, len(what.body))
            if len(upload.content) == place.total:
                self._end(upload, what)
        return _state(upload)

    _finish = _send

    def _ask(self, what: Asked, key: str) -> Reply:
        upload = self._upload(what)
        total = question(what)
        if upload.made is None and total != -1:
            _settle_total(upload, total)
            if total == len(upload.content):
                self._end(upload, what)
        return _state(upload)

    def _cancel(self, what: Asked, key: str) -> Reply:
        upload = self._upload(what)
        upload.gone = 410
        upload.content.clear()
        return Reply(499)

    def _append(self, upload: Upload, what: Asked, place: Chunk, most: int) -> None:
        """Take a chunk, or the first bytes of it."""
        there = len(upload.content)
        if place.first > there or (place.first < there and not self.takes_overlaps):
            raise RefusedError(400, "invalid", f"A chunk at byte {place.first}, {there} are there")
        if place.last + 1 != place.total and len(what.body) % self.quantum:
            raise RefusedError(400, "invalid", f"A chunk of {len(what.body)} bytes that is not the last")
        if place.total != -1:
            _settle_total(upload, place.total)
        upload.content += what.body[there - place.first : most]

    def _keep_half(self, what: Asked, operation: str, fault: Fault) -> None:
        if operation in {"send", "finish"}:
            most = len(what.body) // 2 if fault.keeps is None else fault.keeps
            self._append(self._upload(what), what, chunk(what), most // self.quantum * self.quantum)

    def _end(self, upload: Upload, what: Asked) -> None:
        upload.made = self._make(what, upload.key, upload.given, upload.query, bytes(upload.content))

    # --- rules

    def _make(self, what: Asked, key: str, told: Mapping[str, Any], query: Mapping[str, str], content: bytes) -> Stored:
        self._check_overwriting(key, query)
        check_hashes(content, told, what.headers)
        self.generations += 1
        self.objects[key] = Stored(what.bucket, self.stores(content), told, self.generations)
        return self.objects[key]

    def _check_overwriting(self, key: str, query: Mapping[str, str]) -> None:
        self._check_generation(key, query)
        if key in self.objects:
            self._check_permission("storage.objects.delete")

    def _check_permission(self, needed: str | None) -> None:
        if needed in self.denied:
            raise RefusedError(403, "forbidden", f"worker does not have {needed} access to the object.")

    def _check_generation(self, key: str, query: Mapping[str, str]) -> None:
        there = self.objects[key].generation if key in self.objects else 0
        if int(query.get("ifGenerationMatch", there)) != there:
            raise RefusedError(412, "conditionNotMet", "At least one of the pre-conditions did not hold.")

    def _object(self, key: str, query: Mapping[str, str]) -> Stored:
        found = self.objects.get(key)
        if found is None or int(query.get("generation", found.generation)) != found.generation:
            raise RefusedError(404, "notFound", f"No such object: {key}")
        self._check_generation(key, query)
        return found

    def _upload(self, what: Asked) -> Upload:
        found = self.uploads.get(what.query["upload_id"])
        if found is None or found.gone:
            raise RefusedError(found.gone if found else 404, "gone", "The upload was cancelled or has expired.")
        return found


@contextmanager
def strict_gcs(**settings: object) -> Iterator[StrictGCS]:
    """Serve one."""
    store = StrictGCS(**settings)  # type: ignore[arg-type]  # passed on as they are
    with http_server(store.respond) as address:
        store.address = address
        yield store


def _settle_total(upload: Upload, total: int) -> None:
    if upload.total not in {-1, total} or total < len(upload.content):
        raise RefusedError(400, "invalid", f"A total of {total}, {upload.total} was named and more may be there")
    upload.total = total


def _state(upload: Upload) -> Reply:
    return confirmed(len(upload.content)) if upload.made is None else answer(upload.made.resource())


def _broken(fault: Fault) -> Reply:
    if not fault.status:
        return Reply(no_answer=True)
    return error(fault.status, fault.reason, "as told") if fault.body is None else Reply(fault.status, fault.body)
