"""A try at an explicit key that dies is resumed inside its one upload, and ends as an undisturbed landing does."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from support.stores.faulty_sink import FaultySink, Injection, SinkFault
from support.stores.servers import file_store, strict_gcs_store, strict_store
from support.streaming.exports import LandingClient, bytes_read, client_of_rows, landing_client
from support.streaming.one_upload import (
    KEY,
    RANGE_BYTES,
    RANGES,
    PausedSink,
    calls_of,
    check_landed,
    kill,
    kill_midway,
    land,
)
from support.streaming.small_parts import PART_BYTES
from support.streaming.staged import receipts_in, unnamed_uploads

from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.errors import (
    IntegrityError,
    ObjectExistsError,
    StorageError,
    StorageUnavailableError,
    UnreachableError,
)
from labelbox_export_provider.sinks.base import NDJSON, NewObject, Part, PartBody
from labelbox_export_provider.streaming.landing.progress import LandingProgress
from labelbox_export_provider.testing import Behaviour, FakeLabelbox, StreamLayout, generate_rows
from labelbox_export_provider.testing.faults import CorruptFile, ErrorStatus
from labelbox_export_provider.testing.object_store import StrictS3, strict_gcs
from labelbox_export_provider.testing.sink_conformance import Store
from labelbox_export_provider.windows_check.listing import list_names
from labelbox_export_provider.windows_check.names import Names

FORMS = [None, "gzip"]

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.fixture(scope="module")
def shared_client() -> Iterator[LandingClient]:
    with client_of_rows(1100, file_bytes=40_000) as client:
        yield client


@pytest.mark.parametrize("compression", FORMS)
def test_a_killed_move_continues_in_its_upload(at: LandingClient, any_store: Store, compression: Any) -> None:
    """Killed at a later part: what has a receipt is not read again."""
    handle = at.export()
    land(at, handle, any_store.again(), key="alone/rows", compression=compression)
    undisturbed = bytes_read(at)
    for key in any_store.visible():
        any_store.sink.delete(key)
    kept = kill_midway(at, handle, any_store, compression)
    land(at, handle, any_store.again(), compression=compression)
    assert bytes_read(at) < undisturbed * (1 - (kept - 1) / RANGES)
    check_landed(at, handle, any_store, compression)


@pytest.mark.parametrize("inject", ["killed before", "killed after"])
def test_a_landing_that_dies_at_its_completion_moves_nothing_again(
    at: LandingClient, any_store: Store, inject: Injection
) -> None:
    """All of it is stored, or even visible: the next try reads no file of the result."""
    handle = at.export()
    kill(at, handle, any_store, "complete", 0, inject, compression="gzip")
    at.fake.requests.clear()
    land(at, handle, any_store.again(), compression="gzip")
    assert at.fake.requests.files == []
    check_landed(at, handle, any_store, "gzip")


def test_receipts_change_neither_parts_nor_bytes(at: LandingClient, s3: StrictS3) -> None:
    """Beside the receipts, a landing of many ranges makes the calls and the object of one without ranges."""
    store, handle = strict_store(s3), at.export()
    made: list[Counter[str]] = []
    for key, range_bytes in (("whole", 1024**3), ("ranges", RANGE_BYTES)):
        s3.calls.clear()
        land(at, handle, store.again(), key=key, receipt_bytes=range_bytes)
        made.append(calls_of(s3))
    receipts = {"ListObjectsV2": 2, "PutObject": RANGES, "DeleteObject": RANGES}
    assert made[1] - made[0] == receipts
    assert made[0] - made[1] == {}
    assert s3.visible()["whole"] == s3.visible()["ranges"]
    assert s3.objects["whole"].etag == s3.objects["ranges"].etag


def test_a_resumed_landing_puts_no_part_again_that_a_receipt_names(at: LandingClient, s3: StrictS3) -> None:
    """It asks for the parts once, and begins behind them in the same upload."""
    store, handle = strict_store(s3), at.export()
    kill_midway(at, handle, store)
    named = sum(len(each.parts) for each in receipts_in(store.visible()).values())
    s3.calls.clear()
    land(at, handle, store.again())
    calls = calls_of(s3)
    assert (calls["ListParts"], calls["CreateMultipartUpload"], calls["AbortMultipartUpload"]) == (1, 0, 0)
    numbers = [int(call.query["partNumber"]) for call in s3.calls if call.operation == "UploadPart"]
    assert sorted(numbers) == list(range(named + 1, named + len(numbers) + 1))


def test_a_landing_that_is_refused_leaves_nothing(at: LandingClient, any_store: Store) -> None:
    """Something else is at the key by now: receipts and their upload go, and what is there stays."""
    handle = at.export()
    kill_midway(at, handle, any_store)
    any_store.sink.put(NewObject(KEY, NDJSON), b"theirs")
    with pytest.raises(ObjectExistsError):
        land(at, handle, any_store.again(), replace=False)
    assert any_store.visible() == {KEY: b"theirs"}
    assert any_store.litter() == []


def test_the_check_of_windows_takes_no_receipt_for_a_manifest(at: LandingClient, tmp_path: Path) -> None:
    """They lie below the folder in which manifests of explicit keys are looked for."""
    store = file_store(tmp_path)
    kill_midway(at, at.export(), store)
    assert list_names(store.sink, "lake", read=True) == Names((), 0)


def test_only_the_upload_that_receipts_name_stays(at: LandingClient, any_store: Store) -> None:
    """Another open upload of the key is aborted, so that who has it cannot publish."""
    handle = at.export()
    kill_midway(at, handle, any_store)
    (name,) = {each.upload for each in receipts_in(any_store.visible()).values()}
    other = any_store.sink.begin(NewObject(KEY, NDJSON, hold_small=False))
    other.put_part(Part(1, 0, PartBody([b"1" * PART_BYTES]), last=False))
    assert len(any_store.litter()) == 2
    kill(at, handle, any_store, "put_part", 0)
    assert len(any_store.litter()) == 1
    assert {each.upload for each in receipts_in(any_store.visible()).values()} == {name}
    land(at, handle, any_store.again())
    check_landed(at, handle, any_store)


def test_a_try_that_still_runs_changes_nothing(
    at: LandingClient, any_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """It was believed dead, and both have the one upload: what the later one lands stays as it is."""
    handle, believed_dead = at.export(), PausedSink(any_store.again(), 48)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(land, at, handle, believed_dead)
        assert believed_dead.reached.wait(30)
        with caplog.at_level(logging.INFO):
            land(at, handle, any_store.again())
        assert "were stored by an earlier try" in caplog.text
        seen = any_store.visible()
        believed_dead.released.set()
        assert isinstance(running.exception(60), StorageError)
    assert any_store.visible() == seen
    check_landed(at, handle, any_store)


def test_a_failure_that_resuming_repeats_leaves_nothing(at: LandingClient, any_store: Store) -> None:
    """Bytes that differ from what was announced: the upload is aborted, and receipts are removed."""
    at.fake.faults.add(CorruptFile(file_index=20, position=30, times=None))
    with pytest.raises(IntegrityError):
        land(at, at.export(), any_store.again())
    assert any_store.visible() == {}
    assert any_store.litter() == []


def test_a_failure_that_may_pass_leaves_what_is_stored(
    at: LandingClient, any_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """An API that is down: the upload stays, since receipts name it; the next try logs how much was kept."""
    handle = at.export()
    at.fake.faults.add(ErrorStatus(operation="exportFileFromOffset", status=503, times=None, after=26))
    progress = LandingProgress()
    with pytest.raises(UnreachableError):
        land(at, handle, any_store.again(), progress=progress)
    kept = len(receipts_in(any_store.visible()))
    assert kept >= 1
    share = f"{kept} of {RANGES} ranges ({kept * RANGE_BYTES} of "
    assert str(progress.kept).startswith(share)
    assert len(any_store.litter()) == 1
    assert unnamed_uploads(any_store) == []
    at.fake.faults.clear()
    with caplog.at_level(logging.INFO):
        land(at, handle, any_store.again())
    assert share in caplog.text
    check_landed(at, handle, any_store)


@pytest.mark.parametrize(("call", "turn"), [("put_part", 3), ("complete", 0)])
def test_ranges_without_rows_are_kept_as_well(s3: StrictS3, call: str, turn: int) -> None:
    """Where trimming leaves nothing of the first ranges and of the last ones."""
    second = datetime(2026, 11, 22, tzinfo=timezone.utc)
    margin, inside = second + timedelta(milliseconds=500), second + timedelta(milliseconds=1500)
    rows = [
        replace(row, last_activity_at=inside if 400 <= number < 550 else margin)
        for number, row in enumerate(generate_rows(1100))
    ]
    window = FixedWindow(second + timedelta(seconds=1), second + timedelta(seconds=2))
    behaviour = Behaviour(streams=StreamLayout(file_bytes=40_000))
    with FakeLabelbox(rows, behaviour=behaviour) as fake, landing_client(fake) as at:
        store, handle = strict_store(s3), at.export(window=window)
        kill(at, handle, store, call, turn)
        receipts = [*receipts_in(store.visible()).values()]
        assert [each.size for each in receipts][:2] == [0, 0]
        source = receipts[0].source_bytes
        assert len(receipts) >= (3 if call == "put_part" else source / RANGE_BYTES)
        at.fake.requests.clear()
        land(at, handle, store.again())
        # How much is read twice at the ends of members differs a little from landing to landing.
        assert bytes_read(at) <= (0 if call == "complete" else 1.05 * source - 2 * RANGE_BYTES)
        check_landed(at, handle, store)


def test_without_permission_to_read_there_is_no_resume(
    at: LandingClient, s3: StrictS3, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and the export lands."""
    store, handle = strict_store(s3), at.export()
    kill_midway(at, handle, store)
    s3.denied = frozenset({"GetObject", "HeadObject", "ListObjectsV2", "ListMultipartUploads", "ListParts"})
    land(at, handle, store.again())
    assert bytes_read(at) > RANGES * RANGE_BYTES - RANGE_BYTES
    assert caplog.text.count("a try that dies is not resumed") == 1


def test_an_object_that_must_not_overwrite_is_not_resumed_in_google_cloud_storage(at: LandingClient) -> None:
    """Its session cannot be found again: no receipt is written, and the next try moves everything."""
    with strict_gcs(minimum_part_bytes=PART_BYTES) as server:
        store, handle = strict_gcs_store(server, retry_timeout=1), at.export()
        sink = FaultySink(store.again(), SinkFault("put_part", "data", 48, "unavailable"))
        with pytest.raises(StorageUnavailableError):
            land(at, handle, sink, replace=False)
        assert receipts_in(store.visible()) == {}
        land(at, handle, store.again(), replace=False)
        assert KEY in store.visible()
