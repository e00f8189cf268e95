"""Objects appear whole, verified, or not at all; parts of an object."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import google_crc32c
import pytest

from labelbox_export_provider.errors import IntegrityError, StorageError
from labelbox_export_provider.sinks.base import (
    EXPORT_ID,
    ExpectedObject,
    NewObject,
    Part,
    PartBody,
)
from labelbox_export_provider.testing.sink_conformance.parts import (
    BrokenBodyError,
    PartBodyThatBreaks,
    expect,
    make_parts,
    make_pieces,
    put_all,
)
from labelbox_export_provider.testing.sink_conformance.promises import TEXT, Promise, Promises, Store, promised


class WholeObjects(Promises):
    """An object is visible only when it is complete and as expected."""

    @pytest.mark.parametrize("hold_small", [True, False], ids=["may be held", "not held"])
    @pytest.mark.parametrize("layout", [(2.0, 1.0, 1.5, 0.1), (0.5,), ()], ids=["four parts", "one part", "empty"])
    def test_an_object_appears_whole_when_it_is_completed_and_not_before(
        self, store: Store, layout: tuple[float, ...], hold_small: bool
    ) -> None:
        """Parts are of different sizes; an object may also have one part, or none."""
        pieces = make_pieces(store.sink, layout)
        content = b"".join(pieces)
        writer = store.sink.begin(NewObject("data/a=1/rows.gz", TEXT, {EXPORT_ID: "e1"}, hold_small=hold_small))
        put_all(writer, pieces)
        assert store.visible() == {}
        written = writer.complete(expect(content))
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
        put_all(writer, make_pieces(store.sink, layout))
        writer.abort()
        writer.abort()
        assert store.visible() == {}
        assert list(store.litter()) == []

    def test_an_overwritten_object_keeps_its_old_content_until_the_new_one_is_complete(self, store: Store) -> None:
        """Readers see the old object or the new one."""
        store.sink.put(NewObject("rows", TEXT), b"old")
        pieces = make_pieces(store.sink, (1.0, 0.5))
        writer = store.sink.begin(NewObject("rows", TEXT))
        put_all(writer, pieces)
        assert store.visible() == {"rows": b"old"}
        writer.complete(expect(b"".join(pieces)))
        assert store.visible() == {"rows": b"".join(pieces)}

    def test_a_small_object_is_written_in_one_go(self, store: Store) -> None:
        """`put` needs no writer, and replaces what is there."""
        for content in (b"first", b"", b"second"):
            written = store.sink.put(NewObject("manifests/ok.json", TEXT), content)
            assert written.size == len(content)
            assert store.visible() == {"manifests/ok.json": content}
        assert list(store.litter()) == []

    @pytest.mark.parametrize("layout", [(1.0, 1.0, 0.5), (0.5,)], ids=["three parts", "one part"])
    @pytest.mark.parametrize("fault", ["size", "checksum", "missing part"])
    def test_what_is_not_as_expected_is_never_published(
        self, store: Store, layout: tuple[float, ...], fault: str
    ) -> None:
        """Size, checksum and number of parts are checked before the object is visible."""
        pieces = make_pieces(store.sink, layout)
        expected = expect(b"".join(pieces))
        if fault == "size":
            expected = ExpectedObject(expected.size + 1, expected.crc32c)
        if fault == "checksum":
            expected = ExpectedObject(expected.size, expected.crc32c ^ 1)
        writer = store.sink.begin(NewObject("rows", TEXT))
        put_all(writer, pieces[:-1] if fault == "missing part" else pieces)
        with pytest.raises(IntegrityError):
            writer.complete(expected)
        assert store.visible() == {}
        writer.abort()
        assert list(store.litter()) == []

    @pytest.mark.parametrize("passes", [0, 1, 2])
    def test_a_part_that_was_not_stored_does_not_count(self, store: Store, passes: int) -> None:
        """A body that cannot be read, at once or again, is no part of the object, whatever else was noted of it."""
        pieces = make_pieces(store.sink, (1.0, 0.5))
        writer = store.sink.begin(NewObject("rows", TEXT))
        first, second = make_parts(pieces)
        writer.put_part(first)
        try:
            writer.put_part(Part(second.number, second.offset, PartBodyThatBreaks([pieces[1]], passes), last=True))
        except BrokenBodyError:
            with pytest.raises(IntegrityError):
                writer.complete(expect(b"".join(pieces)))
            assert store.visible() == {}
        writer.abort()
        assert store.visible() == {}
        assert list(store.litter()) == []

    @pytest.mark.parametrize("layout", [(1.0, 0.5), (0.5,), ()], ids=["two parts", "one part", "empty"])
    @pytest.mark.parametrize("end", ["completed", "aborted"])
    def test_a_writer_that_has_ended_takes_nothing_more(
        self, store: Store, end: str, layout: tuple[float, ...]
    ) -> None:
        """Neither a part nor a completion: an aborted object would appear as an empty one."""
        pieces = make_pieces(store.sink, layout)
        writer = store.sink.begin(NewObject("rows", TEXT))
        put_all(writer, pieces)
        if end == "completed":
            writer.complete(expect(b"".join(pieces)))
        writer.abort()
        before = store.visible()
        for part in make_parts(pieces or [b"late"]):
            with pytest.raises(StorageError):
                writer.put_part(part)
        for expected in (expect(b"".join(pieces)), expect(b"")):
            with pytest.raises(StorageError):
                writer.complete(expected)
        writer.abort()
        assert store.visible() == before
        assert list(store.litter()) == []

    @promised(Promise.PARTS_CAN_BE_REPEATED)
    def test_a_part_that_is_put_again_counts_once(self, store: Store) -> None:
        """A part whose answer was lost is sent again, with the same number and bytes."""
        pieces = make_pieces(store.sink, (1.0, 1.0, 0.5))
        writer = store.sink.begin(NewObject("rows", TEXT))
        put_all(writer, pieces, repeat={1, 2, 3})
        writer.complete(expect(b"".join(pieces)))
        assert store.visible() == {"rows": b"".join(pieces)}

    def test_parts_may_be_put_by_several_threads_and_end_out_of_order(self, store: Store) -> None:
        """They are handed in about in the order of their numbers, four at once."""
        pieces = make_pieces(store.sink, (1.0, 2.0, 1.0, 1.5, 1.0, 0.3))
        writer = store.sink.begin(NewObject("rows", TEXT))
        with ThreadPoolExecutor(4) as threads:
            for done in [threads.submit(writer.put_part, part) for part in make_parts(pieces)]:
                done.result()
        writer.complete(expect(b"".join(pieces)))
        assert store.visible() == {"rows": b"".join(pieces)}

    def test_the_memory_of_a_part_may_be_used_again_once_it_is_put(self, store: Store) -> None:
        """Parts have odd sizes, so that whatever a store holds back of one shows."""
        pieces = make_pieces(store.sink, (1.0, 1.0, 0.5))
        writer = store.sink.begin(NewObject("rows", TEXT))
        for part in make_parts(pieces):
            memory = bytearray(pieces[part.number - 1])
            writer.put_part(Part(part.number, part.offset, PartBody([memory]), last=part.last))
            memory[:] = bytes(len(memory))
        writer.complete(expect(b"".join(pieces)))
        assert store.visible() == {"rows": b"".join(pieces)}

    def test_a_part_is_not_kept_in_memory_where_that_was_not_asked_for(self, store: Store) -> None:
        """`hold_small=False` bounds the memory of a transfer that has many objects open."""
        (piece,) = make_pieces(store.sink, (0.5,))
        writer = store.sink.begin(NewObject("rows", TEXT, hold_small=False))
        (part,) = make_parts([piece])
        kept = weakref.ref(part.body)
        writer.put_part(part)
        del part
        gc.collect()
        assert kept() is None
        writer.complete(expect(piece))
        assert store.visible() == {"rows": piece}
