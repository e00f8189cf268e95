"""The part of the store that both dialects share: objects and generations, listings, faults, and a record of calls."""

from __future__ import annotations

import itertools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from labelbox_export_provider.testing.http.server import HttpAnswer, HttpRequest, HttpServer

if TYPE_CHECKING:
    import ssl

UploadT = TypeVar("UploadT", bound="Upload")
StoreT = TypeVar("StoreT", bound="ObjectStore[Any]")


@dataclass(frozen=True)
class Call:
    """One request in the terms of its API; `turn` counts the calls of this operation and key from 0.

    `part` is the number of a part, 0 where there is none. `size` is that of the request's body.
    """

    operation: str
    key: str
    turn: int
    part: int = 0
    method: str = field(default="", compare=False)
    query: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    size: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Fault:
    """A fault of one call: `before` it takes effect, `after` it did so that its answer is lost, or in between.

    With a `status`, that is the answer, with `code` and `message` in the dialect's form, or with `body` instead;
    without one the connection is reset. `in_body` sends the error under status 200, as S3 does when a completion fails
    after it has started to answer. `half` is for a chunk of Google Cloud Storage: the store keeps `keeps` bytes of it,
    by default half of them, rounded down to whole multiples of 256 KiB.
    """

    when: Literal["before", "half", "after"] = "before"
    status: int = 0
    code: str = ""
    message: str = "injected fault"
    in_body: bool = False
    keeps: int | None = None
    body: bytes | None = None


@dataclass
class StoredObject:
    """An object, with the metadata of its upload in the dialect's form."""

    bucket: str
    key: str
    content: bytes
    metadata: Mapping[str, Any]
    generation: int
    etag: str = ""
    modified_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))


@dataclass
class Upload:
    """An upload of several requests."""

    key: str
    metadata: Mapping[str, Any]

    def is_open(self) -> bool:
        """Return whether the upload can still be completed."""
        return True


def no_fault(call: Call) -> Fault | None:  # noqa: ARG001  the signature of all faults
    """Return None: the call succeeds."""
    return None


class RefusedError(Exception):
    """The error with which a request is answered."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class ParsedRequest:
    """A request with its operation in the terms of the API, its bucket and its key (or the prefix of a listing)."""

    operation: str
    bucket: str
    key: str
    http: HttpRequest

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by their names in lower case."""
        return self.http.headers

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters."""
        return self.http.query

    @property
    def body(self) -> bytes:
        """The body."""
        return self.http.body


@dataclass
class ObjectStore(ABC, Generic[UploadT]):
    """The state of a store, which a test may read and change while it is served.

    Every bucket exists, except those whose names start with `no-such`, and all buckets share one name space. `fault`
    decides for each call whether and how it fails; `denied` holds what the identity may not do, in the dialect's terms;
    `spoil` changes the bytes that the store keeps; `page` is the length of a page of a listing; `now` is its clock.
    """

    address: str = ""
    page: int = 3
    fault: Callable[[Call], Fault | None] = no_fault
    denied: frozenset[str] = frozenset()
    spoil: Callable[[bytes], bytes] = bytes
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    objects: dict[str, StoredObject] = field(default_factory=dict)
    uploads: dict[str, UploadT] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    generations: Iterator[int] = field(default_factory=lambda: itertools.count(1_700_000_000_000_001))
    numbers: Iterator[int] = field(default_factory=itertools.count)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def reset(self) -> None:
        """Remove all objects, uploads, records, faults and denials."""
        with self.lock:
            for each in (self.objects, self.uploads, self.calls):
                each.clear()
            self.fault = no_fault
            self.denied = frozenset()

    def visible(self) -> dict[str, bytes]:
        """Return the content of all objects by key, as a reader sees them."""
        return {key: each.content for key, each in sorted(self.objects.items())}

    def open_uploads(self) -> list[str]:
        """Return the keys of all unfinished uploads."""
        return sorted(upload.key for upload in self.uploads.values() if upload.is_open())

    def respond(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request and record it."""
        try:
            parsed = self._parse(request)
        except RefusedError as refused:
            return self._refusal(refused, request)
        fault = self.fault(self._record(parsed))
        if fault is not None and fault.when == "before":
            return self._broken(fault, request)
        try:
            with self.lock:
                reply = self._perform(parsed, fault)
        except RefusedError as refused:
            reply = self._refusal(refused, request)
        return reply if fault is None else self._broken(fault, request)

    def keys_below(self, prefix: str, after: str = "") -> list[str]:
        """Return the keys of a listing, in order, from the one after `after`."""
        return [key for key in sorted(self.objects) if key.startswith(prefix) and key > after]

    def keep(self, bucket: str, key: str, content: bytes, metadata: Mapping[str, Any], etag: str = "") -> StoredObject:
        """Store an object under the next generation."""
        self.objects[key] = StoredObject(bucket, key, content, metadata, next(self.generations), etag, self.now())
        return self.objects[key]

    def _record(self, request: ParsedRequest) -> Call:
        http = request.http
        with self.lock:
            turn = sum((call.operation, call.key) == (request.operation, request.key) for call in self.calls)
            part = int(http.query.get("partNumber", 0))
            call = Call(
                *(request.operation, request.key, turn, part, http.method, http.query, http.headers, len(http.body))
            )
            self.calls.append(call)
        return call

    def _broken(self, fault: Fault, request: HttpRequest) -> HttpAnswer:
        if not fault.status and not fault.in_body:
            return HttpAnswer(503, drop=True)
        if fault.body is not None:
            return HttpAnswer(fault.status, fault.body)
        status = 200 if fault.in_body else fault.status
        return self._refusal(RefusedError(status, fault.code, fault.message), request)

    @abstractmethod
    def _parse(self, request: HttpRequest) -> ParsedRequest: ...

    @abstractmethod
    def _perform(self, request: ParsedRequest, fault: Fault | None) -> HttpAnswer: ...

    @abstractmethod
    def _refusal(self, refused: RefusedError, request: HttpRequest) -> HttpAnswer: ...


@contextmanager
def serve(store: StoreT, tls: ssl.SSLContext | None = None) -> Iterator[StoreT]:
    """Serve a store on a free port of 127.0.0.1, over TLS if a context is given."""
    server = HttpServer("127.0.0.1", 0, store.respond, tls=tls, takes_chunks=True)
    server.start()
    store.address = server.base_url
    try:
        yield store
    finally:
        server.stop()
