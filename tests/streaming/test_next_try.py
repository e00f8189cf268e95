"""What a landing that fails keeps for the next try, as its report says; one that ends for good keeps nothing."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.stores.faulty_sink import FaultySink, KilledError, SinkFault
from support.stores.servers import file_store, strict_store
from support.streaming.exports import ERROR_LINES, LandingClient, client_of_rows
from support.streaming.small_parts import PART_BYTES
from support.streaming.staged import receipts_in

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.object_names import layout_names
from labelbox_export_provider.errors import (
    ExportPurgedError,
    IntegrityError,
    LabelboxExportError,
    ObjectExistsError,
    StorageError,
    TooManyErrorRowsError,
)
from labelbox_export_provider.sinks.base import JSON, ListedObject, NewObject, Part, PartBody
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.streaming.landing.land import (
    LandingOptions,
    LandingProgress,
    plan_landing,
    stage_objects,
)
from labelbox_export_provider.testing.faults import CorruptFile, ErrorRows
from labelbox_export_provider.testing.object_store import strict_s3
from labelbox_export_provider.testing.sink_conformance import Store
from labelbox_export_provider.testing.sink_conformance.parts import expect

OBJECT_BYTES = 128 * 1024
STORED = "are stored; the next try resumes there"
OPTIONS: dict[str, Any] = {"max_object_bytes": OBJECT_BYTES, "workers": 1, "max_error_rows": 10}

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.fixture(scope="module")
def shared_client() -> Iterator[LandingClient]:
    with client_of_rows(600, file_bytes=40_000) as client:
        yield client


@pytest.fixture
def store(any_store: Store) -> Store:
    return any_store


def kept_after(
    at: LandingClient, sink: Any, error: type[LabelboxExportError], handle: ExportHandle | None = None, **options: Any
) -> str | None:
    """Land, which fails, and return what the report says is kept."""
    progress = LandingProgress()
    with pytest.raises(error):
        at.land(handle or at.export(), sink, progress=progress, **{**OPTIONS, **options})
    return progress.kept


def at_the_burst(store: Store) -> FaultySink:
    """A store that refuses the first completion, when all objects are stored."""
    return FaultySink(store.again(), SinkFault("complete", "data", 0, "refused"))


def test_the_report_says_how_much_is_kept(at: LandingClient, store: Store) -> None:
    """Objects and bytes that have a receipt, out of all; a second try that fails counts what both have stored."""
    handle = at.export()
    late = FaultySink(store.again(), SinkFault("put_part", "data", 8, "refused"))
    said = kept_after(at, late, StorageError, handle)
    count = len(receipts_in(store.visible()))
    found = re.fullmatch(rf"{count} of 5 objects \((\d+) of (\d+) bytes\) {STORED}", said or "")
    assert found is not None, said
    assert 0 < count < 5
    assert int(found[1]) == count * OBJECT_BYTES < int(found[2])
    total = found[2]
    said = kept_after(at, at_the_burst(store), StorageError, handle)
    assert said == f"5 of 5 objects ({total} of {total} bytes) {STORED}"


def test_the_report_of_a_shard_counts_its_own_objects(at: LandingClient, store: Store) -> None:
    """Of two objects from the third on, the first one is stored."""
    handle = at.export()
    plan = at.plan(handle, store.again(), max_shards=2, **OPTIONS)
    first, last = plan.shards[0]
    progress = LandingProgress()
    sink = FaultySink(store.again(), SinkFault("put", "receipts", 1, "refused"))
    with pytest.raises(StorageError):
        at.stage(plan, 0, handle, sink, progress=progress, **OPTIONS)
    count = last - first
    kept, total = (count - 1) * OBJECT_BYTES, count * OBJECT_BYTES
    assert progress.kept == f"{count - 1} of {count} objects ({kept} of {total} bytes) {STORED}"


def test_a_shard_leaves_the_receipts_of_others_alone(at: LandingClient, tmp_path: Path) -> None:
    """One that another task writes at this moment is not aborted; what a killed try of its own has left is."""
    store, handle = file_store(tmp_path / "lake"), at.export()
    names = layout_names(handle, "lake", "gzip")
    plan = at.plan(handle, store.again(), max_shards=2, **OPTIONS)
    others, left = (store.sink.begin(NewObject(names.receipt(number), JSON)) for number in (plan.shards[1][0], 0))
    for writer in (others, left):
        writer.put_part(Part(1, 0, PartBody([b"{}"]), last=True))
    at.stage(plan, 0, handle, store.again(), **OPTIONS)
    others.complete(expect(b"{}"))
    with pytest.raises(StorageError):
        left.complete(expect(b"{}"))
    assert [name for name in store.litter() if "_staging/" in name] == []


def test_a_shard_of_many_objects_is_resumed(at: LandingClient, store: Store) -> None:
    """Each has an open upload, so all threads for calls ask at once whether a receipt names it."""
    names = layout_names(handle := at.export(), "lake", "gzip")
    options = LandingOptions(**{**OPTIONS, "max_object_bytes": OBJECT_BYTES // 2})
    common: dict[str, Any] = {"client": at.client, "handle": handle, "names": names, "options": options}
    plan = plan_landing(**common, sink=store.again(), max_shards=2, shard_bytes=1)
    count = plan.shards[-1][1]
    assert count > 8
    for kept in (0, count):
        assert stage_objects(plan, 0, count, **common, sink=store.again()).kept == kept


def test_nothing_is_kept_of_one_object(at: LandingClient, store: Store) -> None:
    """A small export is moved as a whole."""
    said = kept_after(at, at_the_burst(store), StorageError, max_object_bytes=1 << 30)
    assert said == "nothing, since an export of one object is moved as a whole"


def test_nothing_is_kept_of_wrong_bytes(at: LandingClient, store: Store) -> None:
    """All of them are read again."""
    at.fake.faults.add(CorruptFile(file_index=14, position=30, times=None))
    assert kept_after(at, store.again(), IntegrityError) == "nothing, since which of the bytes are wrong is not known"


def test_nothing_is_kept_before_the_first_object(at: LandingClient, store: Store) -> None:
    """The store refuses its first part."""
    sink = FaultySink(store.again(), SinkFault("put_part", "data", 0, "refused"))
    assert kept_after(at, sink, StorageError) == "nothing, since no object was stored whole"


def test_nothing_is_kept_in_a_store_that_cannot_resume(at: LandingClient, store: Store) -> None:
    sink = at_the_burst(store)
    sink.resumes = False
    assert kept_after(at, sink, StorageError) == "nothing, since this store cannot resume"


def test_nothing_is_kept_where_receipts_are_not_permitted(at: LandingClient) -> None:
    """The log has warned of it once."""
    with strict_s3(minimum_part_bytes=PART_BYTES, denied=frozenset({"ListObjectsV2"})) as server:
        said = kept_after(at, at_the_burst(strict_store(server)), StorageError)
    assert said == "nothing, since receipts could not be kept, as the log warns"


def test_nothing_is_said_before_the_result_moves(at: LandingClient, store: Store) -> None:
    """Neither where the landing is refused, nor where its manifest is there."""
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    assert kept_after(at, store.again(), TooManyErrorRowsError, max_error_rows=0) is None
    at.fake.faults.clear()
    again = FaultySink(store.again(), SinkFault("list", "manifests", 1, "refused"))
    assert kept_after(at, again, StorageError) is None
    assert [name for name in store.visible() if name.endswith(".ok.json")]


def refuse(at: LandingClient, handle: ExportHandle, store: Store) -> None:
    """Another export is there, and none may be beside it."""
    at.land(at.export(minutes=-5), store.again(), compression=None)
    kept_after(at, store.again(), ObjectExistsError, handle, rerun="refuse")


def supersede(at: LandingClient, handle: ExportHandle, store: Store) -> None:
    """A newer export takes its place."""
    at.land(at.export(minutes=5), store.again(), rerun="replace", compression=None)
    kept_after(at, store.again(), ObjectExistsError, handle)


def supersede_meanwhile(at: LandingClient, handle: ExportHandle, store: Store) -> None:
    """A newer export takes its place while the result moves."""
    sink = store.again()
    publish = sink.put

    def put(new: NewObject, content: bytes) -> Any:
        if "manifests/" in new.key:
            at.land(at.export(minutes=5), store.again(), rerun="replace", compression=None)
        return publish(new, content)

    sink.put = put  # type: ignore[method-assign]  # the store itself stays real
    kept_after(at, sink, ObjectExistsError, handle)


def find_error_rows(at: LandingClient, handle: ExportHandle, store: Store) -> None:
    """The threshold was lowered between two tries."""
    kept_after(at, store.again(), TooManyErrorRowsError, handle, max_error_rows=0)


def lose_the_export(at: LandingClient, handle: ExportHandle, store: Store) -> None:
    """Labelbox has removed its results."""

    def ended(client: object) -> None:
        raise ExportPurgedError("The results are gone.")

    kept_after(at, store.again(), ExportPurgedError, handle, ended=ended)


def refuse_the_plan(at: LandingClient, handle: ExportHandle, store: Store) -> None:
    """The task that plans is refused as a transfer is."""
    at.land(at.export(minutes=-5), store.again(), compression=None)
    with pytest.raises(ObjectExistsError):
        at.plan(handle, store.again(), max_shards=2, rerun="refuse", **OPTIONS)


def damage_a_receipt(at: LandingClient, handle: ExportHandle, store: Store) -> None:
    """One that is not sound, of a landing whose bytes are wrong."""
    key = sorted(receipts_in(store.visible()))[0]
    store.sink.delete(key)
    store.sink.put(NewObject(key, JSON), b"{}")
    at.fake.faults.add(CorruptFile(file_index=1, position=30, times=None))
    kept_after(at, store.again(), IntegrityError, handle)


ENDS = [refuse, supersede, supersede_meanwhile, find_error_rows, lose_the_export, refuse_the_plan, damage_a_receipt]


@pytest.mark.parametrize("uploads", ["open", "gone"])
@pytest.mark.parametrize("end", ENDS)
def test_a_landing_that_ends_for_good_leaves_no_receipt(
    at: LandingClient, store: Store, end: Callable[[LandingClient, ExportHandle, Store], None], uploads: str
) -> None:
    """Whatever ends it, and also where a lifecycle rule has removed what the receipts of a killed try name."""
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    handle = at.export()
    at.fake.faults.clear()
    killed = FaultySink(store.again(), SinkFault("complete", "data", 1, "killed before"))
    with pytest.raises(KilledError):
        at.land(handle, killed, **OPTIONS)
    assert len(receipts_in(store.visible())) == 5
    if uploads == "gone":
        store.sink.abort_open_uploads("lake/data/")
    end(at, handle, store)
    assert [name for name in store.visible() if "_staging/" in name] == []
    assert store.litter() == []


def test_a_small_landing_that_ends_for_good_looks_for_no_receipts(at: LandingClient) -> None:
    """It has none, so its failure costs no call more."""
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    with strict_s3() as server:
        kept_after(at, strict_store(server).sink, TooManyErrorRowsError, max_object_bytes=1 << 30, max_error_rows=0)
        assert not [call for call in server.calls if "_staging/" in call.key]


def test_receipts_cost_no_round_trip_of_their_own(at: LandingClient, tmp_path: Path) -> None:
    """Receipts are looked for while the manifests are, at first and at the end, so they do not make a landing wait."""
    together = threading.Barrier(2)
    met: list[str] = []

    class MeetingSink(FileSink):
        def list(self, prefix: str) -> Iterator[ListedObject]:
            if prefix.startswith(("lake/_staging/", "lake/manifests/")):
                together.wait(timeout=10)
                met.append(prefix.split("/")[1])
            return super().list(prefix)

    at.land(at.export(), MeetingSink(tmp_path), max_object_bytes=OBJECT_BYTES)
    assert sorted(met) == ["_staging"] * 2 + ["manifests"] * 2
