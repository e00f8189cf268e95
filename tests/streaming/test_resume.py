"""A try that dies is resumed: what it has stored is not moved again, and the bytes are those of one try."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.stores.faulty_sink import FaultySink, KilledError, SinkFault
from support.stores.servers import strict_store
from support.streaming.exports import LandingClient, bytes_read, client_of_rows, without_versions
from support.streaming.small_parts import PART_BYTES
from support.streaming.staged import receipts_in, unnamed_uploads

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.landing_plan import MAX_SHARDS, SHARD_BYTES, LandingPlan, shards_of
from labelbox_export_provider.domain.records.object_names import layout_names
from labelbox_export_provider.domain.records.receipt import Receipt, read_receipt
from labelbox_export_provider.errors import IntegrityError, StorageError, UnreachableError
from labelbox_export_provider.sinks.base import JSON, NewObject
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.testing.faults import CorruptFile, ErrorStatus
from labelbox_export_provider.testing.object_store import strict_s3
from labelbox_export_provider.testing.sink_conformance import Store

OBJECT_BYTES = 128 * 1024
OBJECTS = 8
FORMS = [None, "gzip", "zstd"]

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.fixture(scope="module")
def shared_client() -> Iterator[LandingClient]:
    with client_of_rows(1100, file_bytes=40_000) as client:
        yield client


def check_landed(at: LandingClient, handle: ExportHandle, store: Store, compression: Any = "gzip") -> None:
    """Compare with an undisturbed landing into another prefix."""
    at.land(handle, store.again(), prefix="other", max_object_bytes=OBJECT_BYTES, compression=compression)
    seen = without_versions(store.visible())
    alone = {
        name.removeprefix("other/"): data.replace(b"other/", b"lake/")
        for name, data in seen.items()
        if name.startswith("other/")
    }
    assert {name.removeprefix("lake/"): data for name, data in seen.items() if name.startswith("lake/")} == alone
    assert store.litter() == []


def kill(
    at: LandingClient, handle: ExportHandle, store: Store, turn: int, call: str = "complete", **options: Any
) -> None:
    sink = FaultySink(store.again(), SinkFault(call, "data", turn, "killed before"))
    with pytest.raises(KilledError):
        at.land(handle, sink, max_object_bytes=OBJECT_BYTES, workers=1, **options)


@pytest.mark.parametrize("compression", FORMS)
def test_a_killed_burst_moves_nothing_again(at: LandingClient, any_store: Store, compression: Any) -> None:
    """All objects are stored and some are visible: the next try reads no file of the result, and ends with the same."""
    handle = at.export()
    kill(at, handle, any_store, 2, compression=compression)
    assert len(receipts_in(any_store.visible())) >= 3
    at.fake.requests.clear()
    at.land(handle, any_store.again(), max_object_bytes=OBJECT_BYTES, compression=compression)
    assert at.fake.requests.files == []
    check_landed(at, handle, any_store, compression)


@pytest.mark.parametrize("compression", FORMS)
def test_a_killed_move_resumes_behind_what_is_stored(
    at: LandingClient, any_store: Store, tmp_path: Path, compression: Any
) -> None:
    """Killed at a part of a later object: only what has no receipt is read again."""
    handle = at.export()
    at.land(handle, FileSink(tmp_path / "alone"), max_object_bytes=OBJECT_BYTES, compression=compression, workers=1)
    undisturbed = bytes_read(at)
    parts = {None: 48, "gzip": 14, "zstd": 9}[compression]
    kill(at, handle, any_store, parts, "put_part", compression=compression)
    kept = len(receipts_in(any_store.visible()))
    assert kept >= 3
    at.fake.requests.clear()
    at.land(handle, any_store.again(), max_object_bytes=OBJECT_BYTES, compression=compression, workers=1)
    assert bytes_read(at) < undisturbed * (1 - (kept - 1) / OBJECTS)
    check_landed(at, handle, any_store, compression)


def test_several_tasks_land_what_one_task_lands(at: LandingClient, any_store: Store) -> None:
    """Plan, shards in any order and one of them twice, publish twice: the bytes of a landing by one task."""
    handle = at.export()
    given: Any = {"handle": handle, "workers": 1, "max_object_bytes": OBJECT_BYTES}
    at.fake.requests.clear()
    plan = at.plan(sink=any_store.again(), max_shards=3, **given)
    assert len(at.fake.requests.api) == 2
    assert len(plan.shards) == 3
    assert plan == LandingPlan.model_validate(plan.model_dump(mode="json"))
    for number in (2, 1, 0, 1):
        shard = at.stage(plan, number, sink=any_store.again(), **given)
        assert (shard.first, shard.last) == plan.shards[number]
    assert shard.kept == shard.last - shard.first
    assert not [name for name in any_store.visible() if "_staging/" not in name]
    at.fake.requests.clear()
    landed, again = (at.publish(plan, sink=any_store.again(), **given) for _ in range(2))
    assert (landed.moved, again.moved) == (True, False)
    assert at.fake.requests.files == []
    check_landed(at, handle, any_store)


def stage_all(at: LandingClient, handle: ExportHandle, store: Store, object_bytes: int = OBJECT_BYTES) -> LandingPlan:
    given: Any = {"handle": handle, "workers": 1, "max_object_bytes": object_bytes}
    plan = at.plan(sink=store.again(), max_shards=2, **given)
    for number in range(len(plan.shards)):
        at.stage(plan, number, sink=store.again(), **given)
    return plan


def test_a_plan_with_larger_objects_takes_the_place_of_an_earlier_one(at: LandingClient, any_store: Store) -> None:
    """Receipts of more objects than the new plan has, as the earlier one left them, do not keep it from landing."""
    handle = at.export()
    stage_all(at, handle, any_store, OBJECT_BYTES // 2)
    plan = stage_all(at, handle, any_store)
    at.publish(plan, handle, any_store.again(), max_object_bytes=OBJECT_BYTES)
    check_landed(at, handle, any_store)


def test_one_task_lands_where_receipts_may_not_be_listed(at: LandingClient) -> None:
    """Shards could not be told from missing ones, so there are none."""
    with strict_s3(minimum_part_bytes=PART_BYTES, denied=frozenset({"ListObjectsV2"})) as server:
        store = strict_store(server)
        given: Any = {"handle": at.export(), "sink": store.sink, "workers": 1, "max_object_bytes": OBJECT_BYTES}
        plan = at.plan(max_shards=2, **given)
        assert plan.shards == ()
        assert at.publish(plan, **given).moved


def test_a_publish_that_may_not_read_receipts_says_so(at: LandingClient) -> None:
    """Nothing becomes visible."""
    with strict_s3(minimum_part_bytes=PART_BYTES, denied=frozenset({"GetObject"})) as server:
        handle, store = at.export(), strict_store(server)
        plan = stage_all(at, handle, store)
        with pytest.raises(StorageError, match=r"00000\.json may not be read"):
            at.publish(plan, handle, store.again(), max_object_bytes=OBJECT_BYTES)
        assert not [key for key in server.objects if "_staging/" not in key]


@pytest.mark.parametrize("gib", [1, 300, 10 * 1024])
def test_a_plan_is_small_whatever_the_size(gib: int) -> None:
    """Shards follow each other, are 8 GiB or more each, and 64 at most; with them the plan is below 8 KiB of JSON."""
    count = 2 * gib
    shards = shards_of(count, 512 * 1024**2, max_shards=MAX_SHARDS, shard_bytes=SHARD_BYTES)
    assert [number for first, last in shards for number in range(first, last)] == list(range(count))
    assert len(shards) <= 64
    assert all(last - first >= 16 for first, last in shards[:-1])
    plan = LandingPlan(
        export_id="c" * 25,
        generation="g7f3a9c12",
        encoding="1;gzip" * 30,
        staging="p" * 900,
        source_bytes=gib * 1024**3,
        source_rows=10**9,
        object_bytes=512 * 1024**2,
        shards=shards,
    )
    assert len(plan.model_dump_json()) < 8 * 1024


FAULTS: dict[str, Callable[[Receipt], Receipt | None]] = {
    "missing": lambda receipt: None,
    "foreign": lambda receipt: receipt.model_copy(update={"export_id": "clother"}),
    "doubled": lambda receipt: receipt.model_copy(update={"number": 0}),
    "of another form": lambda receipt: receipt.model_copy(update={"encoding": "2"}),
    "of other totals": lambda receipt: receipt.model_copy(update={"source_rows": 7}),
    "without a part": lambda receipt: receipt.model_copy(update={"parts": receipt.parts[:-1]}),
    "of another upload": lambda receipt: receipt.model_copy(update={"upload": "u4711"}),
}


@pytest.mark.parametrize("fault", [*FAULTS, "of the next object", "cut", "a lost byte"])
def test_a_receipt_that_is_not_sound_is_refused(at: LandingClient, any_store: Store, fault: str) -> None:
    """A missing, doubled, foreign or damaged receipt is refused before anything is visible; staging again helps."""
    handle = at.export()
    given: Any = {"handle": handle, "workers": 1, "max_object_bytes": OBJECT_BYTES}
    plan = stage_all(at, handle, any_store)
    names = layout_names(handle, "lake", "gzip")
    key = names.receipt(2)
    content = any_store.visible()[key]
    damaged: bytes | None
    if fault == "cut":
        damaged = content[:-20]
    elif fault == "of the next object":
        damaged = any_store.visible()[names.receipt(3)]
    elif fault == "a lost byte":
        damaged = re.sub(rb'"max_row_bytes":\d', b'"max_row_bytes":', content)
    else:
        receipt = read_receipt(content)
        assert receipt is not None
        changed = FAULTS[fault](receipt)
        damaged = None if changed is None else changed.to_json()
    any_store.sink.delete(key)
    if damaged is not None:
        any_store.sink.put(NewObject(key, JSON), damaged)
    with pytest.raises(StorageError, match="not staged, or their receipts are not sound"):
        at.publish(plan, sink=any_store.again(), **given)
    assert not [name for name in any_store.visible() if "_staging/" not in name]
    at.stage(plan, 0, sink=any_store.again(), **given)
    at.publish(plan, sink=any_store.again(), **given)
    check_landed(at, handle, any_store)


def test_bytes_that_are_missing_in_a_receipt_are_refused(at: LandingClient, any_store: Store) -> None:
    """A receipt that is sound by itself, but whose rows do not make up the stream, is an `IntegrityError`."""
    handle = at.export()
    names = layout_names(handle, "lake", "gzip")
    plan = stage_all(at, handle, any_store)
    receipt = read_receipt(any_store.visible()[names.receipt(2)])
    assert receipt is not None
    segment = receipt.segments[0]
    changed = receipt.model_copy(update={"segments": (segment._replace(size=segment.size - 1), *receipt.segments[1:])})
    any_store.sink.put(NewObject(names.receipt(2), JSON), changed.to_json())
    with pytest.raises(IntegrityError):
        at.publish(plan, handle, any_store.again(), max_object_bytes=OBJECT_BYTES)
    assert any_store.visible() == {}
    assert any_store.litter() == []


def test_a_failure_that_resuming_repeats_leaves_nothing(at: LandingClient, any_store: Store) -> None:
    """Bytes that differ from what was announced: receipts are removed, and everything is aborted."""
    handle = at.export()
    at.fake.faults.add(CorruptFile(file_index=20, position=30, times=None))
    with pytest.raises(IntegrityError):
        at.land(handle, any_store.again(), max_object_bytes=OBJECT_BYTES, workers=1)
    assert any_store.visible() == {}
    assert any_store.litter() == []


def test_a_failure_that_may_pass_leaves_what_is_stored(
    at: LandingClient, any_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """An API that is down: what has a receipt stays, all else is aborted; the next try logs how much was kept."""
    handle = at.export()
    fault = ErrorStatus(operation="exportFileFromOffset", status=503, times=None, after=26)
    at.fake.faults.add(fault)
    with pytest.raises(UnreachableError):
        at.land(handle, any_store.again(), max_object_bytes=OBJECT_BYTES, workers=1)
    kept = len(receipts_in(any_store.visible()))
    assert kept >= 1
    assert unnamed_uploads(any_store) == []
    at.fake.faults.clear()
    with caplog.at_level(logging.INFO):
        at.land(handle, any_store.again(), max_object_bytes=OBJECT_BYTES, workers=1)
    assert f"{kept} of {OBJECTS} objects ({kept * OBJECT_BYTES} of " in caplog.text
    check_landed(at, handle, any_store)
