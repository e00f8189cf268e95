"""Histories of landings that overlap: generated from a seed, and run with the calls to the store in a fixed order."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from support.stores.faulty_sink import KilledError, area_of

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.domain.records.manifest import Rerun
from labelbox_export_provider.domain.records.object_names import Compression
from labelbox_export_provider.errors import StorageDeniedError
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

Answer = TypeVar("Answer")
StoreKind = Literal["file", "strict", "gcs", "rclone"]
End = Literal["killed before", "killed after", "stopped"]
Form = tuple[Compression | None, bool]
"""Compression, and whether the rows are split."""

KEY = "rows.ndjson"
OBJECT_BYTES = 64 * 1024


@dataclass(frozen=True)
class LandingPlan:
    """One landing: of which export (the higher, the newer) and question, with which options and clock."""

    export: int
    question: int
    rerun: Rerun
    replace: bool
    compression: Compression | None
    split: bool
    hours_later: int
    second_form: Form

    def options(self, *, explicit: bool, again: bool) -> dict[str, Any]:
        """Return the options of `LandingClient.land`; for the second try they may have been changed."""
        compression, split = self.second_form if again else (self.compression, self.split)
        target = {"key": KEY, "replace": self.replace} if explicit else {"rerun": self.rerun}
        size = {"max_object_bytes": OBJECT_BYTES if split else None}
        return {"compression": compression, "workers": 1, **target, **size}


@dataclass(frozen=True)
class Turn:
    """So many calls of one landing, before another one's turn; with `end`, the last of them is also its end."""

    landing: int
    calls: int
    end: End | None = None


@dataclass(frozen=True)
class History:
    """Landings in one store, and in which order they make their calls to it; then each runs to its end in turn."""

    seed: int
    store: StoreKind
    listed: bool
    attributes: bool
    explicit: bool
    landings: tuple[LandingPlan, ...]
    turns: tuple[Turn, ...]


def generate_history(seed: int) -> History:
    """Return the history of a seed. Where nothing can be listed, all landings have one form and add."""
    chance = random.Random(seed)
    store: StoreKind = chance.choices(("file", "strict", "gcs", "rclone"), (5, 6, 3, 1))[0]
    listed, explicit = chance.random() < 0.85, chance.random() < 0.2
    same_form = not listed or chance.random() < 0.5
    reruns: Sequence[Rerun] = ("add", "replace", "replace", "refuse") if listed else ("add",)
    shared: Rerun | None = chance.choice([*reruns, None])
    forms: list[Form] = [(None, False), (None, True), ("gzip", False), ("gzip", True)]
    form, exports, questions = chance.choice(forms), chance.randint(1, 3), chance.choice((1, 1, 2))
    landings = []
    for _ in range(chance.randint(1, 4)):
        compression, split = form if same_form else chance.choice(forms)
        landings.append(
            LandingPlan(
                chance.randrange(exports),
                chance.randrange(questions),
                chance.choice(reruns) if shared is None else shared,
                chance.random() < 0.7,
                compression,
                split,
                chance.choice((0, 0, 0, 2)),
                (compression, split) if same_form else chance.choice(forms),
            )
        )
    turns = []
    for _ in range(chance.randint(1, 3 * len(landings))):
        end: End | None = (
            chance.choice(("killed before", "killed after", "stopped")) if chance.random() < 0.25 else None
        )
        turns.append(Turn(chance.randrange(len(landings)), chance.randint(1, 18), end))
    attributes = store != "file" or chance.random() < 0.5
    return History(seed, store, listed, attributes, explicit, tuple(landings), tuple(turns))


class Schedule:
    """Lets one landing at a time call the store, one call at a time, as the turns say."""

    def __init__(self, turns: Sequence[Turn], landings: int) -> None:
        self._changed = threading.Condition()
        self._turns = deque(turns)
        self._running = set(range(landings))
        self._dead: set[int] = set()
        self._turn = Turn(0, 0)
        self._left = 0
        self._busy = False
        self._next()

    def enter(self, landing: int) -> End | None:
        """Wait for the landing's turn; return how it has to end with this call, if it has to."""
        with self._changed:
            while landing not in self._dead and (self._busy or self._turn.landing != landing):
                assert self._changed.wait(20), f"landing {landing} never got its turn"
            if landing in self._dead:
                raise KilledError
            self._busy = True
            self._left -= 1
            return self._turn.end if self._left == 0 else None

    def leave(self, landing: int, end: End | None) -> None:
        """End a call. A landing that was stopped keeps its turn until it is over."""
        with self._changed:
            self._busy = False
            if end is not None and end != "stopped":
                self._dead.add(landing)
            if self._left == 0 and end != "stopped":
                self._next()
            self._changed.notify_all()

    def finish(self, landing: int) -> None:
        """Note that a landing is over; what its threads still ask for never reaches the store."""
        with self._changed:
            self._running.discard(landing)
            self._dead.add(landing)
            if self._turn.landing == landing and not self._busy:
                self._next()
            self._changed.notify_all()

    def is_dead(self, landing: int) -> bool:
        """Return whether the landing is killed or over."""
        return landing in self._dead

    def _next(self) -> None:
        alive = self._running - self._dead
        while self._turns:
            self._turn = self._turns.popleft()
            self._left = self._turn.calls
            if self._turn.landing in alive:
                return
        self._turn, self._left = Turn(min(alive, default=-1), 0), -1


@dataclass
class Seen:
    """What a history did: keys of manifests that were ever written, and what each landing removed."""

    manifests: set[str] = field(default_factory=set)
    removed: set[tuple[int, str]] = field(default_factory=set)


class GatedSink(Sink):
    """Passes calls on to a store when it is its landing's turn, until the landing is killed."""

    def __init__(self, sink: Sink, landing: int, schedule: Schedule, token: CancelToken, seen: Seen, *, listed: bool):
        self._sink = sink
        self._landing = landing
        self._schedule = schedule
        self._token = token
        self._seen = seen
        self._listed = listed
        for name in Sink.__annotations__:
            setattr(self, name, getattr(sink, name))

    def uri(self, key: str) -> str:
        return self._sink.uri(key)

    def begin(self, new: NewObject) -> ObjectWriter:
        return _GatedWriter(self, self.make(lambda: self._sink.begin(new)))

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        def put() -> WrittenObject:
            if area_of(new.key) == "manifests":
                self._seen.manifests.add(new.key)
            return self._sink.put(new, content)

        return self.make(put)

    def read(self, key: str, *, limit: int) -> bytes | None:
        return self.make(lambda: self._sink.read(key, limit=limit))

    def head(self, key: str) -> StoredObject | None:
        return self.make(lambda: self._sink.head(key))

    def list(self, prefix: str) -> Iterator[ListedObject]:
        def listing() -> list[ListedObject]:
            if not self._listed:
                raise StorageDeniedError(f"listing below {prefix} is not permitted")
            return list(self._sink.list(prefix))

        return iter(self.make(listing))

    def delete(self, key: str) -> None:
        def delete() -> None:
            self._seen.removed.add((self._landing, key))
            self._sink.delete(key)

        self.make(delete)

    def resume(self, new: NewObject, stored: StoredUpload, expected: ExpectedObject) -> ObjectWriter | None:
        writer = self.make(lambda: self._sink.resume(new, stored, expected))
        return None if writer is None else _GatedWriter(self, writer)

    def abort_open_uploads(self, prefix: str, *, exact: bool = False, keep: Callable[[str], bool] | None = None) -> int:
        if not self._listed:
            return 0
        if keep is None:
            return self.make(lambda: self._sink.abort_open_uploads(prefix, exact=exact))
        # What it asks makes calls in their own turns, so it is known before.
        keep("")
        return self.make(lambda: self._sink.abort_open_uploads(prefix, exact=exact, keep=keep))

    def remove_wrong(self, key: str, *, found: int, sent: int) -> Any:
        return self.make(lambda: self._sink.remove_wrong(key, found=found, sent=sent))

    def make(self, carry_out: Callable[[], Answer]) -> Answer:
        """Make a call in its turn, unless the landing is killed with it."""
        end = self._schedule.enter(self._landing)
        try:
            if end == "stopped":
                self._token.cancel(StoppedByHandError())
            if end == "killed before":
                raise KilledError
            answer = carry_out()
            if end == "killed after":
                raise KilledError
            return answer
        finally:
            self._schedule.leave(self._landing, end)

    @property
    def dead(self) -> bool:
        return self._schedule.is_dead(self._landing)


class _GatedWriter(ObjectWriter):
    def __init__(self, sink: GatedSink, writer: ObjectWriter) -> None:
        self._sink = sink
        self._writer = writer

    def put_part(self, part: Part) -> None:
        self._sink.make(lambda: self._writer.put_part(part))

    def complete(self, expected: ExpectedObject) -> WrittenObject:
        return self._sink.make(lambda: self._writer.complete(expected))

    def stored(self) -> StoredUpload | None:
        return self._writer.stored()

    def abort(self) -> None:
        if not self._sink.dead:
            self._sink.make(self._writer.abort)


class StoppedByHandError(Exception):
    """Somebody stopped the landing."""
