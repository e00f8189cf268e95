"""Receipts of an explicit key that are not sound are not believed, and what they name is not published."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.stores.faulty_sink import FaultySink, SinkFault
from support.stores.servers import file_store, strict_store
from support.streaming.exports import LandingClient, bytes_read, client_of_rows, manifest_in
from support.streaming.one_upload import (
    KEY,
    RANGE_BYTES,
    RANGES,
    check_landed,
    kill,
    kill_midway,
    land,
)
from support.streaming.small_parts import PART_BYTES
from support.streaming.staged import receipts_in

from labelbox_export_provider.domain.records.object_names import explicit_names
from labelbox_export_provider.domain.records.receipt import Receipt, read_receipt
from labelbox_export_provider.errors import IntegrityError, StorageError
from labelbox_export_provider.sinks.base import JSON, NewObject
from labelbox_export_provider.streaming.landing.progress import LandingProgress
from labelbox_export_provider.testing.object_store import StrictS3
from labelbox_export_provider.testing.sink_conformance import Store

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.fixture(scope="module")
def shared_client() -> Iterator[LandingClient]:
    with client_of_rows(1100, file_bytes=40_000) as client:
        yield client


@pytest.fixture
def store(s3: StrictS3) -> Store:
    return strict_store(s3)


FAULTS: dict[str, Callable[[Receipt], Receipt | None]] = {
    "missing": lambda receipt: None,
    "foreign": lambda receipt: receipt.model_copy(update={"export_id": "clother"}),
    "of another upload": lambda receipt: receipt.model_copy(update={"upload": "u4711"}),
    "without a part": lambda receipt: receipt.model_copy(update={"parts": receipt.parts[:-1]}),
    "beyond its parts": lambda receipt: receipt.model_copy(update={"size": 2**40}),
}
RESTARTS = ("without a part", "beyond its parts")


@pytest.mark.parametrize("fault", [*FAULTS, "cut"])
def test_a_receipt_that_is_not_sound_is_refused(at: LandingClient, store: Store, fault: str) -> None:
    """The upload is continued behind the ranges before it, or begun again; the bytes are the same."""
    handle = at.export()
    kept = kill_midway(at, handle, store, "gzip")
    key = explicit_names(handle, KEY, "gzip").receipt(kept - 1 if fault == "beyond its parts" else 2)
    receipt = read_receipt(content := store.visible()[key])
    assert receipt is not None
    changed = FAULTS[fault](receipt) if fault in FAULTS else receipt
    store.sink.delete(key)
    if changed is not None:
        store.sink.put(NewObject(key, JSON), content[:-20] if fault == "cut" else changed.to_json())
    land(at, handle, store.again(), compression="gzip")
    source = receipt.source_bytes
    if fault in RESTARTS:
        assert bytes_read(at) >= source
    else:
        # How much is read twice at the ends of members differs a little from landing to landing.
        assert source - 2 * RANGE_BYTES <= bytes_read(at) < source
    check_landed(at, handle, store, "gzip")


@pytest.mark.parametrize("member", ["crc32c", "size", "rows"])
def test_a_receipt_of_other_bytes_ends_resuming(at: LandingClient, store: Store, member: str) -> None:
    """One that is sound by itself, but not of these bytes, is an `IntegrityError`; nothing is left, a retry lands."""
    handle = at.export()
    kept = kill_midway(at, handle, store)
    key = explicit_names(handle, KEY, None).receipt(kept - 1)
    receipt = read_receipt(store.visible()[key])
    assert receipt is not None
    changes: dict[str, Any] = {
        "crc32c": {"crc32c": "00000000"},
        "size": {"size": receipt.size - 1},
        "rows": {"counts": {**receipt.counts, "rows": receipt.counts["rows"] - 1}},
    }
    store.sink.put(NewObject(key, JSON), receipt.model_copy(update=changes[member]).to_json())
    seen_at_once = "an earlier try has stored differ" if member != "rows" else "row counters"
    with pytest.raises(IntegrityError, match=seen_at_once):
        land(at, handle, store.again())
    assert store.visible() == {}
    assert store.litter() == []
    land(at, handle, store.again())
    check_landed(at, handle, store)


def test_a_complete_object_takes_no_more_parts(at: LandingClient, tmp_path: Path) -> None:
    """The object is there, and the receipt of its last range is not: it begins again, and is the same."""
    store, handle = file_store(tmp_path), at.export()
    kill(at, handle, store, "complete", 0, "killed after", part_bytes=2 * RANGES * RANGE_BYTES)
    store.sink.delete(explicit_names(handle, KEY, None).receipt(RANGES - 1))
    land(at, handle, store.again())
    check_landed(at, handle, store)


@pytest.mark.parametrize(("first", "then"), [(PART_BYTES, 2 * PART_BYTES), (2 * PART_BYTES, PART_BYTES)])
def test_another_part_size_makes_the_same_bytes(
    at: LandingClient, store: Store, caplog: pytest.LogCaptureFixture, first: int, then: int
) -> None:
    """Behind smaller parts no larger ones are put, since some stores want all of one size; smaller ones need memory."""
    handle = at.export()
    kill(at, handle, store, "put_part", 48 * PART_BYTES // first, part_bytes=first)
    with caplog.at_level(logging.INFO):
        land(at, handle, store.again(), part_bytes=then)
    assert "were stored by an earlier try" in caplog.text
    etag = manifest_in(store.visible()).objects[0].etag
    alone = land(at, handle, store.again(), key="other/rows", part_bytes=first).manifest.objects[0]
    assert store.visible()[KEY] == store.visible()["other/rows"]
    assert (etag == alone.etag) == (first < then)
    assert store.litter() == []


def test_the_report_counts_only_ranges_that_a_later_try_can_use(at: LandingClient, store: Store) -> None:
    """The receipt of the first range was not written, so the others are of no use, and their upload is aborted."""
    progress = LandingProgress()
    lossy = FaultySink(store.again(), SinkFault("put", "receipts", 0, "unavailable"))
    late = FaultySink(lossy, SinkFault("put_part", "data", 48, "refused"))
    with pytest.raises(StorageError):
        land(at, at.export(), late, progress=progress)
    assert len(receipts_in(store.visible())) >= 2
    assert store.litter() == []
    assert progress.kept == "nothing, since the first range of the object has no receipt"
