"""Multipart uploads to Google Cloud Storage: lost requests and answers, wrong bytes, and what other writers do."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.stores.gcs_uploads import CONTENT, MINE, PART, expected, inject, parts, put, put_and_complete, sink, write

from labelbox_export_provider.client.retry import DEFAULT_RETRY
from labelbox_export_provider.errors import IntegrityError, StorageError, StorageUnavailableError
from labelbox_export_provider.sinks.base import NewObject
from labelbox_export_provider.sinks.gcs.sink import GCSSink
from labelbox_export_provider.streaming.landing.options import DEFAULT_MAX_OBJECT_BYTES
from labelbox_export_provider.streaming.pipeline.members import MEMBER_BYTES
from labelbox_export_provider.streaming.pipeline.memory_plan import plan_memory
from labelbox_export_provider.testing.object_store import Call, Fault, StrictGCS

GIB = 1024**3
LIST = "storage.multipartUploads.list"
LOST = [Fault("before"), Fault("after"), Fault("before", 503, "InternalError"), Fault("after", 503)]
IN_BODY = [Fault(when, code="InternalError", in_body=True) for when in ("before", "after")]
CALLS = [("CreateMultipartUpload", 0), ("UploadPart", 0), ("UploadPart", 2), ("CompleteMultipartUpload", 0)]


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault.when} {fault.status}")
@pytest.mark.parametrize(("operation", "turn"), CALLS)
def test_a_lost_request_or_answer_loses_and_doubles_no_byte(
    server: StrictGCS, operation: str, turn: int, fault: Fault
) -> None:
    """Every call of a multipart upload can be repeated."""
    server.fault = inject(operation, fault, turn=turn)
    written = write(server).complete(expected())
    assert server.visible() == {"rows": CONTENT}
    assert written.version_id == str(server.objects["rows"].generation)


@pytest.mark.parametrize("fault", IN_BODY, ids=lambda fault: fault.when)
def test_a_completion_that_fails_within_its_answer_is_repeated(server: StrictGCS, fault: Fault) -> None:
    """The status is that of a success, since the answer began before the completion failed."""
    server.fault = inject("CompleteMultipartUpload", fault)
    write(server).complete(expected())
    assert server.visible() == {"rows": CONTENT}


@pytest.mark.parametrize("ends", ["completed", "aborted"])
def test_an_upload_of_a_lost_answer_is_aborted(server: StrictGCS, ends: str) -> None:
    """The id of the first upload never came; a listing has it when the second one ends."""
    server.fault = inject("CreateMultipartUpload", Fault("after"))
    writer = write(server)
    server.fault = lambda call: None
    put(sink(server).begin(NewObject("rows.2", "text/plain")))
    assert server.open_uploads() == ["rows", "rows", "rows.2"]
    if ends == "completed":
        writer.complete(expected())
    writer.abort()
    assert server.open_uploads() == ["rows.2"]


def test_an_upload_that_may_not_be_listed_is_logged(server: StrictGCS, caplog: pytest.LogCaptureFixture) -> None:
    """It stays until a lifecycle rule removes it, which is no reason to fail."""
    server.fault, server.denied = inject("CreateMultipartUpload", Fault("after")), frozenset({LIST})
    write(server).complete(expected())
    assert (server.visible(), server.open_uploads()) == ({"rows": CONTENT}, ["rows"])
    assert "An upload whose opening got no answer may stay" in caplog.text


def test_parts_of_an_object_go_side_by_side(server: StrictGCS) -> None:
    """Four parts are in flight before the first is answered, each with its checksum."""
    together = threading.Barrier(4)

    def wait(call: Call) -> None:
        if call.operation == "UploadPart":
            assert "crc32c=" in call.headers["x-goog-hash"]
            together.wait(20)

    server.fault = wait
    writer = sink(server).begin(NewObject("rows", "text/plain", MINE))
    of_four = list(parts(part_bytes=PART))[:4]
    content = b"".join(bytes(part.body.read()) for part in of_four)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(writer.put_part, of_four))
    writer.complete(expected(content))
    assert server.visible() == {"rows": content}


def test_a_landing_of_300_gib_has_four_workers() -> None:
    """An export of any size that Labelbox can make is planned with the defaults, as into S3."""
    for size in (300 * GIB, 10 * 1024 * GIB):
        plan = plan_memory(
            size=DEFAULT_MAX_OBJECT_BYTES,
            members=size // MEMBER_BYTES,
            minimum_part_bytes=GCSSink.minimum_part_bytes,
            maximum_part_bytes=GCSSink.maximum_part_bytes,
            maximum_parts=GCSSink.maximum_parts,
        )
        assert (plan.workers, plan.part_bytes) == (4, 16 * 1024**2)


def test_the_service_is_given_as_long_as_any_other_host() -> None:
    """One patience for all hosts."""
    assert inspect.signature(GCSSink).parameters["retry_timeout"].default == DEFAULT_RETRY.total_seconds


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_a_service_that_stays_busy_is_retryable(server: StrictGCS, operation: str) -> None:
    """A service that stays busy is worth a retry, and nothing is left."""
    server.fault = inject(operation, Fault("before", 503, "InternalError"), for_ever=True)
    writer = sink(server, retry_timeout=0.2).begin(NewObject("rows", "text/plain", MINE))
    with pytest.raises(
        StorageUnavailableError, match=r"retrying may help.*gs://lake/rows was answered with .*HTTP 503"
    ):
        put_and_complete(writer)
    server.fault = lambda call: None
    writer.abort()
    assert (server.visible(), server.open_uploads()) == ({}, [])


def test_an_object_of_which_a_part_failed_cannot_be_completed(server: StrictGCS) -> None:
    """Verified before visible: by us, not by the store alone."""
    server.fault = lambda call: Fault("before", 503) if call.part == 2 else None
    writer = sink(server, retry_timeout=0.2).begin(NewObject("rows", "text/plain", MINE))
    for part in parts():
        if part.number != 2:
            writer.put_part(part)
            continue
        with pytest.raises(StorageUnavailableError):
            writer.put_part(part)
    asked = len(server.calls)
    with pytest.raises(IntegrityError, match="Nothing was published"):
        writer.complete(expected())
    assert len(server.calls) == asked
    assert server.visible() == {}


def test_an_upload_that_was_aborted_is_a_lost_race(server: StrictGCS) -> None:
    """Another try fences this one; whatever it sent, it publishes nothing, and no retry is used up."""
    zombie = write(server)
    assert sink(server).abort_open_uploads("rows") == 1
    with pytest.raises(StorageError, match=r"The upload was aborted, so another try .* NoSuchUpload") as fenced:
        zombie.complete(expected())
    assert not fenced.value.retryable
    with pytest.raises(StorageError, match="The upload was aborted"):
        zombie.put_part(next(parts()))
    zombie.abort()
    assert (server.visible(), server.open_uploads()) == ({}, [])


def test_exactly_one_key_is_aborted_where_that_is_asked(server: StrictGCS) -> None:
    """A key can also be the start of a neighbour's."""
    for key in ("rows", "rows.2", "other"):
        put(sink(server).begin(NewObject(key, "text/plain")))
    assert sink(server).abort_open_uploads("rows", exact=True) == 1
    assert server.open_uploads() == ["other", "rows.2"]


@pytest.mark.parametrize("for_ever", [False, True])
def test_bytes_that_change_on_the_way_are_sent_again(server: StrictGCS, for_ever: bool) -> None:
    """The service compares the checksum of each part."""
    server.fault = inject("UploadPart", Fault("before", 400, "BadDigest"), turn=1, for_ever=for_ever)
    if not for_ever:
        write(server).complete(expected())
        assert server.visible() == {"rows": CONTENT}
        return
    with pytest.raises(StorageUnavailableError, match="Other bytes arrived than were sent"):
        write(server, retry_timeout=0.2)


@pytest.mark.parametrize("reports_completions", [True, False], ids=["in the answer", "read"])
def test_an_object_of_other_bytes_is_removed(server: StrictGCS, reports_completions: bool) -> None:
    """The checksum of what was made is in the completion's answer, or else read from the object."""
    server.reports_completions = reports_completions
    write(server).complete(expected())
    assert server.visible() == {"rows": CONTENT}
    server.spoil = lambda content: content[:-1]
    with pytest.raises(IntegrityError, match=r"made 340024 bytes of 340025 .* CRC32C .* It was removed again"):
        write(server).complete(expected())
    assert server.visible() == {}


def test_a_checksum_that_may_not_be_read_is_not_compared(server: StrictGCS) -> None:
    """An identity that may only create lands all the same; each part was compared by the service."""
    server.reports_completions = False
    server.denied = frozenset({"storage.objects.get"})
    assert write(server).complete(expected()).version_id is None
    server.reports_completions, server.spoil = True, lambda content: content[:-1]
    with pytest.raises(IntegrityError, match="CRC32C"):
        write(server).complete(expected())


MARKERS = "<NextKeyMarker>rows</NextKeyMarker><NextUploadIdMarker>u1</NextUploadIdMarker>"


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        ("CreateMultipartUpload", "<R><Bucket>lake</Bucket></R>", "sent no UploadId"),
        ("CreateMultipartUpload", "<html>a proxy", "sent no XML"),
        ("UploadPart", "", "took a part without naming it"),
        ("ListMultipartUploads", "<R><IsTruncated>true</IsTruncated></R>", "sent no NextKeyMarker"),
        ("ListMultipartUploads", f"<R><IsTruncated>true</IsTruncated>{MARKERS}</R>", "the same open uploads again"),
    ],
)
def test_an_answer_that_makes_no_sense_is_retryable(server: StrictGCS, operation: str, body: str, message: str) -> None:
    """It is no endless loop and no error of Python's."""
    server.fault = inject(operation, Fault(status=200, body=body.encode()), for_ever=True)
    call: Callable[[StrictGCS], object] = write
    if operation == "ListMultipartUploads":
        call = lambda server: sink(server).abort_open_uploads("rows")  # noqa: E731
    with pytest.raises(StorageUnavailableError, match=message):
        call(server)


def test_sink_args_become_properties_of_the_object(server: StrictGCS) -> None:
    """The properties that `sink_args` set are those of the object in the store, whichever way it was written."""
    given = {
        "storage_class": "NEARLINE",
        "kms_key_name": "projects/p/locations/eu/keyRings/r/cryptoKeys/k",
        "custom_time": "2026-11-22T02:00:00+00:00",
        "predefined_acl": "bucketOwnerFullControl",
        "cache_control": "no-store",
        "content_disposition": "attachment",
        "content_language": "en",
    }
    store = sink(server, sink_args=given, user_project="who-pays")
    for key in ("parts", "created"):
        put_and_complete(store.begin(NewObject(key, "text/plain", MINE, create_only=key == "created")))
    store.put(NewObject("small", "text/plain", MINE), b"x")
    for key in ("parts", "created", "small"):
        metadata = server.objects[key].metadata
        assert (metadata["storageClass"], metadata["cacheControl"]) == ("NEARLINE", "no-store")
        assert (metadata["contentDisposition"], metadata["contentLanguage"]) == ("attachment", "en")
        assert (metadata["contentType"], metadata["metadata"].items() >= MINE.items()) == ("text/plain", True)
        assert metadata["customTime"].startswith("2026-11-22T02:00:00")
        assert "contentEncoding" not in metadata
    by_operation = {call.operation: call for call in server.calls if call.method == "POST"}
    for operation in ("open", "insert"):
        query = by_operation[operation].query
        assert (query["userProject"], query["predefinedAcl"]) == ("who-pays", "bucketOwnerFullControl")
        assert query["kmsKeyName"].startswith("projects")
    headers = by_operation["CreateMultipartUpload"].headers
    assert headers["x-goog-acl"] == "bucket-owner-full-control"
    assert headers["x-goog-encryption-kms-key-name"] == given["kms_key_name"]
    of_parts = [call for call in server.calls if "uploadId" in call.query]
    assert {call.headers["x-goog-user-project"] for call in of_parts} == {"who-pays"}


def test_an_object_that_is_under_retention_counts_as_there(server: StrictGCS) -> None:
    """A policy that refuses to overwrite what an earlier try made refuses nothing that is missing."""
    write(server).complete(expected())
    generation = server.objects["rows"].generation
    server.fault = inject("CompleteMultipartUpload", Fault("before", 403, "RetentionPolicyNotMet"), for_ever=True)
    assert write(server).complete(expected()).version_id == str(generation)
    server.objects["rows"].content = CONTENT[::-1]
    with pytest.raises(StorageError, match=r"'RetentionPolicyNotMet'\. Check the bucket's retention policy"):
        write(server).complete(expected())
