"""The conformance suite of stores, as a pytest class to subclass: for authors of sinks.

A subclass provides a `store` fixture and lists in `lacks` the promises that the store cannot keep, with the reason. A
promise in `lacks` is tested too and must be broken, so that the list is never longer than necessary.
"""

from __future__ import annotations

import functools
import gc
import random
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, TypeVar

import google_crc32c
import pytest

from labelbox_export_provider.errors import (
    ConfigurationError,
    IntegrityError,
    ObjectExistsError,
    StorageError,
)
from labelbox_export_provider.sinks.base import (
    CRC32C,
    EXPORT_ID,
    ExpectedObject,
    NewObject,
    ObjectWriter,
    Part,
    PartBody,
    Sink,
)

TEXT = "text/plain"
UNUSUAL_KEYS = (
    "data/source=project/id=a b/plus+percent%41.gz",
    "data/quote'double\"amp&hash#question?.gz",
    "data/größe-日本-🙂.gz",
    "data/(round)[square]{curly}!$*,;:@~.gz",
)


@dataclass(frozen=True)
class Store:
    """A store that is empty at first, and ways to inspect it from outside.

    `visible` returns all objects that a reader sees; `litter` names what unfinished writes have left, as far as the
    store shows it; `again` returns another sink for the same store, as the next try of a task has it.
    """

    sink: Sink
    visible: Callable[[], Mapping[str, bytes]]
    litter: Callable[[], Sequence[str]]
    again: Callable[[], Sink]
    unwritable: Callable[[], Sink] | None = None
    """Returns a sink for a store that does not exist, or that this identity may not write to."""


class Promise(Enum):
    """Promises that not every store can keep."""

    CREATE_ONLY = "creation is refused where an object is"
    CREATION_HAS_NO_RACE = "of two that create an object at the same time, one wins and the other is refused"
    LEFTOVERS_ARE_FOUND = "what a killed writer left is found and removed"
    ZOMBIES_ARE_FENCED = "a writer whose upload was removed can publish nothing"
    PARTS_CAN_BE_REPEATED = "a part that is put again replaces itself"
    METADATA_IS_KEPT = "the metadata of an object is kept with it"
    ANY_KEY = "keys may hold any character"


Test = TypeVar("Test", bound=Callable[..., None])


def _promised(promise: Promise) -> Callable[[Test], Test]:
    """Mark a test of a promise that a store may lack."""

    def mark(test: Test) -> Test:
        @functools.wraps(test)
        def checked(self: SinkConformance, *arguments: Any, **named: Any) -> None:
            reason = self.lacks.get(promise)
            if reason is None:
                return test(self, *arguments, **named)
            try:
                test(self, *arguments, **named)
            except (Exception, pytest.fail.Exception):  # noqa: BLE001  however it is broken
                pytest.xfail(f"{promise.value}: {reason}")
            pytest.fail(f"the store keeps this promise, so it must not be in `lacks`: {promise.value}")

        return checked  # type: ignore[return-value]  # the wrapper takes what the test takes

    return mark


class SinkConformance:
    """Subclass it, provide the `store` fixture, and let pytest collect the subclass."""

    lacks: ClassVar[Mapping[Promise, str]] = {}
    """The promises that the store cannot keep, each with the reason."""

    @pytest.fixture
    def store(self) -> Store:
        """Give an empty store."""
        raise NotImplementedError("a subclass provides the store")

    # --- whole or not at all

    @pytest.mark.parametrize("hold_small", [True, False], ids=["may be held", "not held"])
    @pytest.mark.parametrize("layout", [(2.0, 1.0, 1.5, 0.1), (0.5,), ()], ids=["four parts", "one part", "empty"])
    def test_an_object_appears_whole_when_it_is_completed_and_not_before(
        self, store: Store, layout: tuple[float, ...], hold_small: bool
    ) -> None:
        """Parts are of different sizes; an object may also have one part, or none."""
        pieces = _pieces(store.sink, layout)
        content = b"".join(pieces)
        writer = store.sink.begin(NewObject("data/a=1/rows.gz", TEXT, {EXPORT_ID: "e1"}, hold_small=hold_small))
        _put_all(writer, pieces)
        assert store.visible() == {}
        written = writer.complete(_expected(content))
        writer.abort()
        assert store.visible() == {"data/a=1/rows.gz": content}
        assert list(store.litter()) == []
        assert written.key == "data/a=1/rows.gz"
        assert written.uri == store.sink.uri("data/a=1/rows.gz")
        assert (written.size, written.crc32c) == (len(content), google_crc32c.value(content))

    @pytest.mark.parametrize("layout", [(1.0, 1.0, 0.5), (0.5,), ()], ids=["three parts", "one part", "nothing yet"])
    def test_an_aborted_object_leaves_nothing(self, store: Store, layout: tuple[float, ...]) -> None:
        """Aborting twice is as good as once."""
        writer = store.sink.begin(NewObject("rows.gz", TEXT, hold_small=False))
        _put_all(writer, _pieces(store.sink, layout))
        writer.abort()
        writer.abort()
        assert store.visible() == {}
        assert list(store.litter()) == []

    def test_an_overwritten_object_keeps_its_old_content_until_the_new_one_is_complete(self, store: Store) -> None:
        """Readers see the old object or the new one."""
        store.sink.put(NewObject("rows", TEXT), b"old")
        pieces = _pieces(store.sink, (1.0, 0.5))
        writer = store.sink.begin(NewObject("rows", TEXT))
        _put_all(writer, pieces)
        assert store.visible() == {"rows": b"old"}
        writer.complete(_expected(b"".join(pieces)))
        assert store.visible() == {"rows": b"".join(pieces)}

    def test_a_small_object_is_written_in_one_go(self, store: Store) -> None:
        """`put` needs no writer, and replaces what is there."""
        for content in (b"first", b"", b"second"):
            written = store.sink.put(NewObject("manifests/ok.json", TEXT), content)
            assert written.size == len(content)
            assert store.visible() == {"manifests/ok.json": content}
        assert list(store.litter()) == []

    # --- nothing but what was expected

    @pytest.mark.parametrize("layout", [(1.0, 1.0, 0.5), (0.5,)], ids=["three parts", "one part"])
    @pytest.mark.parametrize("fault", ["size", "checksum", "missing part"])
    def test_what_is_not_as_expected_is_never_published(
        self, store: Store, layout: tuple[float, ...], fault: str
    ) -> None:
        """Size, checksum and number of parts are checked before the object is visible."""
        pieces = _pieces(store.sink, layout)
        expected = _expected(b"".join(pieces))
        if fault == "size":
            expected = ExpectedObject(expected.size + 1, expected.crc32c)
        if fault == "checksum":
            expected = ExpectedObject(expected.size, expected.crc32c ^ 1)
        writer = store.sink.begin(NewObject("rows", TEXT))
        _put_all(writer, pieces[:-1] if fault == "missing part" else pieces)
        with pytest.raises(IntegrityError):
            writer.complete(expected)
        assert store.visible() == {}
        writer.abort()
        assert list(store.litter()) == []

    # --- parts

    @_promised(Promise.PARTS_CAN_BE_REPEATED)
    def test_a_part_that_is_put_again_counts_once(self, store: Store) -> None:
        """A part whose answer was lost is sent again, with the same number and bytes."""
        pieces = _pieces(store.sink, (1.0, 1.0, 0.5))
        writer = store.sink.begin(NewObject("rows", TEXT))
        _put_all(writer, pieces, repeat={1, 2, 3})
        writer.complete(_expected(b"".join(pieces)))
        assert store.visible() == {"rows": b"".join(pieces)}

    def test_parts_may_be_put_by_several_threads_and_end_out_of_order(self, store: Store) -> None:
        """They are handed in about in the order of their numbers, four at once."""
        pieces = _pieces(store.sink, (1.0, 2.0, 1.0, 1.5, 1.0, 0.3))
        writer = store.sink.begin(NewObject("rows", TEXT))
        with ThreadPoolExecutor(4) as threads:
            for done in [threads.submit(writer.put_part, part) for part in _parts(pieces)]:
                done.result()
        writer.complete(_expected(b"".join(pieces)))
        assert store.visible() == {"rows": b"".join(pieces)}

    def test_the_memory_of_a_part_may_be_used_again_once_it_is_put(self, store: Store) -> None:
        """Parts have odd sizes, so that whatever a store holds back of one shows."""
        pieces = _pieces(store.sink, (1.0, 1.0, 0.5))
        writer = store.sink.begin(NewObject("rows", TEXT))
        for part in _parts(pieces):
            memory = bytearray(pieces[part.number - 1])
            writer.put_part(Part(part.number, part.offset, PartBody([memory]), last=part.last))
            memory[:] = bytes(len(memory))
        writer.complete(_expected(b"".join(pieces)))
        assert store.visible() == {"rows": b"".join(pieces)}

    def test_a_part_is_not_kept_in_memory_where_that_was_not_asked_for(self, store: Store) -> None:
        """`hold_small=False` bounds the memory of a transfer that has many objects open."""
        (piece,) = _pieces(store.sink, (0.5,))
        writer = store.sink.begin(NewObject("rows", TEXT, hold_small=False))
        (part,) = _parts([piece])
        kept = weakref.ref(part.body)
        writer.put_part(part)
        del part
        gc.collect()
        assert kept() is None
        writer.complete(_expected(piece))
        assert store.visible() == {"rows": piece}

    # --- killed tries and the next one

    @_promised(Promise.LEFTOVERS_ARE_FOUND)
    def test_the_next_try_removes_what_a_killed_writer_left(self, store: Store) -> None:
        """It removes what is under exactly its key, and nothing of a neighbour's."""
        key = "lake/source=a b/rows"
        killed = store.sink.begin(NewObject(key, TEXT))
        neighbour = store.sink.begin(NewObject(f"{key}.2", TEXT))
        for writer in (killed, neighbour):
            _put_all(writer, _pieces(store.sink, (1.0, 1.0)), last=False)
        of_both = len(store.litter())
        assert store.again().abort_open_uploads(key) == 1
        assert 0 < len(store.litter()) < of_both
        assert store.again().abort_open_uploads(key) == 0
        neighbour.abort()
        assert list(store.litter()) == []

    @_promised(Promise.ZOMBIES_ARE_FENCED)
    def test_a_writer_whose_upload_was_removed_can_publish_nothing(self, store: Store) -> None:
        """An earlier try that still runs must not overwrite what the next one writes, whatever it had sent."""
        pieces = _pieces(store.sink, (1.0, 0.5))
        for sent in (1, 2):
            zombie = store.sink.begin(NewObject("rows", TEXT))
            parts = _parts(pieces)
            for part in parts[:sent]:
                zombie.put_part(part)
            store.again().abort_open_uploads("rows")
            with pytest.raises(StorageError):
                _end(zombie, parts[sent:], _expected(b"".join(pieces)))
            zombie.abort()
            assert store.visible() == {}
            assert list(store.litter()) == []

    def test_looking_for_leftovers_where_there_are_none_finds_none(self, store: Store) -> None:
        """An object that is complete is none."""
        assert store.sink.abort_open_uploads("rows") == 0
        store.sink.put(NewObject("rows", TEXT), b"whole")
        assert store.sink.abort_open_uploads("rows") == 0
        assert store.visible() == {"rows": b"whole"}

    # --- creation

    @_promised(Promise.CREATE_ONLY)
    @pytest.mark.parametrize("layout", [(1.0, 0.5), (0.5,)], ids=["two parts", "one part"])
    def test_creation_is_refused_when_something_else_came_there_meanwhile(
        self, store: Store, layout: tuple[float, ...]
    ) -> None:
        """The existing object stays."""
        pieces = _pieces(store.sink, layout)
        writer = store.sink.begin(NewObject("rows", TEXT, {EXPORT_ID: "e1"}, create_only=True))
        _put_all(writer, pieces)
        store.again().put(NewObject("rows", TEXT, {EXPORT_ID: "other"}), b"theirs")
        with pytest.raises(ObjectExistsError, match="replace"):
            writer.complete(_expected(b"".join(pieces)))
        writer.abort()
        assert store.visible() == {"rows": b"theirs"}
        assert list(store.litter()) == []

    @_promised(Promise.CREATION_HAS_NO_RACE)
    def test_of_two_that_create_at_the_same_time_one_wins(self, store: Store) -> None:
        """The other gets an error and changes nothing; with parts and without."""
        for key, layout in (("large", (1.0, 0.5)), ("small", (0.5,))):
            contents = [_pieces(store.sink, layout, seed=seed) for seed in (1, 2)]
            with ThreadPoolExecutor(2) as threads:
                ended = list(threads.map(functools.partial(_create, store, key, threading.Barrier(2)), contents))
            winners = [number for number, error in enumerate(ended) if error is None]
            assert len(winners) == 1, ended
            assert store.visible()[key] == b"".join(contents[winners[0]])
            assert list(store.litter()) == []

    def test_creation_accepts_the_very_same_object_of_an_earlier_try(self, store: Store) -> None:
        """That one was killed after it had completed the object, or never got the answer."""
        pieces = _pieces(store.sink, (1.0, 0.5))
        for _ in range(2):
            writer = store.again().begin(NewObject("rows", TEXT, {EXPORT_ID: "e1"}, create_only=True))
            _put_all(writer, pieces)
            writer.complete(_expected(b"".join(pieces)))
            writer.abort()
        assert store.visible() == {"rows": b"".join(pieces)}
        assert list(store.litter()) == []

    # --- asking before anything is written

    def test_asking_whether_a_key_can_be_written_leaves_nothing(self, store: Store) -> None:
        """Neither below an empty prefix, nor beside an existing object."""
        store.sink.check_writable("lake/data/source=project/rows.gz")
        assert store.visible() == {}
        store.sink.put(NewObject("rows", TEXT, {EXPORT_ID: "e1"}), b"whole")
        before = store.sink.head("rows")
        store.again().check_writable("rows")
        assert store.visible() == {"rows": b"whole"}
        assert store.sink.head("rows") == before
        assert list(store.litter()) == []

    def test_a_store_that_cannot_be_written_says_so_when_it_is_asked(self, store: Store) -> None:
        """So that an export whose objects it would refuse hours later is not started."""
        if store.unwritable is None:
            pytest.skip("the store's class provides no sink that cannot write")
        with pytest.raises(StorageError):
            store.unwritable().check_writable("data/rows.gz")
        assert store.visible() == {}
        assert list(store.litter()) == []

    # --- looking

    def test_what_is_not_there_is_none(self, store: Store) -> None:
        """Neither seen nor read nor listed, and no error to remove."""
        assert store.sink.head("rows") is None
        assert store.sink.read("rows", limit=10) is None
        assert list(store.sink.list("rows")) == []
        store.sink.delete("rows")
        store.sink.delete("no/such/folder/rows")

    def test_an_object_that_is_there_is_seen_and_read_as_far_as_asked(self, store: Store) -> None:
        """`head` gives the size, `read` at most so many bytes."""
        store.sink.put(NewObject("data/rows", TEXT), b"0123456789abc")
        there = store.again().head("data/rows")
        assert there is not None
        assert (there.key, there.size) == ("data/rows", 13)
        assert store.again().read("data/rows", limit=10) == b"0123456789"
        assert store.again().read("data/rows", limit=100) == b"0123456789abc"

    @_promised(Promise.METADATA_IS_KEPT)
    def test_the_origin_of_an_object_is_kept_with_it_and_the_checksum_of_a_small_one(self, store: Store) -> None:
        """Names of metadata come back in lower case."""
        origin = {EXPORT_ID: "e1", "labelbox-encoding": "1;plain;untrimmed"}
        pieces = _pieces(store.sink, (1.0, 0.5))
        writer = store.sink.begin(NewObject("large", TEXT, origin))
        _put_all(writer, pieces)
        writer.complete(_expected(b"".join(pieces)))
        store.sink.put(NewObject("small", TEXT, origin), b"content")
        for key in ("large", "small"):
            there = store.again().head(key)
            assert there is not None
            assert there.metadata is not None
            assert {name: there.metadata.get(name) for name in origin} == origin
            if key == "small":
                assert there.metadata[CRC32C] == f"{google_crc32c.value(b'content'):08x}"

    def test_a_listing_holds_every_object_below_a_prefix_and_no_unfinished_one(self, store: Store) -> None:
        """A prefix is a plain string: it may end in the middle of a name."""
        keys = [f"lake/{folder}/rows.{number}" for folder in ("data", "data2", "errors") for number in range(3)]
        for key in keys:
            store.sink.put(NewObject(key, TEXT), b"x")
        unfinished = store.sink.begin(NewObject("lake/data/rows.9", TEXT, hold_small=False))
        _put_all(unfinished, _pieces(store.sink, (0.5,)))
        assert sorted(store.again().list("")) == keys
        assert sorted(store.again().list("lake/data/")) == keys[:3]
        assert sorted(store.again().list("lake/data")) == keys[:6]
        assert sorted(store.again().list("lake/data/rows.1")) == ["lake/data/rows.1"]
        assert list(store.again().list("lake/nothing/")) == []
        unfinished.abort()

    def test_a_removed_object_is_gone_and_its_neighbours_are_not(self, store: Store) -> None:
        """Removing it twice is as good as once."""
        for key in ("a/rows", "a/rows.2"):
            store.sink.put(NewObject(key, TEXT), b"x")
        store.again().delete("a/rows")
        store.again().delete("a/rows")
        assert store.visible() == {"a/rows.2": b"x"}

    # --- keys

    @_promised(Promise.ANY_KEY)
    def test_keys_with_unusual_characters_are_taken_as_they_are(self, store: Store) -> None:
        """Ids and partition values come from users."""
        for key in UNUSUAL_KEYS:
            pieces = _pieces(store.sink, (1.0, 0.5))
            writer = store.sink.begin(NewObject(key, TEXT, {EXPORT_ID: "e1"}))
            _put_all(writer, pieces)
            writer.complete(_expected(b"".join(pieces)))
            assert store.visible() == {key: b"".join(pieces)}
            there = store.again().head(key)
            assert there is not None
            assert there.size == sum(map(len, pieces))
            assert list(store.again().list(key)) == [key]
            assert store.again().read(key, limit=3) == pieces[0][:3]
            assert store.again().abort_open_uploads(key) == 0
            store.sink.delete(key)
            assert store.visible() == {}

    @pytest.mark.parametrize("key", ["", "/rows", "a//b", "../rows", "a/./b", "rows/", "a\x00b", "a\nb"])
    def test_a_key_that_could_leave_the_store_is_refused(self, store: Store, key: str) -> None:
        """Every call refuses it, before anything is sent."""
        for call in (
            lambda: store.sink.begin(NewObject(key, TEXT)),
            lambda: store.sink.put(NewObject(key, TEXT), b""),
            lambda: store.sink.head(key),
            lambda: store.sink.read(key, limit=1),
            lambda: store.sink.delete(key),
            lambda: store.sink.abort_open_uploads(key),
            lambda: store.sink.check_writable(key),
            lambda: store.sink.uri(key),
        ):
            with pytest.raises(ConfigurationError, match="relative"):
                call()


def _pieces(sink: Sink, layout: Sequence[float], *, seed: int = 0) -> list[bytes]:
    """Make parts; sizes are given as multiples of the smallest that may be followed by another, and are odd."""
    unit = max(sink.minimum_part_bytes, 4096)
    noise = random.Random(seed)  # noqa: S311  the same bytes in every run
    return [noise.randbytes(int(unit * size) | 1) for size in layout]


def _parts(pieces: Sequence[bytes]) -> list[Part]:
    parts = []
    offset = 0
    for number, piece in enumerate(pieces, 1):
        middle = len(piece) // 2
        body = PartBody([piece[:middle], memoryview(piece)[middle:]])
        parts.append(Part(number, offset, body, last=number == len(pieces)))
        offset += len(piece)
    return parts


def _put_all(
    writer: ObjectWriter, pieces: Sequence[bytes], *, last: bool = True, repeat: frozenset[int] | set[int] = frozenset()
) -> None:
    for part in _parts(pieces):
        part_or_open = part if last else Part(part.number, part.offset, part.body, last=False)
        writer.put_part(part_or_open)
        if part.number in repeat:
            writer.put_part(part_or_open)


def _create(store: Store, key: str, together: threading.Barrier, pieces: Sequence[bytes]) -> StorageError | None:
    origin = {EXPORT_ID: f"e{google_crc32c.value(pieces[0])}"}
    writer = store.again().begin(NewObject(key, TEXT, origin, create_only=True))
    _put_all(writer, pieces)
    together.wait(30)
    try:
        writer.complete(_expected(b"".join(pieces)))
    except StorageError as error:
        return error
    finally:
        writer.abort()
    return None


def _end(writer: ObjectWriter, parts: Sequence[Part], expected: ExpectedObject) -> None:
    for part in parts:
        writer.put_part(part)
    writer.complete(expected)


def _expected(content: bytes) -> ExpectedObject:
    return ExpectedObject(len(content), google_crc32c.value(content))
