"""Killed tries and the next one; creation next to other writers."""

from __future__ import annotations

import functools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from labelbox_export_provider.errors import ObjectExistsError, StorageError
from labelbox_export_provider.sinks.base import (
    EXPORT_ID,
    NewObject,
)
from labelbox_export_provider.testing.sink_conformance.parts import (
    create_at_once,
    expect,
    make_parts,
    make_pieces,
    put_all,
    put_and_complete,
)
from labelbox_export_provider.testing.sink_conformance.promises import TEXT, Promise, Promises, Store, promised


class Retries(Promises):
    """Leftovers of killed tries, and objects that must not be replaced."""

    @promised(Promise.LEFTOVERS_ARE_FOUND)
    def test_the_next_try_removes_what_a_killed_writer_left(self, store: Store) -> None:
        """With `exact` what is under its key alone, and nothing of a neighbour's."""
        key = "lake/source=a b/rows"
        killed = store.sink.begin(NewObject(key, TEXT))
        neighbour = store.sink.begin(NewObject(f"{key}.2", TEXT))
        for writer in (killed, neighbour):
            put_all(writer, make_pieces(store.sink, (1.0, 1.0)), last=False)
        of_both = len(store.litter())
        assert store.again().abort_open_uploads(key, exact=True) == 1
        assert 0 < len(store.litter()) < of_both
        assert store.again().abort_open_uploads(key, exact=True) == 0
        neighbour.abort()
        assert list(store.litter()) == []

    @promised(Promise.LEFTOVERS_ARE_FOUND)
    def test_the_next_try_removes_what_was_left_below_a_prefix(self, store: Store) -> None:
        """Whatever the names are that follow, and nothing below another prefix; a prefix is a plain string."""
        keys = (
            "lake/a/rows.g1.0.gz",
            "lake/a/rows.g1.1",
            "lake/a/rows.g2.0.gz",
            "lake/ab/rows.g1.0",
            "lake/b/rows.g1.0",
        )
        writers = [store.sink.begin(NewObject(key, TEXT)) for key in keys]
        for writer in writers:
            put_all(writer, make_pieces(store.sink, (1.0, 1.0)), last=False)
        assert store.again().abort_open_uploads("lake/a/rows.g1.") == 2
        assert store.again().abort_open_uploads("lake/a/rows.g1.") == 0
        assert store.again().abort_open_uploads("lake/a/rows.g2.0.gz") == 1
        assert store.again().abort_open_uploads("lake/a") == 1
        assert store.again().abort_open_uploads("lake/") == 1
        for writer in writers:
            writer.abort()
        assert list(store.litter()) == []

    @promised(Promise.ZOMBIES_ARE_FENCED)
    def test_a_writer_whose_upload_was_removed_can_publish_nothing(self, store: Store) -> None:
        """An earlier try that still runs must not overwrite what the next one writes, whatever it had sent."""
        pieces = make_pieces(store.sink, (1.0, 0.5))
        for sent in (1, 2):
            zombie = store.sink.begin(NewObject("rows", TEXT))
            parts = make_parts(pieces)
            for part in parts[:sent]:
                zombie.put_part(part)
            store.again().abort_open_uploads("rows")
            with pytest.raises(StorageError):
                put_and_complete(zombie, parts[sent:], expect(b"".join(pieces)))
            zombie.abort()
            assert store.visible() == {}
            assert list(store.litter()) == []

    def test_looking_for_leftovers_where_there_are_none_finds_none(self, store: Store) -> None:
        """An object that is complete is none."""
        assert store.sink.abort_open_uploads("rows") == 0
        store.sink.put(NewObject("rows", TEXT), b"whole")
        assert store.sink.abort_open_uploads("rows") == 0
        assert store.visible() == {"rows": b"whole"}

    @promised(Promise.CREATE_ONLY)
    @pytest.mark.parametrize("layout", [(1.0, 0.5), (0.5,)], ids=["two parts", "one part"])
    def test_creation_is_refused_when_something_else_came_there_meanwhile(
        self, store: Store, layout: tuple[float, ...]
    ) -> None:
        """The existing object stays."""
        pieces = make_pieces(store.sink, layout)
        writer = store.sink.begin(NewObject("rows", TEXT, {EXPORT_ID: "e1"}, create_only=True))
        put_all(writer, pieces)
        store.again().put(NewObject("rows", TEXT, {EXPORT_ID: "other"}), b"theirs")
        with pytest.raises(ObjectExistsError, match="replace"):
            writer.complete(expect(b"".join(pieces)))
        writer.abort()
        assert store.visible() == {"rows": b"theirs"}
        assert list(store.litter()) == []

    @promised(Promise.CREATION_HAS_NO_RACE)
    def test_of_two_that_create_at_the_same_time_one_wins(self, store: Store) -> None:
        """The other gets an error and changes nothing; with parts and without."""
        for key, layout in (("large", (1.0, 0.5)), ("small", (0.5,))):
            contents = [make_pieces(store.sink, layout, seed=seed) for seed in (1, 2)]
            with ThreadPoolExecutor(2) as threads:
                ended = list(threads.map(functools.partial(create_at_once, store, key, threading.Barrier(2)), contents))
            winners = [number for number, error in enumerate(ended) if error is None]
            assert len(winners) == 1, ended
            assert store.visible()[key] == b"".join(contents[winners[0]])
            assert list(store.litter()) == []

    def test_creation_accepts_the_very_same_object_of_an_earlier_try(self, store: Store) -> None:
        """That one was killed after it had completed the object, or never got the answer."""
        pieces = make_pieces(store.sink, (1.0, 0.5))
        for _ in range(2):
            writer = store.again().begin(NewObject("rows", TEXT, {EXPORT_ID: "e1"}, create_only=True))
            put_all(writer, pieces)
            writer.complete(expect(b"".join(pieces)))
            writer.abort()
        assert store.visible() == {"rows": b"".join(pieces)}
        assert list(store.litter()) == []
