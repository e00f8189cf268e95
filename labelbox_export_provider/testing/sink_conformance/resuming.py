"""Objects that one process has stored and another completes, for stores that say that they can."""

from __future__ import annotations

import pytest

from labelbox_export_provider.errors import StorageError
from labelbox_export_provider.sinks.base import EXPORT_ID, NewObject
from labelbox_export_provider.testing.sink_conformance.parts import expect, make_parts, make_pieces, put_all
from labelbox_export_provider.testing.sink_conformance.promises import TEXT, Promise, Promises, Store, promised

NEW = NewObject("lake/rows.g1.0", TEXT, {EXPORT_ID: "e1"}, hold_small=False)


class Resuming(Promises):
    """What a killed writer has stored can be completed, and is told apart from what it has not."""

    @promised(Promise.UPLOADS_CAN_BE_RESUMED)
    @pytest.mark.parametrize("layout", [(1.0, 1.5, 0.5), (0.5,)], ids=["three parts", "one part"])
    def test_what_a_killed_writer_stored_is_completed_by_another(self, store: Store, layout: tuple[float, ...]) -> None:
        """Nothing is visible before, and nothing is left after."""
        self._require(store)
        pieces = make_pieces(store.sink, layout)
        killed = store.sink.begin(NEW)
        put_all(killed, pieces)
        stored = killed.stored()
        assert stored is not None
        assert [part.size for part in stored.parts] == [len(piece) for piece in pieces]
        resumed = store.again().resume(NEW, stored, expect(b"".join(pieces)))
        assert resumed is not None
        assert resumed.stored() == stored
        assert store.visible() == {}
        written = resumed.complete(expect(b"".join(pieces)))
        resumed.abort()
        assert (written.key, written.size) == (NEW.key, sum(map(len, pieces)))
        assert store.visible() == {NEW.key: b"".join(pieces)}
        assert list(store.litter()) == []

    @promised(Promise.UPLOADS_CAN_BE_RESUMED)
    def test_a_writer_continues_behind_the_first_parts(self, store: Store) -> None:
        """With `more`, parts behind those that were named may be there; they are put again, from there on."""
        self._continue(store, seed=0)

    @promised(Promise.PARTS_CAN_BE_REPLACED)
    def test_a_writer_replaces_what_is_behind_the_first_parts(self, store: Store) -> None:
        """Also where a killed writer has put other bytes there, as another version of a compressor makes."""
        self._continue(store, seed=1)

    def _continue(self, store: Store, seed: int) -> None:
        """Continue behind two parts, of an upload that has a third one from this seed."""
        self._require(store)
        layout = (1.0, 1.0, 1.0, 0.5)
        pieces = make_pieces(store.sink, layout)
        parts = make_parts(pieces)
        killed = store.sink.begin(NEW)
        for part in parts[:2]:
            killed.put_part(part)
        stored = killed.stored()
        assert stored is not None
        killed.put_part(make_parts(make_pieces(store.sink, layout, seed=seed))[2])
        first = type(stored)(stored.name, stored.parts, more=True)
        resumed = store.again().resume(NEW, first, expect(b"".join(pieces[:2])))
        assert resumed is not None
        for part in parts[2:]:
            resumed.put_part(part)
        assert store.visible() == {}
        resumed.complete(expect(b"".join(pieces)))
        assert store.visible() == {NEW.key: b"".join(pieces)}
        assert list(store.litter()) == []

    @promised(Promise.UPLOADS_CAN_BE_RESUMED)
    def test_an_upload_to_keep_stays_and_the_others_go(self, store: Store) -> None:
        """`keep` is asked about each by the name that `stored` gave it."""
        self._require(store)
        pieces = make_pieces(store.sink, (1.0, 0.5))
        writers = [store.sink.begin(NewObject(f"lake/rows.g1.{number}", TEXT, hold_small=False)) for number in range(3)]
        for writer in writers:
            put_all(writer, pieces)
        names = [stored.name for writer in writers if (stored := writer.stored()) is not None]
        assert store.again().abort_open_uploads("lake/rows.g1.", keep=lambda name: name == names[1]) == 2
        writers[1].complete(expect(b"".join(pieces)))
        for writer in (writers[0], writers[2]):
            with pytest.raises(StorageError):
                writer.complete(expect(b"".join(pieces)))
            writer.abort()
        assert store.visible() == {"lake/rows.g1.1": b"".join(pieces)}
        assert list(store.litter()) == []

    @promised(Promise.UPLOADS_CAN_BE_RESUMED)
    @promised(Promise.METADATA_IS_KEPT)
    def test_an_object_that_was_completed_is_resumed_as_it_is(self, store: Store) -> None:
        """Its completion changes nothing, and aborting it leaves it there."""
        self._require(store)
        pieces = make_pieces(store.sink, (1.0, 0.5))
        writer = store.sink.begin(NEW)
        put_all(writer, pieces)
        stored = writer.stored()
        assert stored is not None
        writer.complete(expect(b"".join(pieces)))
        for _ in range(2):
            resumed = store.again().resume(NEW, stored, expect(b"".join(pieces)))
            assert resumed is not None
            assert resumed.complete(expect(b"".join(pieces))).size == sum(map(len, pieces))
            resumed.abort()
        assert store.visible() == {NEW.key: b"".join(pieces)}

    @promised(Promise.UPLOADS_CAN_BE_RESUMED)
    @pytest.mark.parametrize("fault", ["a part less", "another part", "aborted", "another object"])
    def test_what_is_not_there_as_it_was_stored_is_not_resumed(self, store: Store, fault: str) -> None:
        """Then the object is stored again; `resume` returns None."""
        self._require(store)
        pieces = make_pieces(store.sink, (1.0, 1.0, 0.5))
        killed = store.sink.begin(NEW)
        parts = make_parts(pieces)
        for part in parts[: 2 if fault == "a part less" else 3]:
            killed.put_part(part)
        if fault == "another part":
            pieces = make_pieces(store.sink, (1.0, 1.0, 0.5), seed=1)
        whole = store.sink.begin(NEW)
        put_all(whole, pieces)
        stored, here = whole.stored(), killed.stored()
        assert stored is not None
        assert here is not None
        whole.abort()
        wanted = type(stored)(here.name, stored.parts)
        if fault == "aborted":
            killed.abort()
        elif fault == "another object":
            killed.abort()
            store.sink.put(NewObject(NEW.key, TEXT, {EXPORT_ID: "e2"}), b"of another export")
        assert store.again().resume(NEW, wanted, expect(b"".join(pieces))) is None
        killed.abort()

    @staticmethod
    def _require(store: Store) -> None:
        if not store.sink.resumes:
            pytest.skip("the store does not say that it resumes")
