"""A real store, with a fault at one of its calls: refused, answered too late, or the process killed there."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from labelbox_export_provider.errors import StorageError, StorageUnavailableError
from labelbox_export_provider.sinks.base import (
    ExpectedObject,
    ListedObject,
    NewObject,
    ObjectWriter,
    Part,
    Sink,
    StoredObject,
    WrittenObject,
)
from labelbox_export_provider.sinks.stored_upload import StoredUpload
from labelbox_export_provider.sinks.upload_rule import UploadRule

Answer = TypeVar("Answer")
Injection = Literal["refused", "unavailable", "lost", "killed before", "killed after", "really killed"]
Area = Literal["data", "errors", "uris", "manifests", "receipts"]


def area_of(key: str) -> Area:
    """Return what an object is for, by its key."""
    if "_staging/" in key:
        return "receipts"
    areas: tuple[Area, ...] = ("errors", "uris", "manifests")
    return next((area for area in areas if f"{area}/" in key), "data")


class KilledError(BaseException):
    """Stands for a process that ends: nothing after it runs but what the operating system does."""


@dataclass
class SinkFault:
    """`call` is the name of a store's method, `area` what the object is for, `turn` which of these calls, from 0."""

    call: str
    area: Area
    turn: int
    inject: Injection


class FaultySink(Sink):
    """Passes everything on to a store but for one call. `made` counts calls, `hit` is whether the fault was hit.

    After a kill nothing reaches the store any more, not even what would clean up.
    """

    def __init__(self, sink: Sink, fault: SinkFault | None) -> None:
        self._sink = sink
        self._fault = fault
        self.made: Counter[tuple[str, Area]] = Counter()
        self._lock = threading.Lock()
        self._dead = False
        self.hit = False
        self.minimum_part_bytes = sink.minimum_part_bytes
        self.maximum_part_bytes = sink.maximum_part_bytes
        self.maximum_parts = sink.maximum_parts
        self.maximum_key_bytes = sink.maximum_key_bytes
        self.connections = sink.connections
        self.put_leaves_nothing = sink.put_leaves_nothing
        self.heads_without_list = sink.heads_without_list
        self.resumes = sink.resumes

    def uri(self, key: str) -> str:
        return self._sink.uri(key)

    def check_writable(self, key: str) -> None:
        self.make("check_writable", key, lambda: self._sink.check_writable(key))

    def begin(self, new: NewObject) -> ObjectWriter:
        return _FaultyWriter(self, new.key, self.make("begin", new.key, lambda: self._sink.begin(new)))

    def resume(self, new: NewObject, stored: StoredUpload, expected: ExpectedObject) -> ObjectWriter | None:
        writer = self.make("resume", new.key, lambda: self._sink.resume(new, stored, expected))
        return None if writer is None else _FaultyWriter(self, new.key, writer)

    def upload_rule(self, key: str) -> UploadRule | None:
        return self.make("upload_rule", key, lambda: self._sink.upload_rule(key))

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        return self.make("put", new.key, lambda: self._sink.put(new, content))

    def read(self, key: str, *, limit: int) -> bytes | None:
        return self.make("read", key, lambda: self._sink.read(key, limit=limit))

    def head(self, key: str) -> StoredObject | None:
        return self.make("head", key, lambda: self._sink.head(key))

    def list(self, prefix: str) -> Iterator[ListedObject]:
        return self.make("list", prefix, lambda: self._sink.list(prefix))

    def delete(self, key: str) -> None:
        self.make("delete", key, lambda: self._sink.delete(key))

    def abort_open_uploads(self, prefix: str, *, exact: bool = False, keep: Callable[[str], bool] | None = None) -> int:
        options = {} if keep is None else {"keep": keep}
        return self.make(
            "abort_open_uploads", prefix, lambda: self._sink.abort_open_uploads(prefix, exact=exact, **options)
        )

    def make(self, call: str, key: str, carry_out: Callable[[], Answer]) -> Answer:
        """Make a call, or fail as the fault demands."""
        inject = self._strikes(call, area_of(key))
        if inject is None:
            return carry_out()
        if inject == "really killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if inject in {"lost", "killed after"}:
            carry_out()
        if inject.startswith("killed"):
            self._dead = True
            raise KilledError
        if inject == "refused":
            raise StorageError(f"{call} of {key} is refused, injected")
        raise StorageUnavailableError(f"{call} of {key} got no answer, injected")

    @property
    def dead(self) -> bool:
        return self._dead

    def _strikes(self, call: str, area: Area) -> Injection | None:
        with self._lock:
            if self._dead:
                raise KilledError
            turn = self.made[call, area]
            self.made[call, area] += 1
            fault = self._fault
            if fault is None or (fault.call, fault.area, fault.turn) != (call, area, turn):
                return None
            self.hit = True
            return fault.inject


class _FaultyWriter(ObjectWriter):
    def __init__(self, sink: FaultySink, key: str, writer: ObjectWriter) -> None:
        self._sink = sink
        self._key = key
        self._writer = writer

    def put_part(self, part: Part) -> None:
        self._sink.make("put_part", self._key, lambda: self._writer.put_part(part))

    def complete(self, expected: ExpectedObject) -> WrittenObject:
        return self._sink.make("complete", self._key, lambda: self._writer.complete(expected))

    def stored(self) -> StoredUpload | None:
        return self._writer.stored()

    def abort(self) -> None:
        if not self._sink.dead:
            self._sink.make("abort", self._key, self._writer.abort)
