"""Tries of one export that overlap or come late: what is fenced, what is checked, and what is not moved again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from support.stores.faulty_sink import FaultySink, KilledError, SinkFault
from support.stores.servers import BUCKET, files, s3_client
from support.streaming.exports import ERROR_LINES, LandingClient, manifest_in, rows_in
from support.streaming.landing import Killed, KilledAt, Store, expected_rows

from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.errors import (
    ConfigurationError,
    ObjectExistsError,
    StorageDeniedError,
    StorageError,
    StorageUnavailableError,
    TooManyErrorRowsError,
)
from labelbox_export_provider.sinks.base import ListedObject, NewObject, Sink, StoredObject, WrittenObject
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing.faults import ErrorRows, NullFile, NullHeader
from labelbox_export_provider.testing.object_store import StrictS3, strict_s3

MAY = FixedWindow("2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z")
OBJECT_BYTES = 64 * 1024


@pytest.fixture
def server() -> Iterator[StrictS3]:
    with strict_s3(page=1000) as served:
        yield served


def sink_of(server: StrictS3) -> S3Sink:
    return S3Sink(s3_client(server.address), BUCKET)


def operations(server: StrictS3) -> Counter[str]:
    return Counter(call.operation for call in server.calls)


class Between(KilledAt):
    """Lets something happen once, right before an object below `part` is written."""

    def __init__(self, sink: Sink, part: str, event: Any) -> None:
        super().__init__(sink, "no such key")
        self._before = part
        self._event = event

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        if self._before in new.key and self._event is not None:
            event, self._event = self._event, None
            event()
        return super().put(new, content)


# --- calls


def test_one_small_object_takes_twelve_calls(at: LandingClient, server: StrictS3) -> None:
    """Each call is a round trip, so a landing makes no more than it needs."""
    at.land(at.export(), sink_of(server))
    assert sum(operations(server).values()) <= 12, operations(server)


def test_many_objects_are_fenced_by_two_listings(at: LandingClient, server: StrictS3) -> None:
    """One below the data of the generation and one below its errors, before a byte moves, whatever their number."""
    killed = KilledAt(sink_of(server), "data/")
    with pytest.raises(Killed):
        at.land(at.export(), killed, max_object_bytes=OBJECT_BYTES)
    assert operations(server)["ListMultipartUploads"] == 2


# --- tries of the same export


@pytest.mark.parametrize("split", [None, OBJECT_BYTES])
def test_uploads_of_a_try_with_other_options_are_aborted(
    at: LandingClient, server: StrictS3, split: int | None
) -> None:
    """A zombie of the same export has other names, but the same generation."""
    handle = at.export()
    with pytest.raises(KilledError):
        at.land(
            handle,
            FaultySink(sink_of(server), SinkFault("complete", "data", 0, "killed before")),
            compression=None,
            max_object_bytes=OBJECT_BYTES,
        )
    assert len(server.open_uploads()) > 1
    at.land(handle, sink_of(server), compression="gzip", max_object_bytes=split)
    assert server.open_uploads() == []
    assert rows_in(server.visible()) == expected_rows(at, handle)


def test_objects_in_another_form_go_before_the_manifest(at: LandingClient, store: Store) -> None:
    """Rows are there once as soon as a manifest names them."""
    handle = at.export()
    with pytest.raises(Killed):
        at.land(handle, KilledAt(store.sink, "manifests/"), compression=None, max_object_bytes=OBJECT_BYTES)
    with pytest.raises(Killed):
        at.land(handle, KilledAt(store.sink, "manifests/"))
    assert rows_in(store.public()) == expected_rows(at, handle)
    assert len([name for name in store.public() if "data/" in name]) == 1


def test_a_zombie_in_another_form_gives_way(at: LandingClient, store: Store, request: pytest.FixtureRequest) -> None:
    """The try that has published stays whole, and nothing of the other one is left.

    Where a store ignores that a manifest is to be created only, the later manifest stays, with its own rows alone.
    """
    handle = at.export()
    creates_only = "rclone" not in request.node.name

    def publish() -> None:
        at.land(handle, store.sink, compression="gzip")

    gives_way = pytest.raises(ConfigurationError, match="compression='gzip'") if creates_only else nullcontext()
    with gives_way:
        at.land(handle, Between(store.sink, "manifests/", publish), compression=None)
    assert rows_in(store.visible()) == expected_rows(at, handle)
    assert manifest_in(store.visible()).compression == ("gzip" if creates_only else None)


def test_a_landed_export_moves_no_bytes_again(at: LandingClient, store: Store) -> None:
    """A retry whose manifest is there, with every object, is done: also in the layout."""
    handle = at.export()
    first = at.land(handle, store.sink, max_object_bytes=OBJECT_BYTES)
    before = store.visible()
    at.fake.requests.clear()
    again = at.land(handle, store.sink, max_object_bytes=OBJECT_BYTES)
    assert (first.moved, again.moved) == (True, False)
    assert again.manifest == first.manifest
    assert at.fake.requests.files == []
    assert store.visible() == before


@pytest.mark.parametrize("harm", ["gone", "another size"])
def test_a_landed_export_that_is_not_whole_is_landed_again(at: LandingClient, store: Store, harm: str) -> None:
    """A manifest is believed only as far as its objects are there."""
    handle = at.export()
    at.land(handle, store.sink, max_object_bytes=OBJECT_BYTES)
    before = store.visible()
    name = max(name for name in before if "data/" in name)
    if harm == "gone":
        store.sink.delete(name)
    else:
        store.sink.put(NewObject(name, "text/plain"), b"cut")
    assert at.land(handle, store.sink, max_object_bytes=OBJECT_BYTES).moved
    assert {key: data for key, data in store.visible().items() if "data/" in key} == {
        key: data for key, data in before.items() if "data/" in key
    }


# --- the look right before the manifest


class LosesAnObject(KilledAt):
    """Removes the first data object as soon as the list of addresses is written."""

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        written = super().put(new, content)
        if "uris/" in new.key:
            self._sink.delete("lake/data/" + content.decode().split("\n")[0].partition("/lake/data/")[2])
        return written


def test_an_object_that_is_gone_is_noticed(at: LandingClient, tmp_path: Path) -> None:
    """A manifest is not written for what somebody removed between its completion and the manifest."""
    root = tmp_path / "root"
    with pytest.raises(StorageUnavailableError, match="is gone") as caught:
        at.land(at.export(), LosesAnObject(FileSink(root), "no such key"))
    assert caught.value.retryable
    assert not [name for name in files(root) if "manifests/" in name]


class LateListing(KilledAt):
    """Lists what was there a moment ago: nothing of this landing."""

    def list(self, prefix: str) -> Iterator[ListedObject]:
        return iter(())


def test_a_key_that_a_listing_lacks_is_asked_for(at: LandingClient, store: Store) -> None:
    """Some stores list late; a HEAD decides whether the object is gone."""
    handle = at.export()
    at.land(handle, LateListing(store.sink, "no such key"), max_object_bytes=OBJECT_BYTES)
    assert rows_in(store.visible()) == expected_rows(at, handle)


def test_without_listings_one_warning_is_logged(
    at: LandingClient, server: StrictS3, caplog: pytest.LogCaptureFixture
) -> None:
    """An identity that may only write lands as before; what is not compared then is said once."""
    server.denied = frozenset({"ListObjectsV2", "GetObject", "HeadObject"})
    handle = at.export()
    at.land(handle, sink_of(server), max_object_bytes=OBJECT_BYTES)
    assert rows_in(server.visible()) == expected_rows(at, handle)
    assert caplog.text.count("Without listings") == 1


def test_a_directory_looks_at_its_own_names(at: LandingClient, tmp_path: Path) -> None:
    """Where a directory may not be listed, its files can still be looked at."""

    class Unlisted(LosesAnObject):
        def list(self, prefix: str) -> Iterator[ListedObject]:
            raise StorageDeniedError(f"{prefix} may not be listed")

    with pytest.raises(StorageUnavailableError, match="is gone"):
        at.land(at.export(), Unlisted(FileSink(tmp_path), "no such key"))


# --- error rows that come late


def come_late(at: LandingClient, *, reads: int) -> None:
    """Let the error stream look empty: no header for so many reads, and no first file."""
    at.fake.faults.add(NullHeader(stream="ERRORS", times=reads))
    at.fake.faults.add(NullFile(stream="ERRORS"))


def test_error_rows_that_come_late_are_not_missed(at: LandingClient, store: Store) -> None:
    """G7: a header that is null at first, with no first file yet, is read once more before anything is completed."""
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    handle = at.export()
    come_late(at, reads=1)
    with pytest.raises(TooManyErrorRowsError, match="4 error rows"):
        at.land(handle, store.sink)
    assert [name.split("/")[1] for name in store.visible()] == ["errors"]


def test_late_error_rows_within_the_threshold_land(at: LandingClient, store: Store) -> None:
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    handle = at.export()
    come_late(at, reads=1)
    landed = at.land(handle, store.sink, max_error_rows=4)
    assert (landed.manifest.state, landed.manifest.errors.rows) == ("errors", 4)
    assert rows_in(store.visible(), "errors/") == [line.encode() for line in ERROR_LINES]


def test_one_generation_never_has_two_manifests(at: LandingClient, store: Store) -> None:
    """An export that was landed without its error rows is landed again with them, and has one manifest."""
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    handle = at.export()
    come_late(at, reads=2)
    assert at.land(handle, store.sink, max_error_rows=4).manifest.state == "ok"
    at.fake.faults.clear()
    again = at.land(handle, store.sink, max_error_rows=4)
    assert (again.moved, again.manifest.state) == (True, "errors")
    assert manifest_in(store.visible()) == again.manifest


# --- an explicit key


@pytest.mark.parametrize("replace", [False, True])
def test_an_older_export_never_takes_a_newer_ones_key(at: LandingClient, store: Store, replace: bool) -> None:
    """Whatever `replace` says: an old task that is cleared must not bring back old rows."""
    older = at.export(days=-1)
    at.land(older, store.sink, key="rows.gz")
    at.land(at.export(), store.sink, key="rows.gz", replace=True)
    before = store.visible()
    at.fake.requests.clear()
    with pytest.raises(ObjectExistsError, match="newer export is at this key") as caught:
        at.land(older, store.sink, key="rows.gz", replace=replace)
    assert not caught.value.retryable
    assert store.visible() == before
    assert at.fake.requests.files == []


def test_a_newer_object_that_comes_meanwhile_stays(at: LandingClient, store: Store) -> None:
    """The key is looked at again right before the object would take its place; a file that waits there is fenced."""
    older, newer = at.export(days=-2), at.export()
    at.land(at.export(days=-3), store.sink, key="rows.gz")

    class Meanwhile(KilledAt):
        begun = False

        def begin(self, new: NewObject) -> Any:
            writer = super().begin(new)
            if not self.begun:
                self.begun = True
                at.land(newer, store.sink, key="rows.gz", replace=True)
            return writer

    with pytest.raises(StorageError, match=r"newer export is at this key|another try .* has taken over"):
        at.land(older, Meanwhile(store.sink, "no such key"), key="rows.gz", replace=True)
    landed = [name for name in store.visible() if name.startswith("rows")]
    assert landed == ["rows.gz"]
    assert manifest_of(store, newer).objects[0].bytes == len(store.visible()["rows.gz"])


def test_without_metadata_the_manifests_beside_the_key_decide(
    at: LandingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system without extended attributes, whose object it is stands in the newest manifest."""

    class Bare(FileSink):
        def head(self, key: str) -> StoredObject | None:
            there = super().head(key)
            return there and StoredObject(there.key, there.size, None, there.etag, there.version_id)

    older = at.export(days=-1)
    sink = Bare(tmp_path)
    at.land(older, sink, key="rows.gz")
    at.land(at.export(window=MAY), sink, key="rows.gz", replace=True)
    before = files(tmp_path)
    with pytest.raises(ObjectExistsError, match="newer export is at this key"):
        at.land(older, sink, key="rows.gz", replace=True)
    assert files(tmp_path) == before


def manifest_of(store: Store, handle: Any) -> Any:
    from labelbox_export_provider.domain.records.manifest import Manifest
    from labelbox_export_provider.domain.records.object_names import generation

    name = generation(handle.export_id)
    (found,) = [data for key, data in store.visible().items() if "_manifests/" in key and name in key]
    return Manifest.model_validate_json(found)
