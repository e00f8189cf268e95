"""Stores in which a landing can be watched, and ended at any of its steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from support.streaming.exports import LandingClient

from labelbox_export_provider.sinks.base import ListedObject, NewObject, ObjectWriter, Sink, WrittenObject


@dataclass
class Store:
    """A store, and everything in it, files that are written aside included."""

    sink: Sink
    visible: Callable[[], dict[str, bytes]]
    uri_head: str

    def public(self) -> dict[str, bytes]:
        """What readers of the store take for objects: they leave out names that begin with a dot."""
        return {name: content for name, content in self.visible().items() if "/." not in name}


def expected_rows(at: LandingClient, handle: Any) -> list[bytes]:
    return at.fake.rows_for(like=handle.export_id)


class Killed(BaseException):
    """Stands for a process that ends: nothing after it runs but what the operating system does."""


class KilledAt(Sink):
    """Passes everything on to a store until something is about to become visible or to go, and dies there for good.

    That is the first step under a key with `part` in it, and not before `step` such steps were done.
    """

    def __init__(self, sink: Sink, part: str = "", *, step: int = 0) -> None:
        self._sink = sink
        self._part = part
        self._step = step
        self._lock = threading.Lock()
        self.dead = False
        self.order: list[str] = []
        self.minimum_part_bytes = sink.minimum_part_bytes
        self.put_leaves_nothing = sink.put_leaves_nothing
        self.heads_without_list = sink.heads_without_list

    def uri(self, key: str) -> str:
        return self._sink.uri(key)

    def begin(self, new: NewObject) -> ObjectWriter:
        writer = self._sink.begin(new)
        complete, abort = writer.complete, writer.abort

        def watched(expected: Any) -> WrittenObject:
            self._pass(new.key)
            return complete(expected)

        def unless_dead() -> None:
            if not self.dead:
                abort()

        # The store itself stays real; what a dead process would not do is not done.
        writer.complete, writer.abort = watched, unless_dead  # type: ignore[method-assign]
        return writer

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        self._pass(new.key)
        return self._sink.put(new, content)

    def read(self, key: str, *, limit: int) -> bytes | None:
        return self._sink.read(key, limit=limit)

    def head(self, key: str) -> Any:
        return self._sink.head(key)

    def list(self, prefix: str) -> Iterator[ListedObject]:
        return self._sink.list(prefix)

    def delete(self, key: str) -> None:
        self._pass(key)
        self._sink.delete(key)

    def abort_open_uploads(self, prefix: str, *, exact: bool = False, keep: Callable[[str], bool] | None = None) -> int:
        return self._sink.abort_open_uploads(prefix, exact=exact, keep=keep)

    def _pass(self, key: str) -> None:
        with self._lock:
            if self.dead or (self._part in key and len(self.order) >= self._step):
                self.dead = True
                raise Killed
            self.order.append(key)
