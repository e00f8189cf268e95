"""Checks before a transfer, and reading what is in the store."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone

import google_crc32c
import pytest

from labelbox_export_provider.errors import ConfigurationError, StorageError
from labelbox_export_provider.sinks.base import (
    CRC32C,
    EXPORT_ID,
    NewObject,
)
from labelbox_export_provider.testing.sink_conformance.parts import (
    expect,
    make_pieces,
    put_all,
)
from labelbox_export_provider.testing.sink_conformance.promises import TEXT, Promise, Promises, Store, promised

UNUSUAL_KEYS = (
    "data/source=project/id=a b/plus+percent%41.gz",
    "data/quote'double\"amp&hash#question?.gz",
    "data/größe-日本-🙂.gz",
    "data/(round)[square]{curly}!$*,;:@~.gz",
)


def listed_keys(store: Store, prefix: str) -> list[str]:
    """Return the keys of a listing, in order, as the next try sees them."""
    return sorted(each.key for each in store.again().list(prefix))


class Inspection(Promises):
    """What a sink reports about the store, and which keys it takes."""

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

    @promised(Promise.METADATA_IS_KEPT)
    def test_the_origin_of_an_object_is_kept_with_it_and_the_checksum_of_a_small_one(self, store: Store) -> None:
        """Names of metadata come back in lower case."""
        origin = {EXPORT_ID: "e1", "labelbox-encoding": "1;plain;untrimmed"}
        pieces = make_pieces(store.sink, (1.0, 0.5))
        writer = store.sink.begin(NewObject("large", TEXT, origin))
        put_all(writer, pieces)
        writer.complete(expect(b"".join(pieces)))
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
        put_all(unfinished, make_pieces(store.sink, (0.5,)))
        assert listed_keys(store, "") == keys
        assert listed_keys(store, "lake/data/") == keys[:3]
        assert listed_keys(store, "lake/data") == keys[:6]
        assert listed_keys(store, "lake/data/rows.1") == ["lake/data/rows.1"]
        assert listed_keys(store, "lake/nothing/") == []
        unfinished.abort()

    def test_a_listing_reports_what_the_store_knows_of_each_object(self, store: Store) -> None:
        """Size; and the ETag that the completion returned and the time of the write, where listings hold them."""
        written = store.sink.put(NewObject("data/rows", TEXT), b"0123456789")
        (listed,) = store.again().list("data/")
        assert (listed.key, listed.size) == ("data/rows", 10)
        assert listed.etag in {None, written.etag}
        if listed.modified_at is not None:
            assert abs(datetime.now(timezone.utc) - listed.modified_at) < timedelta(minutes=5)

    def test_a_removed_object_is_gone_and_its_neighbours_are_not(self, store: Store) -> None:
        """Removing it twice is as good as once."""
        for key in ("a/rows", "a/rows.2"):
            store.sink.put(NewObject(key, TEXT), b"x")
        store.again().delete("a/rows")
        store.again().delete("a/rows")
        assert store.visible() == {"a/rows.2": b"x"}

    def test_the_rule_about_unfinished_uploads_is_the_first_to_remove_them(self, store: Store) -> None:
        """There is none at first; of two that apply to a key, the one of fewer days counts."""
        with contextlib.suppress(StorageError):  # the store has no such rules
            assert store.sink.upload_rule("lake/data/rows.gz") is None
        if store.set_upload_rules is None:
            pytest.skip("the store's class provides no way to give it rules")
        store.set_upload_rules({"lake/": 5, "lake/data/": 3, "other/": 1})
        rules = [store.again().upload_rule(f"{folder}/rows.gz") for folder in ("lake/data", "lake/errors", "else")]
        assert [rule and rule.days for rule in rules] == [3, 5, None]
        assert all(rule.name for rule in rules if rule is not None)

    @promised(Promise.ANY_KEY)
    def test_keys_with_unusual_characters_are_taken_as_they_are(self, store: Store) -> None:
        """Ids and partition values come from users."""
        for key in UNUSUAL_KEYS:
            pieces = make_pieces(store.sink, (1.0, 0.5))
            writer = store.sink.begin(NewObject(key, TEXT, {EXPORT_ID: "e1"}))
            put_all(writer, pieces)
            writer.complete(expect(b"".join(pieces)))
            assert store.visible() == {key: b"".join(pieces)}
            there = store.again().head(key)
            assert there is not None
            assert there.size == sum(map(len, pieces))
            assert listed_keys(store, key) == [key]
            assert store.again().read(key, limit=3) == pieces[0][:3]
            assert store.again().abort_open_uploads(key) == 0
            store.sink.delete(key)
            assert store.visible() == {}

    @pytest.mark.parametrize("prefix", ["", "/", "/rows", "../rows", "a//b"])
    def test_open_uploads_of_the_whole_store_are_never_aborted(self, store: Store, prefix: str) -> None:
        """A prefix may end at a slash, but it has to name something below the root."""
        with pytest.raises(ConfigurationError, match="relative"):
            store.sink.abort_open_uploads(prefix)

    @pytest.mark.parametrize("key", ["", "/rows", "a//b", "../rows", "a/./b", "rows/", "a\x00b", "a\nb"])
    def test_a_key_that_could_leave_the_store_is_refused(self, store: Store, key: str) -> None:
        """Every call refuses it, before anything is sent."""
        for call in (
            lambda: store.sink.begin(NewObject(key, TEXT)),
            lambda: store.sink.put(NewObject(key, TEXT), b""),
            lambda: store.sink.head(key),
            lambda: store.sink.read(key, limit=1),
            lambda: store.sink.delete(key),
            lambda: store.sink.check_writable(key),
            lambda: store.sink.uri(key),
        ):
            with pytest.raises(ConfigurationError, match="relative"):
                call()
