"""The multipart uploads of Google Cloud Storage's XML API, which are almost those of S3.

Two rules differ: they take no preconditions, so a completion overwrites, and an object that they make has no MD5.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from labelbox_export_provider.testing.http.server import HttpAnswer, HttpRequest
from labelbox_export_provider.testing.object_store import gcs_messages
from labelbox_export_provider.testing.object_store import s3_messages as xml
from labelbox_export_provider.testing.object_store.store import ObjectStore, ParsedRequest, RefusedError, Upload

_CREATE = ("storage.multipartUploads.create", "storage.objects.create")
PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "CreateMultipartUpload": _CREATE,
    "UploadPart": _CREATE,
    "CompleteMultipartUpload": _CREATE,
    "AbortMultipartUpload": ("storage.multipartUploads.abort",),
    "ListMultipartUploads": ("storage.multipartUploads.list",),
    "ListParts": ("storage.multipartUploads.listParts",),
}
_UNDERSTOOD = {
    "CreateMultipartUpload": {"uploads"},
    "UploadPart": {"partNumber", "uploadId"},
    "CompleteMultipartUpload": {"uploadId"},
    "AbortMultipartUpload": {"uploadId"},
    "ListMultipartUploads": {"uploads", "prefix", "key-marker", "upload-id-marker", "max-uploads"},
    "ListParts": {"uploadId", "part-number-marker", "max-parts"},
}
_PROPERTIES = {
    "content-type": "contentType",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
    "cache-control": "cacheControl",
    "x-goog-custom-time": "customTime",
    "x-goog-encryption-kms-key-name": "kmsKeyName",
    "x-goog-storage-class": "storageClass",
}
"""The headers that become members of the object's resource."""
_HEADERS = {*_PROPERTIES, "x-goog-acl", "x-goog-user-project", "x-goog-hash"}
_HEADERS |= {"x-goog-api-client", "x-goog-gcs-idempotency-token"}
_ACLS = re.compile("authenticated-read|bucket-owner-full-control|bucket-owner-read|private|project-private|public-read")
_MAX_PARTS = 10_000


@dataclass
class PartsUpload(Upload):
    """A multipart upload: content and ETag of each part by its number."""

    parts: dict[int, tuple[bytes, str]] = field(default_factory=dict)


def is_xml(request: HttpRequest) -> bool:
    """Return whether a request is one of the XML API, whose paths begin with the bucket."""
    return not request.raw_path.startswith(("/storage/", "/upload/", "/download/"))


def parse(request: HttpRequest) -> ParsedRequest:
    """Return the request with its operation, bucket and key; refuse what is not understood."""
    bucket, _, key = request.raw_path.lstrip("/").partition("/")
    kind = (request.method, bool(key), "uploads" if "uploads" in request.query else "uploadId")
    operation = {
        ("POST", True, "uploads"): "CreateMultipartUpload",
        ("PUT", True, "uploadId"): "UploadPart",
        ("POST", True, "uploadId"): "CompleteMultipartUpload",
        ("DELETE", True, "uploadId"): "AbortMultipartUpload",
        ("GET", False, "uploads"): "ListMultipartUploads",
        ("GET", True, "uploadId"): "ListParts",
    }.get(kind)
    if operation is None or not {"uploads", "uploadId"} & request.query.keys():
        raise RefusedError(405, "MethodNotAllowed", f"{request.method} {request.raw_path}")
    for name in request.query.keys() - _UNDERSTOOD[operation]:
        raise RefusedError(400, "InvalidArgument", f"Unknown parameter {name}")
    for name in request.headers.keys() - _HEADERS:
        if name.startswith(("x-goog-", "x-amz-", "if-")) and not name.startswith("x-goog-meta-"):
            raise RefusedError(400, "InvalidArgument", f"Unknown header {name}; multipart uploads take no conditions")
    return ParsedRequest(operation, unquote(bucket), unquote(key) or request.query.get("prefix", ""), request)


@dataclass
class MultipartUploads(ObjectStore[Any]):
    """The XML half of the dialect. `reports_completions=False` leaves hash and generation out of their answers."""

    minimum_part_bytes: int = 5 * 1024**2
    reports_completions: bool = True

    def _perform_xml(self, request: ParsedRequest) -> HttpAnswer:
        perform: Mapping[str, Callable[[ParsedRequest], HttpAnswer]] = {
            "CreateMultipartUpload": self._create_upload,
            "UploadPart": self._upload_part,
            "CompleteMultipartUpload": self._complete_upload,
            "AbortMultipartUpload": self._abort_upload,
            "ListMultipartUploads": self._list_uploads,
            "ListParts": self._list_parts,
        }
        return perform[request.operation](request)

    def _create_upload(self, request: ParsedRequest) -> HttpAnswer:
        headers = request.headers
        if "x-goog-acl" in headers and not _ACLS.fullmatch(headers["x-goog-acl"]):
            raise RefusedError(400, "InvalidArgument", f"x-goog-acl: {headers['x-goog-acl']}")
        described: dict[str, Any] = {_PROPERTIES[name]: headers[name] for name in headers.keys() & _PROPERTIES.keys()}
        own = [name for name in headers if name.startswith("x-goog-meta-")]
        described["metadata"] = {name.removeprefix("x-goog-meta-"): headers[name] for name in own}
        upload = f"u{next(self.numbers)}"
        self.uploads[upload] = PartsUpload(request.key, described)
        return xml.xml("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")

    def _upload_part(self, request: ParsedRequest) -> HttpAnswer:
        number = request.query.get("partNumber", "")
        if not number.isdecimal() or not 1 <= int(number) <= _MAX_PARTS:
            raise RefusedError(400, "InvalidArgument", f"partNumber={number}")
        if "x-goog-hash" not in request.headers:
            raise RefusedError(400, "InvalidRequest", "There is no checksum")
        upload = self._parts_upload(request)
        gcs_messages.check_hashes(request.body, {}, request.headers, code="BadDigest")
        etag = xml.md5_of(request.body)
        upload.parts[int(number)] = (request.body, etag)
        return HttpAnswer(200, b"", {"etag": f'"{etag}"', "x-goog-hash": f"crc32c={_crc32c(request.body)}"})

    def _complete_upload(self, request: ParsedRequest) -> HttpAnswer:
        upload = self._parts_upload(request)
        named = xml.named_parts(request.body)
        if named != sorted(named) or len({number for number, _ in named}) != len(named):
            raise RefusedError(400, "InvalidPartOrder")
        if not named or any(upload.parts.get(number, (b"", ""))[1] != etag for number, etag in named):
            raise RefusedError(400, "InvalidPart")
        contents = [upload.parts[number][0] for number, _ in named]
        if any(len(part) < self.minimum_part_bytes for part in contents[:-1]):
            raise RefusedError(400, "EntityTooSmall")
        self._check_overwriting(request.key, {})
        content = self.spoil(b"".join(contents))
        etag = f"{xml.md5_of(content)}-{len(contents)}"
        made = self.keep(request.bucket, request.key, content, upload.metadata, etag)
        del self.uploads[request.query["uploadId"]]
        done = xml.xml("CompleteMultipartUploadResult", f'<ETag>"{etag}"</ETag>')
        told = {"x-goog-hash": f"crc32c={_crc32c(content)}", "x-goog-generation": str(made.generation)}
        return HttpAnswer(200, done.body, {**done.headers, **(told if self.reports_completions else {})})

    def _abort_upload(self, request: ParsedRequest) -> HttpAnswer:
        self._parts_upload(request)
        del self.uploads[request.query["uploadId"]]
        return HttpAnswer(204)

    def _list_uploads(self, request: ParsedRequest) -> HttpAnswer:
        after = (request.query.get("key-marker", ""), request.query.get("upload-id-marker", "\U0010ffff"))
        found = sorted(
            (upload.key, name)
            for name, upload in self.uploads.items()
            if isinstance(upload, PartsUpload) and upload.key.startswith(request.key) and (upload.key, name) > after
        )
        page, more = found[: self.page], len(found) > self.page
        listed = "".join(
            f"<Upload><Key>{xml.escape(key)}</Key><UploadId>{name}</UploadId></Upload>" for key, name in page
        )
        marker = ""
        if more:
            marker = f"<NextKeyMarker>{xml.escape(page[-1][0])}</NextKeyMarker>"
            marker += f"<NextUploadIdMarker>{page[-1][1]}</NextUploadIdMarker>"
        return xml.xml("ListMultipartUploadsResult", f"<IsTruncated>{str(more).lower()}</IsTruncated>{marker}{listed}")

    def _list_parts(self, request: ParsedRequest) -> HttpAnswer:
        after = int(request.query.get("part-number-marker", "0"))
        parts = sorted((number, *part) for number, part in self._parts_upload(request).parts.items() if number > after)
        page, more = parts[: self.page], len(parts) > self.page
        listed = "".join(
            f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag}"</ETag><Size>{len(content)}</Size></Part>'
            for number, content, etag in page
        )
        marker = f"<NextPartNumberMarker>{page[-1][0]}</NextPartNumberMarker>" if more else ""
        return xml.xml("ListPartsResult", f"<IsTruncated>{str(more).lower()}</IsTruncated>{marker}{listed}")

    def _parts_upload(self, request: ParsedRequest) -> PartsUpload:
        upload = self.uploads.get(request.query["uploadId"])
        if not isinstance(upload, PartsUpload) or upload.key != request.key:
            raise RefusedError(404, "NoSuchUpload", "The requested upload was not found.")
        return upload

    @abstractmethod
    def _check_overwriting(self, key: str, query: Mapping[str, str]) -> None:
        """Refuse a write that its precondition or its identity does not allow; the JSON API has the conditions."""


def _crc32c(content: bytes) -> str:
    return gcs_messages.hashes(content)["crc32c"]
