"""Retries and other exports under the layout's names and under an explicit key."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path
from typing import Any

import pytest
from support.stores.faulty_sink import FaultySink, KilledError, SinkFault
from support.stores.servers import files
from support.streaming.exports import ERROR_LINES, LandingClient, without_versions
from support.streaming.landing import Killed, KilledAt, Store, expected_rows

from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.errors import ObjectExistsError
from labelbox_export_provider.sinks.base import NewObject, WrittenObject
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.testing.faults import (
    ErrorRows,
)


def test_a_retry_rewrites_and_another_export_adds(at: LandingClient, store: Store) -> None:
    """Re-running never removes a row from the lake.

    A retry rewrites the same names with the same bytes, and another export adds a generation.
    """
    first = at.export()
    at.land(first, store.sink)
    before = store.visible()
    at.land(first, store.sink, workers=1, part_bytes=6 * 1024**2)
    assert without_versions(store.visible()) == without_versions(before)
    before = store.visible()
    at.land(at.export(), store.sink)
    assert len(store.visible()) == 2 * len(before)
    assert before.items() <= store.visible().items()


def test_an_explicit_key_has_manifest_and_errors_beside_it(at: LandingClient, store: Store) -> None:
    """An explicit key holds one object, with manifest and errors beside it."""
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    handle = at.export()
    landed = at.land(handle, store.sink, key="here/{source_id}.ndjson.gz", max_error_rows=9)
    seen = store.visible()
    key = f"here/{handle.source.id}.ndjson.gz"
    assert gzip.decompress(seen[key]).splitlines() == expected_rows(at, handle)
    assert sorted(name.split("/")[1] for name in seen) == ["_errors", "_manifests", key.split("/")[1]]
    assert landed.manifest.uris is None


def test_an_explicit_key_of_this_export_counts_as_done(at: LandingClient, store: Store) -> None:
    """An explicit key at which this export was landed counts as done."""
    handle = at.export()
    first = at.land(handle, store.sink, key="rows.gz")
    at.fake.requests.clear()
    again = at.land(handle, store.sink, key="rows.gz")
    assert (first.moved, again.moved) == (True, False)
    assert again.summary == first.summary
    assert at.fake.requests.files == []


@pytest.mark.parametrize("owner", ["another export", "somebody else"])
def test_an_explicit_key_that_is_taken_is_refused(
    at: LandingClient, store: Store, owner: str, request: pytest.FixtureRequest
) -> None:
    """An explicit key at which something else is, is refused before bytes move."""
    if owner == "another export":
        at.land(at.export(days=-1), store.sink, key="rows.gz")
    else:
        store.sink.put(NewObject("rows.gz", "text/plain"), b"theirs")
    before = store.visible()
    at.fake.requests.clear()
    handle = at.export()
    with pytest.raises(ObjectExistsError, match=r"An object .* is at this key.*replace=True.*rows\.gz") as caught:
        at.land(handle, store.sink, key="rows.gz")
    assert not caught.value.retryable
    assert store.visible() == before
    assert at.fake.requests.files == []
    at.land(handle, store.sink, key="rows.gz", replace=True)
    assert gzip.decompress(store.visible()["rows.gz"]).splitlines() == expected_rows(at, handle)


def test_an_explicit_key_without_manifest_is_landed_again(at: LandingClient, store: Store) -> None:
    """An explicit key whose manifest was lost is landed again with the same bytes.

    A try that is killed between the data and the manifest must not lock its own retry out.
    """
    handle = at.export()
    with pytest.raises(Killed):
        at.land(handle, KilledAt(store.sink, "_manifests/"), key="rows.gz")
    before = store.public()
    assert list(before) == ["rows.gz"]
    at.land(handle, store.sink, key="rows.gz")
    assert store.visible()["rows.gz"] == before["rows.gz"]
    assert len(store.visible()) == 2


def test_an_explicit_key_with_other_options_is_refused(at: LandingClient, store: Store) -> None:
    """An explicit key of this export with other options is refused."""
    handle = at.export()
    at.land(handle, store.sink, key="rows", compression="gzip")
    with pytest.raises(ObjectExistsError, match="with other options"):
        at.land(handle, store.sink, key="rows", compression=None)


def without_attributes(*arguments: object) -> None:
    raise OSError(errno.ENOTSUP, "Operation not supported")


def test_without_file_attributes_the_bytes_decide(
    at: LandingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system without extended attributes the bytes themselves decide."""
    monkeypatch.setattr(os, "setxattr", without_attributes)
    sink = FileSink(tmp_path)
    handle = at.export()
    with pytest.raises(Killed):
        at.land(handle, KilledAt(sink, "_manifests/"), key="rows.gz")
    at.land(handle, sink, key="rows.gz")
    assert not at.land(handle, sink, key="rows.gz").moved
    before = files(tmp_path)
    with pytest.raises(ObjectExistsError, match="replace=True"):
        at.land(
            at.export(window=FixedWindow("2024-05-07T00:00:00Z", "2024-05-08T00:00:00Z"), days=1), sink, key="rows.gz"
        )
    assert files(tmp_path) == before


def test_without_metadata_a_newer_export_that_comes_between_two_looks_stays(
    at: LandingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older one that listed the manifests before, and looked at the key after it, does not take its place."""
    older, newer, sink = at.export(days=-1), at.export(), FileSink(tmp_path)

    class Between(KilledAt):
        def head(self, key: str) -> Any:
            if not files(tmp_path):
                at.land(newer, sink, key="rows.gz", replace=True)
            return super().head(key)

    monkeypatch.setattr(os, "setxattr", without_attributes)
    with pytest.raises(ObjectExistsError, match="newer export is at this key"):
        at.land(older, Between(sink, "no such key"), key="rows.gz", replace=True)
    assert len([name for name in files(tmp_path) if name.startswith("_manifests/")]) == 1


@pytest.mark.parametrize("rerun", ["refuse", "replace"])
def test_a_retry_of_what_is_landed_is_not_refused(at: LandingClient, store: Store, rerun: Any) -> None:
    """Others landed at the same moment, or later: the try that a kill ended after its manifest would have succeeded."""
    handle = at.export()
    at.land(handle, store.sink, rerun=rerun)
    other = at.export(minutes=-5)
    asked_otherwise = other.model_copy(update={"filters_digest": f"sha256:{1:064}"})
    at.land(asked_otherwise if rerun == "replace" else other, store.sink)
    assert not at.land(handle, store.sink, rerun=rerun).moved


def test_receipts_of_a_try_that_began_meanwhile_are_removed(at: LandingClient, store: Store) -> None:
    """A landing of one object, which has none of its own, finds the open upload that they name only at the end."""
    handle = at.export()

    class Meanwhile(KilledAt):
        resumes = True

        def put(self, new: NewObject, content: bytes) -> WrittenObject:
            if "manifests/" in new.key:
                killed = FaultySink(store.sink, SinkFault("complete", "data", 0, "killed before"))
                with pytest.raises(KilledError):
                    at.land(handle, killed, max_object_bytes=64 * 1024, workers=1)
                assert [name for name in store.visible() if "_staging/" in name]
            return super().put(new, content)

    at.land(handle, Meanwhile(store.sink, "no such key"), max_object_bytes=None)
    assert not [name for name in store.visible() if "_staging/" in name]
