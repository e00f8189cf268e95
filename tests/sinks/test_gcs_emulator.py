"""An emulator that is not ours: what the client library's own calls do there. It has no multipart uploads."""

from __future__ import annotations

import itertools
import random

import google_crc32c
import pytest
from support.stores.gcs_uploads import MINE, expected, put
from support.stores.servers import gcs_client, gcs_objects

from labelbox_export_provider.errors import StorageError, StorageUnsupportedError
from labelbox_export_provider.sinks.base import CRC32C, NewObject
from labelbox_export_provider.sinks.gcs.sink import GCSSink

CONTENT = random.Random(3).randbytes(700_000)
NEW = NewObject("data/a b=ü/rows", "text/plain", MINE)
_numbers = itertools.count()


@pytest.fixture
def sink(emulator: str) -> GCSSink:
    client = gcs_client(emulator)
    return GCSSink(client, client.create_bucket(f"lake-emulated-{next(_numbers)}").name)


def seen(sink: GCSSink) -> dict[str, bytes]:
    return gcs_objects(sink._gcs._client, sink._gcs._name)


def test_small_objects_are_written_read_listed_and_removed(sink: GCSSink) -> None:
    """The origin is kept with each, and the checksum."""
    sink.check_writable(NEW.key)
    for content in (b"first", b"", b"second"):
        assert sink.put(NEW, content).size == len(content)
        assert seen(sink) == {NEW.key: content}
    there = sink.head(NEW.key)
    assert there is not None
    assert there.metadata == {**MINE, CRC32C: f"{google_crc32c.value(b'second'):08x}"}
    assert sink.read(NEW.key, limit=3) == b"sec"
    assert [(each.key, each.size) for each in sink.list("data/a b")] == [(NEW.key, 6)]
    for _ in range(2):
        sink.delete(NEW.key)
    assert (sink.head(NEW.key), sink.read(NEW.key, limit=3), list(sink.list(""))) == (None, None, [])


def test_an_object_that_must_not_overwrite_is_sent_in_chunks(sink: GCSSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator knows no preconditions, but it joins the chunks."""
    monkeypatch.setattr("labelbox_export_provider.sinks.gcs.calls.CHUNK_BYTES", 256 * 1024)
    writer = sink.begin(NewObject(NEW.key, "text/plain", MINE, create_only=True))
    put(writer, CONTENT, 100_000)
    assert seen(sink) == {}
    writer.complete(expected(CONTENT))
    assert seen(sink) == {NEW.key: CONTENT}
    aborted = sink.begin(NewObject("aborted", "text/plain", MINE, create_only=True))
    put(aborted, CONTENT, 300_000)
    aborted.abort()
    assert seen(sink) == {NEW.key: CONTENT}


def test_an_object_of_one_part_needs_no_multipart_upload(sink: GCSSink) -> None:
    """So exports of a test land there; a larger one says what the emulator lacks."""
    writer = sink.begin(NEW)
    put(writer, CONTENT, len(CONTENT))
    writer.complete(expected(CONTENT))
    assert seen(sink) == {NEW.key: CONTENT}
    with pytest.raises(StorageUnsupportedError, match="has no multipart uploads of Cloud Storage's XML API") as error:
        put(sink.begin(NEW), CONTENT, 300_000)
    assert not error.value.retryable


def test_a_missing_bucket_is_named(emulator: str) -> None:
    with pytest.raises(StorageError, match=r"There is no bucket 'no-such-lake'.*bucket_name"):
        GCSSink(gcs_client(emulator), "no-such-lake").put(NEW, b"x")
