"""Landings at one explicit key with receipts, their deaths, and what must be there afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from support.stores.faulty_sink import Answer, FaultySink, Injection, KilledError, SinkFault
from support.streaming.exports import LandingClient, manifest_in
from support.streaming.staged import receipts_in

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.streaming.landing.land import LandedExport
from labelbox_export_provider.testing.object_store import StrictS3
from labelbox_export_provider.testing.sink_conformance import Store

RANGE_BYTES = 128 * 1024
KEY = "lake/rows"
RANGES = 8
"""Of an export of 1,100 rows."""


class PausedSink(FaultySink):
    """Stops before it puts a part of the data, the one of number `turn` from 0, until it is `released`."""

    def __init__(self, sink: Sink, turn: int) -> None:
        super().__init__(sink, None)
        self._turn = turn
        self.reached = Event()
        self.released = Event()

    def make(self, call: str, key: str, carry_out: Callable[[], Answer]) -> Answer:
        if (call, self.made["put_part", "data"]) == ("put_part", self._turn):
            self.reached.set()
            assert self.released.wait(60)
        return super().make(call, key, carry_out)


def land(at: LandingClient, handle: ExportHandle, sink: Any, **options: Any) -> LandedExport:
    # Only what may overwrite is resumed in Google Cloud Storage.
    given = {"key": KEY, "receipt_bytes": RANGE_BYTES, "workers": 1, "replace": True, "compression": None, **options}
    return at.land(handle, sink, **given)


def kill(  # noqa: PLR0917  a call of a store and when
    at: LandingClient,
    handle: ExportHandle,
    store: Store,
    call: str,
    turn: int,
    inject: Injection = "killed before",
    **options: Any,
) -> None:
    with pytest.raises(KilledError):
        land(at, handle, FaultySink(store.again(), SinkFault(call, "data", turn, inject)), **options)


def kill_midway(at: LandingClient, handle: ExportHandle, store: Store, compression: Any = None) -> int:
    """Kill a landing at a later part, and return how many ranges have a receipt."""
    kill(at, handle, store, "put_part", 48 if compression is None else 9, compression=compression)
    kept = len(receipts_in(store.visible()))
    assert kept >= 3
    at.fake.requests.clear()
    return kept


def calls_of(server: StrictS3) -> Counter[str]:
    """How often each operation was called, pages of one answer counted as one."""
    pages = {"continuation-token", "part-number-marker", "key-marker"}
    return Counter(call.operation for call in server.calls if not pages & call.query.keys())


def check_landed(at: LandingClient, handle: ExportHandle, store: Store, compression: Any = None) -> None:
    """Bytes, parts and checksums are those of an undisturbed landing, and nothing else is there."""
    seen = store.visible()
    landed = manifest_in(seen).objects
    assert store.litter() == []
    assert sorted(seen) == sorted([KEY, next(name for name in seen if "_manifests/" in name)])
    alone = land(at, handle, store.again(), key="other/rows", compression=compression)
    assert seen[KEY] == store.visible()["other/rows"]
    # An ETag of S3 shows of which parts an object was made; one of GCS is a number of its own.
    names = ["rows", "bytes", "source_bytes", "crc32c", *(["etag"] if isinstance(store.sink, S3Sink) else [])]
    assert [each.etag is None for each in landed] == [each.etag is None for each in alone.manifest.objects]
    told, undisturbed = (
        [{name: getattr(each, name) for name in names} for each in objects]
        for objects in (landed, alone.manifest.objects)
    )
    assert told == undisturbed
