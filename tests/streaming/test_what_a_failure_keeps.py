"""A failure drops what no later try could use, and nothing else: refused uploads, but not those of a wrong option."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.stores.faulty_sink import FaultySink, KilledError, SinkFault
from support.stores.servers import strict_gcs_store, strict_store
from support.streaming import one_upload
from support.streaming.exports import LandingClient, bytes_read, client_of_rows
from support.streaming.small_parts import PART_BYTES
from support.streaming.staged import receipts_in, unnamed_uploads

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.errors import (
    ConfigurationError,
    ConnectionSettingsError,
    LabelboxExportError,
    StorageError,
    StorageUnavailableError,
)
from labelbox_export_provider.sinks.base import JSON, NewObject
from labelbox_export_provider.streaming.landing.progress import LandingProgress
from labelbox_export_provider.testing.faults import ErrorStatus
from labelbox_export_provider.testing.object_store import StrictGCS, StrictS3, strict_gcs, strict_s3
from labelbox_export_provider.testing.object_store.store import Call, Fault
from labelbox_export_provider.testing.sink_conformance import Store

OBJECT_BYTES = 128 * 1024
OBJECTS = 8
STORED = "are stored; the next try resumes there"
REFUSED = "The store refuses to continue an upload of an earlier try, which is removed"
DISABLED_KEY = Fault(status=400, code="KMS.DisabledException", message="The key is disabled.")


pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.fixture(scope="module")
def shared_client() -> Iterator[LandingClient]:
    """A client of an export of several objects, or ranges of one."""
    with client_of_rows(1100, file_bytes=40_000) as client:
        yield client


@pytest.fixture(params=["s3", "gcs"])
def server(request: pytest.FixtureRequest) -> Iterator[StrictS3 | StrictGCS]:
    serve: Any = strict_s3 if request.param == "s3" else strict_gcs
    with serve(minimum_part_bytes=PART_BYTES) as running:
        yield running


@pytest.fixture
def store(server: StrictS3 | StrictGCS) -> Store:
    return strict_store(server) if isinstance(server, StrictS3) else strict_gcs_store(server, retry_timeout=1)


def fail(
    error: type[LabelboxExportError], land: Callable[..., object], *given: Any, match: str | None = None, **options: Any
) -> str | None:
    """Land, which fails, and return what the report says is kept."""
    progress = LandingProgress()
    with pytest.raises(error, match=match) as failure:
        land(*given, progress=progress, **options)
    assert type(failure.value) is error
    return progress.kept


def land(at: LandingClient, handle: ExportHandle, sink: Any, **options: Any) -> object:
    return at.land(handle, sink, **{"max_object_bytes": OBJECT_BYTES, "workers": 1, **options})


def kill(
    at: LandingClient, handle: ExportHandle, store: Store, call: str = "complete", turn: int = 0, **options: Any
) -> int:
    """Kill a landing of several objects, and return how many of them have a receipt."""
    with pytest.raises(KilledError):
        land(at, handle, FaultySink(store.again(), SinkFault(call, "data", turn, "killed before")), **options)
    at.fake.requests.clear()
    return len(receipts_in(store.visible()))


# --- settings that are wrong


def test_a_wrong_option_keeps_what_is_stored(at: LandingClient, store: Store) -> None:
    """Parts too small for this store: once that is corrected, the next try resumes."""
    handle = at.export()
    count = kill(at, handle, store, "put_part", 12)
    assert 0 < count < OBJECTS
    receipts, strict = receipts_in(store.visible()), store.again()
    strict.minimum_part_bytes = 2 * PART_BYTES
    kept = fail(ConfigurationError, land, at, handle, strict, part_bytes=PART_BYTES, match="part_bytes=")
    assert str(kept).startswith(f"{count} of {OBJECTS} objects ({count * OBJECT_BYTES} of ")
    assert str(kept).endswith(f" bytes) {STORED}")
    assert receipts_in(store.visible()) == receipts
    assert unnamed_uploads(store) == []
    at.fake.requests.clear()
    land(at, handle, store.again())
    read = bytes_read(at)
    assert read < (OBJECTS - count + 1) * OBJECT_BYTES
    assert store.litter() == []


def test_a_wrong_connection_keeps_what_is_stored(at: LandingClient, store: Store) -> None:
    """A proxy that wants credentials while rows are moved: what has a receipt stays."""
    at.fake.faults.add(ErrorStatus(operation="exportFileFromOffset", status=407, times=None, after=26))
    kept = fail(ConnectionSettingsError, land, at, at.export(), store.again())
    count = len(receipts_in(store.visible()))
    assert count >= 1
    assert str(kept).startswith(f"{count} of {OBJECTS} objects (")
    assert unnamed_uploads(store) == []


def ask_another_question(at: LandingClient, handle: ExportHandle, store: Store) -> dict[str, Any]:
    """Another export of this source and window, with other filters, is landed under the same prefix."""
    other = at.export(minutes=5).model_copy(update={"filters_digest": f"sha256:{1:064}"})
    at.land(other, store.again())
    return {"rerun": "replace"}


def land_another_form(at: LandingClient, handle: ExportHandle, store: Store) -> dict[str, Any]:
    """Another try lands this export in another form, and one that was believed dead writes its receipts once more."""
    receipts = receipts_in(store.visible())
    at.land(handle, store.again(), compression=None)
    for key, receipt in receipts.items():
        store.sink.put(NewObject(key, JSON), receipt.to_json())
    return {}


@pytest.mark.parametrize("rule_out", [ask_another_question, land_another_form])
def test_a_landing_that_is_ruled_out_leaves_no_receipt(
    at: LandingClient, store: Store, rule_out: Callable[[LandingClient, ExportHandle, Store], dict[str, Any]]
) -> None:
    """Options are what is wrong here as well, but what is landed already stays, so nothing would be resumed."""
    handle = at.export()
    assert kill(at, handle, store) == OBJECTS
    options = rule_out(at, handle, store)
    assert fail(ConfigurationError, land, at, handle, store.again(), **options) is None
    assert [name for name in store.visible() if "_staging/" in name] == []
    assert store.litter() == []


# --- uploads that the store refuses


def uploads_of(server: StrictS3 | StrictGCS, *numbers: int) -> set[str]:
    """The open uploads of the objects with these numbers; of all without any."""
    found = {name: upload.key for name, upload in server.uploads.items() if upload.is_open()}
    return {name for name, key in found.items() if not numbers or any(f".{each:05d}." in key for each in numbers)}


def refuse(
    server: StrictS3 | StrictGCS, uploads: set[str], fault: Fault = DISABLED_KEY, others_take: float = 0.0
) -> None:
    """Refuse parts and completion of these uploads, at once; those of others take so many seconds."""

    def decide(call: Call) -> Fault | None:
        if call.method not in {"PUT", "POST"} or "uploadId" not in call.query:
            return None
        if call.query["uploadId"] in uploads:
            return fault
        time.sleep(others_take)
        return None

    server.fault = decide


@pytest.mark.parametrize("call", ["put_part", "complete"])
def test_a_refused_upload_at_an_explicit_key_begins_again(
    at: LandingClient, server: StrictS3 | StrictGCS, store: Store, call: str
) -> None:
    """Its receipts are removed and it is aborted, as the report says; so the next try moves everything, and lands."""
    handle = at.export()
    one_upload.kill(at, handle, store, call, 48 if call == "put_part" else 0)
    assert len(receipts_in(store.visible())) >= 3
    refuse(server, uploads_of(server))
    kept = fail(StorageUnavailableError, one_upload.land, at, handle, store.again(), match=REFUSED)
    assert kept == "nothing, since the store refuses the upload of an earlier try"
    assert store.visible() == {}
    assert store.litter() == []
    one_upload.land(at, handle, store.again())
    one_upload.check_landed(at, handle, store)


@pytest.mark.parametrize("server", ["s3"], indirect=True)
def test_smaller_parts_are_refused_once_where_all_must_be_equal(
    at: LandingClient, server: StrictS3, store: Store
) -> None:
    """Where memory is short, smaller parts are put behind larger ones; then all parts are of the smaller size."""

    def wants_equal_parts(call: Call) -> Fault | None:
        if call.operation != "CompleteMultipartUpload":
            return None
        parts = server.uploads[call.query["uploadId"]].parts
        sizes = [len(parts[number][0]) for number in sorted(parts)]
        words = "All non-trailing parts must have the same length."
        return Fault(status=400, code="InvalidPart", message=words) if len({*sizes[:-1]}) > 1 else None

    server.fault = wants_equal_parts
    handle = at.export()
    one_upload.kill(at, handle, store, "put_part", 24, part_bytes=2 * PART_BYTES)
    kept = fail(StorageUnavailableError, one_upload.land, at, handle, store.again(), part_bytes=PART_BYTES)
    assert kept == "nothing, since the store refuses the upload of an earlier try"
    one_upload.land(at, handle, store.again(), part_bytes=PART_BYTES)
    one_upload.check_landed(at, handle, store)


def test_only_refused_objects_are_dropped(at: LandingClient, server: StrictS3 | StrictGCS, store: Store) -> None:
    """Of several objects those whose uploads are refused are moved again, all of them found by one try."""
    handle, size = at.export(), OBJECT_BYTES // 2
    count = kill(at, handle, store, max_object_bytes=size)
    assert count > 2 * OBJECTS - 2
    # The first refusal is known before the other one is asked for.
    refuse(server, uploads_of(server, 0, count - 2), others_take=0.2)
    kept = fail(StorageUnavailableError, land, at, handle, store.again(), match=REFUSED, max_object_bytes=size)
    # The last object is shorter than the others.
    assert str(kept).startswith(f"{count - 2} of {count} objects (")
    assert str(kept).endswith(f" bytes) {STORED}")
    assert len(receipts_in(store.visible())) == count - 2
    assert store.litter() == []
    at.fake.requests.clear()
    land(at, handle, store.again(), max_object_bytes=size)
    read = bytes_read(at)
    assert 2 * size <= read < 3 * size
    assert receipts_in(store.visible()) == {}
    assert store.litter() == []


def test_a_refusal_of_whoever_calls_drops_nothing(
    at: LandingClient, server: StrictS3 | StrictGCS, store: Store
) -> None:
    """Credentials, or a project that pays, say nothing about the upload, which the next try continues."""
    handle = at.export()
    one_upload.kill(at, handle, store, "put_part", 48)
    receipts = receipts_in(store.visible())
    code = "ExpiredToken" if isinstance(server, StrictS3) else "UserProjectMissing"
    refuse(server, uploads_of(server), Fault(status=400, code=code))
    kept = fail(StorageError, one_upload.land, at, handle, store.again())
    assert str(kept).startswith(f"{len(receipts)} of {one_upload.RANGES} ranges (")
    assert receipts_in(store.visible()) == receipts
    assert len(store.litter()) == 1


def test_a_refused_upload_has_to_be_staged_again_before_publishing(
    at: LandingClient, server: StrictS3 | StrictGCS, store: Store
) -> None:
    """Where other tasks stage, a retry of the task that publishes cannot help; theirs move that object alone."""
    given: Any = {"handle": at.export(), "workers": 1, "max_object_bytes": OBJECT_BYTES}
    plan = at.plan(sink=store.again(), max_shards=2, **given)
    for number in range(2):
        at.stage(plan, number, sink=store.again(), **given)
    refuse(server, uploads_of(server, 1))
    progress = LandingProgress()
    with pytest.raises(StorageUnavailableError, match=REFUSED):
        at.publish(plan, sink=store.again(), progress=progress, **given)
    assert progress.stage_again
    assert str(progress.kept).startswith(f"{OBJECTS - 1} of {OBJECTS} objects (")
    assert str(progress.kept).endswith(" bytes) are stored; what stages the rest resumes there")
    first, second = (at.stage(plan, number, sink=store.again(), **given) for number in range(2))
    assert first.kept == first.last - first.first - 1
    assert second.kept == second.last - second.first
    at.publish(plan, sink=store.again(), **given)
    assert store.litter() == []
