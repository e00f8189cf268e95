"""The dialect of Google Cloud Storage, as far as exports need it: its JSON API with resumable uploads, and multipart
uploads of its XML API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from labelbox_export_provider.testing.http.server import HttpAnswer, HttpRequest
from labelbox_export_provider.testing.object_store import gcs_messages as messages
from labelbox_export_provider.testing.object_store import gcs_multipart, s3_messages
from labelbox_export_provider.testing.object_store.gcs_messages import Chunk
from labelbox_export_provider.testing.object_store.store import (
    Fault,
    ParsedRequest,
    RefusedError,
    StoredObject,
    Upload,
    serve,
)

PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "list": ("storage.objects.list",),
    "get": ("storage.objects.get",),
    "download": ("storage.objects.get",),
    "delete": ("storage.objects.delete",),
    "insert": ("storage.objects.create",),
    "open": ("storage.objects.create",),
    **gcs_multipart.PERMISSIONS,
}
"""The permissions of each operation. Writing over an object also needs `storage.objects.delete`, a look at the bucket
itself, which exports do not need, `storage.buckets.get`."""


@dataclass
class ResumableUpload(Upload):
    """A session. `total` is -1 until the client names it; `gone` is the status of a session that has ended early."""

    query: Mapping[str, str] = field(default_factory=dict)
    total: int = -1
    content: bytearray = field(default_factory=bytearray)
    made: StoredObject | None = None
    gone: int = 0

    def is_open(self) -> bool:
        """Return whether the upload can still be completed."""
        return self.made is None and not self.gone


@dataclass
class StrictGCS(gcs_multipart.MultipartUploads):
    """A Google Cloud Storage that recomputes checksums and checks `ifGenerationMatch` at both ends of an upload.

    It takes chunks in order and in multiples of `quantum` only. Operations: `list`, `get`, `download`, `delete`,
    `insert` (an object in one request), and of a resumable upload `open`, `send`, `finish` (the bytes that end it),
    `ask` (for its progress) and `cancel`; those of multipart uploads have the names of S3's API. `bucket` is a look at
    the bucket, which the client library also takes in a thread of its own and so at any time. `denied` holds
    permissions. GCS itself ignores bytes that it has already, and its client library relies on that; `takes_overlaps`
    does so here, otherwise such a chunk is refused. `lifecycle` holds the rules of the buckets in the form of the JSON
    API; nothing is removed by them.
    """

    quantum: int = 256 * 1024
    takes_overlaps: bool = False
    lifecycle: Mapping[str, Any] = field(default_factory=dict)

    def open_uploads(self) -> list[str]:
        """Return the keys of unfinished multipart uploads, which stay and are paid for until somebody aborts them."""
        return sorted(each.key for each in self.uploads.values() if isinstance(each, gcs_multipart.PartsUpload))

    def open_sessions(self) -> list[str]:
        """Return the keys of unfinished resumable uploads, which cost nothing and expire by themselves."""
        return sorted(
            each.key for each in self.uploads.values() if isinstance(each, ResumableUpload) and each.is_open()
        )

    def expire_uploads(self, status: int = 410) -> None:
        """End all open uploads; requests for them are answered with this status, 410 or 404."""
        with self.lock:
            for upload in self.uploads.values():
                if isinstance(upload, ResumableUpload) and upload.made is None:
                    upload.gone = status
                    upload.content.clear()

    def _parse(self, request: HttpRequest) -> ParsedRequest:
        if gcs_multipart.is_xml(request):
            return gcs_multipart.parse(request)
        path = messages.parse_path(request)
        if session := request.query.get("upload_id"):
            key = self.uploads[session].key if session in self.uploads else ""
            place = request.headers.get("content-range", "")
            of_session = "ask" if "*/" in place else "send" if place.endswith("/*") else "finish"
            found = {"PUT": of_session, "DELETE": "cancel"}.get(request.method)
        elif path.is_upload:
            key = messages.parse_object(request)[0]["name"]
            found = {"POST": "open" if request.query["uploadType"] == "resumable" else "insert"}.get(request.method)
        elif path.key:
            key = path.key
            reading = "download" if request.query.get("alt") == "media" else "get"
            found = {"GET": reading, "DELETE": "delete"}.get(request.method)
        else:
            key = request.query.get("prefix", "")
            found = {"GET": "list" if path.about_objects else "bucket"}.get(request.method)
        if not found:
            raise RefusedError(405, "methodNotAllowed", f"{request.method} {request.raw_path}")
        return ParsedRequest(found, path.bucket, key, request)

    def _refusal(self, refused: RefusedError, request: HttpRequest) -> HttpAnswer:
        if gcs_multipart.is_xml(request):
            code = "AccessDenied" if refused.code == "forbidden" else refused.code
            return s3_messages.error(refused.status, code, str(refused))
        return messages.error(refused.status, refused.code, str(refused))

    def _perform(self, request: ParsedRequest, fault: Fault | None) -> HttpAnswer:
        if request.bucket.startswith("no-such"):
            code = "NoSuchBucket" if gcs_multipart.is_xml(request.http) else "notFound"
            raise RefusedError(404, code, "The specified bucket does not exist.")
        for needed in PERMISSIONS.get(request.operation, ()):
            self._check_permission(needed)
        if gcs_multipart.is_xml(request.http):
            return self._perform_xml(request)
        if fault is not None and fault.when == "half":
            self._keep_half(request, fault)
            return self._broken(fault, request.http)
        perform = {
            "bucket": self._bucket,
            "list": self._list,
            "get": self._get,
            "download": self._download,
            "delete": self._delete,
            "insert": self._insert,
            "open": self._open,
            "send": self._send,
            "finish": self._send,
            "ask": self._ask,
            "cancel": self._cancel,
        }[request.operation]
        return perform(request)

    # --- buckets and objects

    def _bucket(self, request: ParsedRequest) -> HttpAnswer:
        self._check_permission("storage.buckets.get")
        name = request.bucket
        rules = {"lifecycle": self.lifecycle} if self.lifecycle else {}
        return messages.answer({"kind": "storage#bucket", "id": name, "name": name, "location": "EU", **rules})

    def _list(self, request: ParsedRequest) -> HttpAnswer:
        most = min(self.page, int(request.query.get("maxResults", self.page)))
        keys = self.keys_below(request.key, request.query.get("pageToken", ""))
        items = [messages.resource(self.objects[each]) for each in keys[:most]]
        more = {"nextPageToken": keys[most - 1]} if len(keys) > most else {}
        return messages.answer({"kind": "storage#objects", "items": items, **more})

    def _get(self, request: ParsedRequest) -> HttpAnswer:
        return messages.answer(messages.resource(self._object(request)))

    def _download(self, request: ParsedRequest) -> HttpAnswer:
        found = self._object(request)
        return messages.download(request, found.content, messages.resource(found))

    def _delete(self, request: ParsedRequest) -> HttpAnswer:
        self._object(request)
        del self.objects[request.key]
        return HttpAnswer(204)

    def _insert(self, request: ParsedRequest) -> HttpAnswer:
        described, content = messages.parse_object(request.http)
        made = self._make(request, described, request.query, content)
        return messages.answer(messages.resource(made))

    # --- resumable uploads

    def _open(self, request: ParsedRequest) -> HttpAnswer:
        self._check_overwriting(request.key, request.query)
        session = f"u{next(self.numbers)}-as-good-as-a-password"
        total = int(request.headers.get("x-upload-content-length", -1))
        described = messages.parse_object(request.http)[0]
        self.uploads[session] = ResumableUpload(request.key, described, request.query, total)
        location = f"{self.address}{request.http.raw_path}?uploadType=resumable&upload_id={session}"
        return HttpAnswer(200, b"", {"location": location})

    def _send(self, request: ParsedRequest) -> HttpAnswer:
        upload = self._upload(request)
        if upload.made is None:
            place = messages.parse_chunk(request)
            self._append(upload, request, place, len(request.body))
            if len(upload.content) == place.total:
                self._end(upload, request)
        return _state(upload)

    def _ask(self, request: ParsedRequest) -> HttpAnswer:
        upload = self._upload(request)
        total = messages.parse_question(request)
        if upload.made is None and total != -1:
            _settle_total(upload, total)
            if total == len(upload.content):
                self._end(upload, request)
        return _state(upload)

    def _cancel(self, request: ParsedRequest) -> HttpAnswer:
        upload = self._upload(request)
        upload.gone = 410
        upload.content.clear()
        return HttpAnswer(499)

    def _append(self, upload: ResumableUpload, request: ParsedRequest, place: Chunk, most: int) -> None:
        """Take a chunk, or its first `most` bytes."""
        there = len(upload.content)
        if place.first > there or (place.first < there and not self.takes_overlaps):
            raise RefusedError(400, "invalid", f"A chunk at byte {place.first}, {there} are there")
        if place.last + 1 != place.total and len(request.body) % self.quantum:
            raise RefusedError(400, "invalid", f"A chunk of {len(request.body)} bytes that is not the last")
        if place.total != -1:
            _settle_total(upload, place.total)
        upload.content += request.body[there - place.first : most]

    def _keep_half(self, request: ParsedRequest, fault: Fault) -> None:
        if request.operation in {"send", "finish"}:
            most = len(request.body) // 2 if fault.keeps is None else fault.keeps
            place = messages.parse_chunk(request)
            self._append(self._upload(request), request, place, most // self.quantum * self.quantum)

    def _end(self, upload: ResumableUpload, request: ParsedRequest) -> None:
        upload.made = self._make(request, upload.metadata, upload.query, bytes(upload.content))

    # --- rules

    def _make(
        self, request: ParsedRequest, described: Mapping[str, Any], query: Mapping[str, str], content: bytes
    ) -> StoredObject:
        self._check_overwriting(request.key, query)
        messages.check_hashes(content, described, request.headers)
        return self.keep(request.bucket, request.key, self.spoil(content), described)

    def _check_overwriting(self, key: str, query: Mapping[str, str]) -> None:
        self._check_generation(key, query)
        if key in self.objects:
            self._check_permission("storage.objects.delete")

    def _check_permission(self, needed: str) -> None:
        if needed in self.denied:
            raise RefusedError(403, "forbidden", f"worker does not have {needed} access to the object.")

    def _check_generation(self, key: str, query: Mapping[str, str]) -> None:
        there = self.objects[key].generation if key in self.objects else 0
        if int(query.get("ifGenerationMatch", there)) != there:
            raise RefusedError(412, "conditionNotMet", "At least one of the pre-conditions did not hold.")

    def _object(self, request: ParsedRequest) -> StoredObject:
        found = self.objects.get(request.key)
        if found is None or int(request.query.get("generation", found.generation)) != found.generation:
            raise RefusedError(404, "notFound", f"No such object: {request.key}")
        self._check_generation(request.key, request.query)
        return found

    def _upload(self, request: ParsedRequest) -> ResumableUpload:
        found = self.uploads.get(request.query["upload_id"])
        if not isinstance(found, ResumableUpload) or found.gone:
            status = found.gone if isinstance(found, ResumableUpload) else 404
            raise RefusedError(status, "gone", "The upload was cancelled or has expired.")
        return found


@contextmanager
def strict_gcs(**settings: Any) -> Iterator[StrictGCS]:
    """Serve a `StrictGCS` with these settings."""
    with serve(StrictGCS(**settings)) as store:
        yield store


def _settle_total(upload: ResumableUpload, total: int) -> None:
    if upload.total not in {-1, total} or total < len(upload.content):
        raise RefusedError(400, "invalid", f"A total of {total}, {upload.total} was named and more may be there")
    upload.total = total


def _state(upload: ResumableUpload) -> HttpAnswer:
    if upload.made is None:
        return messages.confirmed(len(upload.content))
    return messages.answer(messages.resource(upload.made))
