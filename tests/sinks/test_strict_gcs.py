"""Google's library takes our own server for Google Cloud Storage, and the server lets nothing wrong pass."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import BadRequest, Forbidden, GoogleAPICallError, NotFound, PreconditionFailed
from support.stores.gcs_library import (
    CONTENT,
    QUANTUM,
    Session,
    operations,
    quick,
    refusal,
    refused_in_a_session,
    write,
)
from support.stores.servers import BUCKET, gcs_client

from labelbox_export_provider.testing.object_store import Fault, StrictGCS, strict_gcs
from labelbox_export_provider.testing.object_store.gcs_messages import hashes

if TYPE_CHECKING:
    from google.cloud.storage import Bucket


@pytest.fixture
def server() -> Iterator[StrictGCS]:
    with strict_gcs() as served:
        yield served


@pytest.fixture
def bucket(server: StrictGCS) -> Bucket:
    return gcs_client(server.address).bucket(BUCKET)


@pytest.mark.parametrize("resumable", [False, True], ids=["one request", "session"])
def test_properties_of_an_object_are_kept_and_completed(bucket: Bucket, resumable: bool) -> None:
    """The properties of an object are kept, and the store adds its own."""
    blob = bucket.blob("a b/rows%2F?#ü")
    blob.metadata, blob.content_encoding, blob.storage_class = {"labelbox-export-id": "e1"}, "gzip", "NEARLINE"
    if resumable:
        write(blob, b"content", content_type="text/plain")
    else:
        blob.upload_from_string(b"content", content_type="text/plain")
    found = bucket.get_blob("a b/rows%2F?#ü")
    assert (found.metadata, found.content_encoding, found.storage_class, found.content_type) == (
        *({"labelbox-export-id": "e1"}, "gzip"),
        *("NEARLINE", "text/plain"),
    )
    of_content = hashes(b"content")
    assert (found.size, found.crc32c, found.md5_hash) == (7, of_content["crc32c"], of_content["md5"])
    assert found.id == f"lake/a b/rows%2F?#ü/{found.generation}"
    assert found.etag
    assert found.time_created.tzinfo
    assert bucket.get_blob("rows") is None


def test_an_object_is_made_by_the_bare_bytes_of_one_request(server: StrictGCS, bucket: Bucket) -> None:
    url = f"{server.address}/upload/storage/v1/b/lake/o?uploadType=media&name=rows"
    answer = bucket.client._http.post(url, data=b"bare", headers={"Content-Type": "text/csv"})
    assert (answer.json()["contentType"], answer.json()["size"]) == ("text/csv", "4")
    assert server.visible() == {"rows": b"bare"}


def test_a_range_of_an_object_is_read(bucket: Bucket) -> None:
    """A range of an object is read, and one behind its end is refused."""
    blob = bucket.blob("rows")
    blob.upload_from_string(b"0123456789")
    assert blob.download_as_bytes() == b"0123456789"
    assert blob.download_as_bytes(start=2, end=4) == b"234"
    assert blob.download_as_bytes(start=7) == b"789"
    assert blob.download_as_bytes(start=-3) == b"789"
    assert blob.download_as_bytes(end=99) == b"0123456789"
    with pytest.raises(GoogleAPICallError) as behind:
        blob.download_as_bytes(start=10)
    assert refusal(behind.value) == (416, "requestedRangeNotSatisfiable")


def test_a_compressed_object_is_decompressed_unless_raw(bucket: Bucket) -> None:
    """A compressed object is decompressed for a client that does not request it raw."""
    blob, packed = bucket.blob("rows.gz"), gzip.compress(b"content")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed)
    assert blob.download_as_bytes() == b"content"
    assert blob.download_as_bytes(raw_download=True) == packed


def test_a_listing_goes_over_pages_and_holds_what_has_the_prefix(server: StrictGCS, bucket: Bucket) -> None:
    keys = [f"data/{number}" for number in range(7)]
    for key in [*keys, "data2/0"]:
        bucket.blob(key).upload_from_string(b"x")
    listed = bucket.client.list_blobs(bucket, prefix="data/")
    assert [(len(list(page)), page.num_items) for page in listed.pages] == [(3, 3), (3, 3), (1, 1)]
    assert [(blob.name, blob.size) for blob in bucket.list_blobs(prefix="data/")] == [(key, 1) for key in keys]
    assert [blob.name for blob in bucket.list_blobs(max_results=2)] == keys[:2]
    assert list(bucket.list_blobs(prefix="nothing")) == []
    assert operations(server).count("list") == 3 + 3 + 1 + 1


def test_only_the_named_generation_is_deleted(bucket: Bucket) -> None:
    """A deleted object is gone, and another generation of it is not deleted."""
    blob = bucket.blob("rows")
    blob.upload_from_string(b"x")
    with pytest.raises(NotFound):
        bucket.blob("rows", generation=blob.generation + 1).delete()
    with pytest.raises(PreconditionFailed):
        blob.delete(if_generation_match=blob.generation + 1)
    assert bucket.blob("rows", generation=blob.generation).exists()
    blob.delete(if_generation_match=blob.generation)
    with pytest.raises(NotFound) as missing:
        blob.delete()
    assert refusal(missing.value) == (404, "notFound")


def test_the_condition_of_an_upload_is_checked_at_its_begin(server: StrictGCS, bucket: Bucket) -> None:
    blob = bucket.blob("rows")
    blob.upload_from_string(b"first", if_generation_match=0)
    first = blob.generation
    with refused_in_a_session(412):
        write(bucket.blob("rows"), b"second", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("rows").upload_from_string(b"second", if_generation_match=0)
    assert server.open_sessions() == []
    blob.upload_from_string(b"second", if_generation_match=first)
    assert blob.generation > first
    with pytest.raises(PreconditionFailed) as late:
        blob.upload_from_string(b"third", if_generation_match=first)
    assert refusal(late.value) == (412, "conditionNotMet")
    with pytest.raises(PreconditionFailed):
        blob.download_as_bytes(if_generation_match=first)
    with pytest.raises(NotFound):
        bucket.blob("rows", generation=first).download_as_bytes()
    assert server.visible() == {"rows": b"second"}


def test_the_condition_of_an_upload_is_checked_at_its_end(server: StrictGCS, bucket: Bucket) -> None:
    """The condition of an upload is checked again when it ends."""
    stream = bucket.blob("rows").open("wb", chunk_size=QUANTUM, if_generation_match=0)
    stream.write(CONTENT)
    bucket.blob("rows").upload_from_string(b"theirs", if_generation_match=0)
    with refused_in_a_session(412):
        stream.close()
    assert server.visible() == {"rows": b"theirs"}


def test_an_unknown_condition_is_refused(bucket: Bucket) -> None:
    """A condition that is not understood is refused instead of ignored."""
    with pytest.raises(BadRequest) as refused:
        bucket.blob("rows").upload_from_string(b"x", if_metageneration_match=1)
    assert refusal(refused.value) == (400, "invalidParameter")


@pytest.mark.parametrize("name", ["crc32c", "md5_hash"])
def test_bytes_that_differ_from_their_checksum_are_refused(server: StrictGCS, bucket: Bucket, name: str) -> None:
    """Bytes that differ from their checksum make no object."""
    blob = bucket.blob("rows")
    setattr(blob, name, hashes(b"other")[name.removesuffix("_hash")])
    with pytest.raises(BadRequest) as refused:
        blob.upload_from_string(b"content", checksum=None)
    assert refusal(refused.value) == (400, "invalid")
    session = Session(blob, checksum=None)
    assert session.put("0-6/7", b"content") == (400, None)
    assert server.visible() == {}


@pytest.mark.parametrize("checksum", ["crc32c", "md5"])
def test_bytes_of_a_session_that_changed_are_refused(server: StrictGCS, bucket: Bucket, checksum: str) -> None:
    """Bytes of a session that changed in transit make no object."""
    stream = bucket.blob("rows").open("wb", chunk_size=QUANTUM, checksum=checksum)
    stream.write(CONTENT)
    next(iter(server.uploads.values())).content[7] ^= 1
    with refused_in_a_session(400):
        stream.close()
    assert server.visible() == {}


def test_a_store_of_other_bytes_is_caught_by_its_checksum(server: StrictGCS, bucket: Bucket) -> None:
    """A store that keeps other bytes is caught by the checksum that it reports."""
    from google.cloud.storage.exceptions import DataCorruption

    server.spoil = lambda content: content[:-1]
    with pytest.raises(DataCorruption, match="checksum"):
        write(bucket.blob("rows"), checksum="crc32c")
    stored = bucket.get_blob("rows")
    assert stored.size == len(CONTENT) - 1
    assert stored.crc32c == hashes(CONTENT[:-1])["crc32c"]


def test_a_download_has_the_checksum_that_is_compared(server: StrictGCS, bucket: Bucket) -> None:
    """A download comes with the checksum that the library compares."""
    blob = bucket.blob("rows")
    blob.upload_from_string(b"content")
    answer = bucket.client._http.get(f"{server.address}/download/storage/v1/b/lake/o/rows?alt=media")
    expected = hashes(b"content")
    assert answer.headers["X-Goog-Hash"] == f"crc32c={expected['crc32c']},md5={expected['md5']}"
    assert answer.headers["X-Goog-Generation"] == str(blob.generation)


@pytest.mark.parametrize("status", [429, 503])
def test_an_overloaded_server_is_asked_again_until_it_answers(server: StrictGCS, bucket: Bucket, status: int) -> None:
    server.fault = lambda call: Fault("before", status, "backendError") if call.turn < 2 else None
    bucket.blob("rows").upload_from_string(CONTENT, if_generation_match=0, retry=quick())
    assert bucket.blob("rows").download_as_bytes(retry=quick()) == CONTENT
    assert [blob.name for blob in bucket.list_blobs(retry=quick())] == ["rows"]
    bucket.blob("rows").delete(retry=quick())
    assert operations(server) == [*["insert"] * 3, *["download"] * 3, *["list"] * 3, *["delete"] * 3]


@pytest.mark.parametrize(
    ("permission", "call"),
    [
        ("storage.objects.create", lambda bucket: bucket.blob("new").upload_from_string(b"x")),
        ("storage.objects.delete", lambda bucket: bucket.blob("rows").upload_from_string(b"over it")),
        ("storage.objects.delete", lambda bucket: bucket.blob("rows").delete()),
        ("storage.objects.get", lambda bucket: bucket.blob("rows").download_as_bytes()),
        ("storage.objects.get", lambda bucket: bucket.blob("rows").reload()),
        ("storage.objects.list", lambda bucket: list(bucket.list_blobs())),
        ("storage.buckets.get", lambda bucket: bucket.reload()),
    ],
)
def test_a_missing_permission_is_refused_and_named(
    server: StrictGCS, bucket: Bucket, permission: str, call: Callable[[Bucket], Any]
) -> None:
    """A call without permission is refused, and the answer names the permission."""
    bucket.blob("rows").upload_from_string(b"x")
    server.denied = frozenset({permission})
    with pytest.raises(Forbidden, match=permission) as refused:
        call(bucket)
    assert refusal(refused.value) == (403, "forbidden")
    assert server.visible() == {"rows": b"x"}


def test_a_refused_identity_renews_its_credentials(server: StrictGCS, bucket: Bucket) -> None:
    """An identity that is not accepted makes the library renew its credentials."""
    from google.auth.exceptions import InvalidOperation

    server.fault = lambda call: Fault("before", 401, "authError")
    with pytest.raises(InvalidOperation, match="Anonymous credentials cannot be refreshed"):
        bucket.blob("rows").reload()


def test_the_library_may_be_refused_to_read_the_bucket(server: StrictGCS, bucket: Bucket) -> None:
    """The request for the bucket that the library makes on its own may be refused."""
    server.denied = frozenset({"storage.buckets.get"})
    bucket.blob("rows").upload_from_string(b"x")
    assert bucket.get_blob("rows").download_as_bytes() == b"x"
    assert operations(server) == ["insert", "get", "download"]


def test_an_unknown_call_is_refused(server: StrictGCS, bucket: Bucket) -> None:
    """A call that the API does not have is refused, and the server keeps running."""
    http, objects = bucket.client._http, f"{server.address}/upload/storage/v1/b/lake/o"
    statuses = [
        http.get(f"{server.address}/storage/v2/b/lake").status_code,
        http.put(f"{server.address}/storage/v1/b/lake/o/rows").status_code,
        http.post(f"{objects}?uploadType=media", data=b"x").status_code,
        http.post(f"{objects}?uploadType=guess&name=rows", data=b"x").status_code,
        http.post(f"{objects}?uploadType=resumable&name=rows", data=b"{no json").status_code,
        http.post(f"{objects}?uploadType=multipart&name=rows", data=b"one part").status_code,
        http.put(f"{objects}?uploadType=resumable&upload_id=guessed", data=b"x").status_code,
        http.get(f"{server.address}/storage/v1/b/lake/o?ifGenerationMatch=first").status_code,
        http.get(f"{server.address}/storage/v1/b/lake/o/rows?generation=first").status_code,
    ]
    assert statuses == [404, 405, 400, 400, 400, 400, 404, 400, 400]
    assert server.visible() == {}


def test_a_bucket_is_there_unless_its_name_says_that_it_is_not(server: StrictGCS, bucket: Bucket) -> None:
    missing = bucket.client.bucket("no-such-lake")
    assert (bucket.exists(), missing.exists()) == (True, False)
    assert bucket.client.get_bucket(BUCKET).name == BUCKET
    for call in (missing.reload, lambda: list(missing.list_blobs()), missing.blob("rows").reload):
        with pytest.raises(NotFound):
            call()
    assert operations(server) == ["list", "get"]
