"""Multipart uploads of the strict server, as Google's own library makes them and as nobody should."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from support.stores.gcs_library import quick
from support.stores.servers import BUCKET, gcs_client

from labelbox_export_provider.testing.object_store import StrictGCS, strict_gcs
from labelbox_export_provider.testing.object_store.gcs_messages import hashes

PART = 64 * 1024
CONTENT = bytes(range(256)) * (5 * PART // 512)


@pytest.fixture
def server() -> Iterator[StrictGCS]:
    with strict_gcs(minimum_part_bytes=PART) as served:
        yield served


class Client:
    """Sends what it is told over the library's HTTP session."""

    def __init__(self, server: StrictGCS) -> None:
        self._server = server
        self._http: Any = gcs_client(server.address)._http

    def send(self, method: str, path: str, content: bytes = b"", **headers: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._http.request(method, f"{self._server.address}/{BUCKET}{path}", data=content, headers=given)

    def open(self, key: str = "rows", **headers: str) -> str:
        return self.found(self.send("POST", f"/{key}?uploads", b"", **headers), "UploadId")[0]

    def part(self, upload: str, number: int, content: bytes, *, key: str = "rows", **headers: str) -> Any:
        given = {"x_goog_hash": f"crc32c={hashes(content)['crc32c']}", **headers}
        return self.send("PUT", f"/{key}?partNumber={number}&uploadId={upload}", content, **given)

    def complete(self, upload: str, *named: tuple[int, str], **headers: str) -> Any:
        parts = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in named)
        body = f'<C xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{parts}</C>'
        return self.send("POST", f"/rows?uploadId={upload}", body.encode(), **headers)

    @staticmethod
    def found(answer: Any, name: str) -> list[str]:
        return [each.text or "" for each in ElementTree.fromstring(answer.content).iter() if each.tag.endswith(name)]

    def refused(self, answer: Any) -> tuple[int, str]:
        return answer.status_code, self.found(answer, "Code")[0]


@pytest.fixture
def client(server: StrictGCS) -> Client:
    return Client(server)


def test_the_library_uploads_a_file_in_parts(server: StrictGCS, tmp_path: Path) -> None:
    """The library's own multipart upload makes one whole object with its properties, and no MD5."""
    from google.cloud.storage import transfer_manager

    file = tmp_path / "rows"
    file.write_bytes(CONTENT)
    bucket = gcs_client(server.address).bucket(BUCKET)
    blob = bucket.blob("a b/rows%2F?ü", kms_key_name="projects/p/locations/l/keyRings/r/cryptoKeys/k")
    blob.metadata, blob.storage_class, blob.cache_control = {"labelbox-export-id": "e1"}, "NEARLINE", "no-store"
    transfer_manager.upload_chunks_concurrently(
        str(file), blob, content_type="text/csv", chunk_size=PART, worker_type=transfer_manager.THREAD, retry=quick()
    )
    made = bucket.get_blob("a b/rows%2F?ü")
    assert server.visible() == {"a b/rows%2F?ü": CONTENT}
    assert (made.metadata, made.storage_class, made.cache_control, made.content_type, made.md5_hash) == (
        *({"labelbox-export-id": "e1"}, "NEARLINE"),
        *("no-store", "text/csv", None),
    )
    assert made.crc32c == hashes(CONTENT)["crc32c"]
    assert server.open_uploads() == []


def test_parts_are_checked_and_joined_by_their_numbers(server: StrictGCS, client: Client) -> None:
    """A part without a checksum or with a wrong one is refused, and one that is sent again replaces itself."""
    upload = client.open()
    first, second = CONTENT[:PART], CONTENT[PART : PART + 7]
    assert client.refused(client.send("PUT", f"/rows?partNumber=1&uploadId={upload}", first)) == (400, "InvalidRequest")
    assert client.refused(client.part(upload, 1, first, x_goog_hash="crc32c=AAAAAA==")) == (400, "BadDigest")
    for number in (0, 10_001):
        assert client.refused(client.part(upload, number, first)) == (400, "InvalidArgument")
    client.part(upload, 1, second)
    named = [(n, client.part(upload, n, content).headers["etag"]) for n, content in ((2, second), (1, first))]
    listed = client.send("GET", f"/rows?uploadId={upload}")
    assert client.found(listed, "Size") == [str(PART), "7"]
    assert client.refused(client.complete(upload, *named)) == (400, "InvalidPartOrder")
    assert client.refused(client.complete(upload, (1, "guessed"))) == (400, "InvalidPart")
    made = client.complete(upload, *sorted(named))
    assert server.visible() == {"rows": first + second}
    assert made.headers["x-goog-hash"] == f"crc32c={hashes(first + second)['crc32c']}"
    assert made.headers["x-goog-generation"] == str(server.objects["rows"].generation)
    assert client.refused(client.complete(upload, *sorted(named))) == (404, "NoSuchUpload")


def test_small_parts_are_refused_but_the_last(server: StrictGCS, client: Client) -> None:
    """The least size of a part is checked when an upload is completed, as in S3."""
    upload = client.open()
    named = [(number, client.part(upload, number, b"x").headers["etag"]) for number in (1, 2)]
    assert client.refused(client.complete(upload, *named)) == (400, "EntityTooSmall")
    assert client.complete(upload, named[0]).status_code == 200


def test_conditions_and_unknown_words_are_refused(client: Client) -> None:
    """Multipart uploads take no preconditions, and one that is ignored would let a test pass."""
    upload = client.open()
    etag = client.part(upload, 1, b"x").headers["etag"]
    for refused in (
        client.complete(upload, (1, etag), x_goog_if_generation_match="0"),
        client.complete(upload, (1, etag), if_none_match="*"),
        client.send("POST", "/rows?uploads", x_goog_acl="publicRead"),
        client.send("POST", "/rows?uploads&ifGenerationMatch=0"),
        client.send("GET", "?uploads&delimiter=/"),
    ):
        assert client.refused(refused) == (400, "InvalidArgument")
    assert client.refused(client.send("PUT", "/rows", b"x")) == (405, "MethodNotAllowed")


def test_open_uploads_are_listed_by_prefix_over_pages(server: StrictGCS, client: Client) -> None:
    """The listing is ordered, several uploads of one key are each in it, and an aborted one is not."""
    uploads = {client.open(key): key for key in ("data/1", "data/1", "data/2", "data/3", "data/4", "other")}
    found: list[tuple[str, str]] = []
    marker = ""
    while True:
        answer = client.send("GET", f"?uploads&prefix=data/{marker}")
        found += zip(client.found(answer, "UploadId"), client.found(answer, "}Key"), strict=True)
        if client.found(answer, "IsTruncated") == ["false"]:
            break
        key, upload = client.found(answer, "NextKeyMarker")[0], client.found(answer, "NextUploadIdMarker")[0]
        marker = f"&key-marker={key}&upload-id-marker={upload}"
    assert found == sorted(((u, key) for u, key in uploads.items() if key != "other"), key=lambda each: each[::-1])
    for upload, key in uploads.items():
        assert client.send("DELETE", f"/{key}?uploadId={upload}").status_code == 204
    assert server.open_uploads() == []


@pytest.mark.parametrize(
    ("permission", "call"),
    [
        ("storage.multipartUploads.create", lambda client, upload: client.send("POST", "/rows?uploads")),
        ("storage.objects.create", lambda client, upload: client.send("POST", "/rows?uploads")),
        ("storage.multipartUploads.create", lambda client, upload: client.part(upload, 1, b"x")),
        ("storage.multipartUploads.abort", lambda client, upload: client.send("DELETE", f"/rows?uploadId={upload}")),
        ("storage.multipartUploads.list", lambda client, upload: client.send("GET", "?uploads")),
        ("storage.multipartUploads.listParts", lambda client, upload: client.send("GET", f"/rows?uploadId={upload}")),
        ("storage.objects.delete", lambda client, upload: client.complete(upload, (1, hashes_etag(client, upload)))),
    ],
)
def test_each_call_needs_its_permission(server: StrictGCS, client: Client, permission: str, call: Any) -> None:
    """What is missing is named, and writing over an object needs the right to delete it."""
    upload = client.open()
    gcs_client(server.address).bucket(BUCKET).blob("rows").upload_from_string(b"theirs")
    server.denied = frozenset({permission})
    refused = call(client, upload)
    assert client.refused(refused) == (403, "AccessDenied")
    assert permission in client.found(refused, "Message")[0]


def hashes_etag(client: Client, upload: str) -> str:
    return str(client.part(upload, 1, b"x").headers["etag"])
