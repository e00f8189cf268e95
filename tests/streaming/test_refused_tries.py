"""Tries of one export at the same moment of which one is refused, and removes what it takes for left by killed ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.stores.faulty_sink import FaultySink, KilledError
from support.streaming.exports import LandingClient, manifest_in
from support.streaming.landing import Killed, KilledAt, Store

from labelbox_export_provider.errors import ObjectExistsError, StorageDeniedError, StorageUnavailableError
from labelbox_export_provider.sinks.base import ListedObject, NewObject, Sink, WrittenObject
from labelbox_export_provider.streaming.landing.progress import LandingProgress

PATIENCE = 20
OBJECT_BYTES = 64 * 1024


class Paused(FaultySink):
    """Waits before it removes an object of the export: `begun` is set there, and `go` lets it do so."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink, None)
        self.begun, self.go = threading.Event(), threading.Event()

    def delete(self, key: str) -> None:
        if "_staging/" not in key:
            self.begun.set()
            assert self.go.wait(PATIENCE)
        super().delete(key)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_a_manifest_whose_objects_a_refused_try_removed_is_taken_back(at: LandingClient, store: Store) -> None:
    """Another try of the same export is refused, since another one is there, right before the manifest is written."""
    handle, other = at.export(), at.export(minutes=-5)

    class Meanwhile(KilledAt):
        def put(self, new: NewObject, content: bytes) -> WrittenObject:
            if "manifests/" in new.key:
                at.land(other, store.sink)
                with pytest.raises(ObjectExistsError):
                    at.land(handle, store.sink, rerun="refuse")
            return super().put(new, content)

    with pytest.raises(StorageUnavailableError):
        at.land(handle, Meanwhile(store.sink, "no such key"), rerun="refuse")
    assert manifest_in(store.public()).export.export_id == other.export_id


def test_a_manifest_stays_where_its_objects_cannot_be_looked_at_again(at: LandingClient, store: Store) -> None:
    """Another export came meanwhile; that the store does not answer shows nothing about what was landed."""
    handle, other = at.export(), at.export(minutes=-5)

    class Meanwhile(KilledAt):
        published = False

        def put(self, new: NewObject, content: bytes) -> WrittenObject:
            if "manifests/" in new.key:
                at.land(other, store.sink)
                self.published = True
            return super().put(new, content)

        def list(self, prefix: str) -> Iterator[ListedObject]:
            if self.published and "manifests/" not in prefix:
                raise StorageUnavailableError("The store does not answer.")
            return super().list(prefix)

    with pytest.raises(StorageUnavailableError):
        at.land(handle, Meanwhile(store.sink, "no such key"), rerun="refuse")
    names = [name for name in store.public() if "manifests/" in name]
    assert len(names) == 2


@pytest.mark.parametrize("objects", ["one object", "several objects"])
def test_a_landing_sees_that_its_objects_are_being_removed(
    at: LandingClient, store: Store, thread: ThreadPoolExecutor, objects: str
) -> None:
    """A refused try found no manifest and has not removed anything yet when this landing looks for its objects.

    An export of several objects has receipts, which are removed at the same time.
    """
    handle, other = at.export(), at.export(minutes=-5)
    options: dict[str, Any] = {"rerun": "refuse"}
    options |= {"max_object_bytes": OBJECT_BYTES, "compression": None} if objects == "several objects" else {}
    refused = Paused(store.sink)

    def refuse() -> None:
        with pytest.raises(ObjectExistsError):
            at.land(handle, refused, **options)

    class Meanwhile(FaultySink):
        def put(self, new: NewObject, content: bytes) -> WrittenObject:
            if "manifests/" in new.key:
                at.land(other, store.sink)
                self.refusal = thread.submit(refuse)
                assert refused.begun.wait(PATIENCE)
            return super().put(new, content)

    landing, progress = Meanwhile(store.sink, None), LandingProgress()
    try:
        with pytest.raises(StorageUnavailableError, match="was refused, and removes its objects at this moment"):
            at.land(handle, landing, progress=progress, **options)
    finally:
        refused.go.set()
    landing.refusal.result(PATIENCE)
    assert progress.in_store.describe().startswith("no manifest any more")
    assert progress.kept is None
    assert manifest_in(store.public()).export.export_id == other.export_id
    assert not [name for name in store.visible() if "_staging/" in name]


def test_the_next_try_sees_that_objects_of_the_last_one_are_being_removed(
    at: LandingClient, store: Store, thread: ThreadPoolExecutor
) -> None:
    """A try that died right behind its manifest had not looked any more: the next one fails until nothing is removed.

    It does not take the manifest back, and once its objects are gone it lands the export again.
    """
    handle, other = at.export(), at.export(minutes=-5)
    refused = Paused(store.sink)

    def refuse() -> None:
        with pytest.raises(ObjectExistsError):
            at.land(handle, refused, rerun="refuse")

    class DiesBehindItsManifest(FaultySink):
        def put(self, new: NewObject, content: bytes) -> WrittenObject:
            if "manifests/" in new.key:
                at.land(other, store.sink)
                self.refusal = thread.submit(refuse)
                assert refused.begun.wait(PATIENCE)
                super().put(new, content)
                raise KilledError
            return super().put(new, content)

    died = DiesBehindItsManifest(store.sink, None)
    try:
        with pytest.raises(KilledError):
            at.land(handle, died, rerun="refuse")
        with pytest.raises(StorageUnavailableError, match="or died while it did"):
            at.land(handle, store.sink, rerun="refuse")
    finally:
        refused.go.set()
    died.refusal.result(PATIENCE)
    assert at.land(handle, store.sink, rerun="refuse").moved
    manifests = [name for name in store.public() if "manifests/" in name]
    assert len(manifests) == 2


def test_a_try_that_may_not_remove_does_not_say_that_it_does(at: LandingClient, store: Store) -> None:
    """What shows a removal would stay for good, and each later landing of the export would take its manifest back."""
    handle, other = at.export(), at.export(minutes=-5)

    class MayNotDelete(FaultySink):
        def delete(self, key: str) -> None:
            raise StorageDeniedError(f"{key} must not be removed, injected")

    with pytest.raises(Killed):
        at.land(handle, KilledAt(store.sink, "manifests/"))
    at.land(other, store.sink)
    with pytest.raises(ObjectExistsError):
        at.land(handle, MayNotDelete(store.sink, None), rerun="refuse")
    assert not [name for name in store.visible() if "_staging/" in name]


def test_a_refused_try_that_dies_leaves_nothing_for_good(at: LandingClient, store: Store) -> None:
    """The next try of the export is refused as well, and removes what shows that a removal is under way."""
    handle, other = at.export(), at.export(minutes=-5)
    with pytest.raises(Killed):
        at.land(handle, KilledAt(store.sink, "manifests/"))
    at.land(other, store.sink)
    with pytest.raises(Killed):
        at.land(handle, KilledAt(store.sink, "removal", step=2), rerun="refuse")
    with pytest.raises(ObjectExistsError):
        at.land(handle, store.sink, rerun="refuse")
    assert not [name for name in store.visible() if "_staging/" in name or f".{handle.export_id}" in name]
    assert manifest_in(store.public()).export.export_id == other.export_id
