"""The dialect of S3: objects, multipart uploads, and the rules that real stores have and stand-ins often lack."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from labelbox_export_provider.testing.http.server import HttpAnswer, HttpRequest
from labelbox_export_provider.testing.object_store import s3_messages as messages
from labelbox_export_provider.testing.object_store.store import (
    Fault,
    ObjectStore,
    ParsedRequest,
    RefusedError,
    StoredObject,
    Upload,
    serve,
)


@dataclass
class MultipartUpload(Upload):
    """A multipart upload: content and ETag of each part by its number.

    `checksum_type` is what was asked for and is confirmed: a CRC32C of the whole object or of its parts' checksums, so
    that parts and completion have no other.
    """

    parts: dict[int, tuple[bytes, str]] = field(default_factory=dict)
    checksum_type: str = ""


@dataclass
class StrictS3(ObjectStore[MultipartUpload]):
    """An S3 that recomputes checksums and refuses wrong and missing ones, and honours `If-None-Match` on all uploads.

    Operations, and the members of `denied`, have the names of S3's API. Some stores lack what AWS has:
    `takes_trailers=False` refuses aws-chunked bodies and `keeps_framing` keeps their framing in the object;
    `knows_checksums=False` refuses headers with checksums, `checksum_type` is what it makes of the checksum of a whole
    object: "COMPOSITE" wants one of each part at completion, "" none; `checks_size=False` ignores the size that a
    completion states. `unprotected` holds the operations that sent bytes without
    any checksum, `lifecycle` the rules of the buckets as they were put; nothing is removed by them.
    """

    minimum_part_bytes: int = 5 * 1024**2
    takes_trailers: bool = True
    keeps_framing: bool = False
    knows_checksums: bool = True
    checksum_type: Literal["FULL_OBJECT", "COMPOSITE", ""] = "FULL_OBJECT"
    checks_size: bool = True
    unprotected: list[str] = field(default_factory=list)
    lifecycle: bytes = b""

    def reset(self) -> None:
        """Remove all objects, uploads, records, faults, denials and rules."""
        super().reset()
        self.lifecycle = b""
        self.unprotected.clear()

    def _parse(self, request: HttpRequest) -> ParsedRequest:
        return messages.parse(request)

    def _refusal(self, refused: RefusedError, request: HttpRequest) -> HttpAnswer:  # noqa: ARG002  the other dialect needs it
        return messages.error(refused.status, refused.code, str(refused))

    def _perform(self, request: ParsedRequest, fault: Fault | None) -> HttpAnswer:  # noqa: ARG002  the other dialect needs it
        if request.operation in self.denied:
            raise RefusedError(403, "AccessDenied")
        if request.bucket.startswith("no-such"):
            raise RefusedError(404, "NoSuchBucket")
        if not self.knows_checksums:
            messages.refuse_checksums(request)
        perform = {
            "PutObject": self._put_object,
            "GetObject": self._get_object,
            "HeadObject": self._head_object,
            "DeleteObject": self._delete_object,
            "ListObjectsV2": self._list_objects,
            "CreateMultipartUpload": self._create_upload,
            "UploadPart": self._upload_part,
            "CompleteMultipartUpload": self._complete_upload,
            "AbortMultipartUpload": self._abort_upload,
            "ListMultipartUploads": self._list_uploads,
            "ListParts": self._list_parts,
            "GetBucketLifecycleConfiguration": self._get_lifecycle,
            "PutBucketLifecycleConfiguration": self._put_lifecycle,
        }[request.operation]
        return perform(request)

    # --- objects

    def _put_object(self, request: ParsedRequest) -> HttpAnswer:
        content = self.spoil(self._checked_body(request))
        self._check_creation(request)
        etag = messages.md5_of(content)
        self.keep(request.bucket, request.key, content, messages.kept_headers(request), etag)
        return HttpAnswer(200, b"", {"etag": f'"{etag}"', **messages.checksums_of(request)})

    def _get_object(self, request: ParsedRequest) -> HttpAnswer:
        found = self._object(request)
        return HttpAnswer(200, found.content, {"etag": f'"{found.etag}"', **found.metadata})

    def _head_object(self, request: ParsedRequest) -> HttpAnswer:
        found = self._object(request)
        length = {"content-length": str(len(found.content))}
        return HttpAnswer(200, b"", {"etag": f'"{found.etag}"', **found.metadata, **length})

    def _delete_object(self, request: ParsedRequest) -> HttpAnswer:
        self.objects.pop(request.key, None)
        return HttpAnswer(204)

    def _list_objects(self, request: ParsedRequest) -> HttpAnswer:
        keys = self.keys_below(request.key, request.query.get("continuation-token", ""))
        listed = "".join(messages.listed_object(self.objects[each]) for each in keys[: self.page])
        more = len(keys) > self.page
        token = f"<NextContinuationToken>{messages.escape(keys[self.page - 1])}</NextContinuationToken>" if more else ""
        return messages.xml(
            "ListBucketResult",
            f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>{token}{listed}",
        )

    # --- multipart uploads

    def _create_upload(self, request: ParsedRequest) -> HttpAnswer:
        name = f"u{next(self.numbers)}"
        asked = messages.checksums_of(request) if self.checksum_type else {}
        confirmed = {**asked, "x-amz-checksum-type": self.checksum_type} if asked else {}
        kept = messages.kept_headers(request)
        self.uploads[name] = MultipartUpload(request.key, kept, checksum_type=self.checksum_type if asked else "")
        answer = messages.xml("InitiateMultipartUploadResult", f"<UploadId>{name}</UploadId>")
        return replace(answer, headers={**answer.headers, **confirmed})

    def _upload_part(self, request: ParsedRequest) -> HttpAnswer:
        content = self._checked_body(request)
        etag = messages.md5_of(content)
        upload = self._upload(request)
        if upload.checksum_type and messages.checksums_of(request).keys() - {"x-amz-checksum-crc32c"}:
            raise RefusedError(400, "InvalidRequest", "Checksum Type mismatch occurred, expected type: crc32c")
        upload.parts[int(request.query["partNumber"])] = (content, etag)
        return HttpAnswer(200, b"", {"etag": f'"{etag}"'})

    def _complete_upload(self, request: ParsedRequest) -> HttpAnswer:
        upload = self._upload(request)
        named = messages.named_parts(request.body)
        parts = self._checked_parts(upload.parts, named)
        content = self.spoil(b"".join(parts))
        if self.checks_size and int(request.headers.get("x-amz-mp-object-size", len(content))) != len(content):
            raise RefusedError(400, "InvalidRequest")
        if upload.checksum_type == "COMPOSITE" and b"<ChecksumCRC32C>" not in request.body:
            raise RefusedError(400, "InvalidRequest", "The complete request must include the checksum for each part.")
        whole = messages.checksums_of(request) if upload.checksum_type == "FULL_OBJECT" else {}
        messages.check_whole(content, whole)
        self._check_creation(request)
        of_parts = messages.md5_of(b"".join(bytes.fromhex(etag) for _, etag in named))
        etag = f"{of_parts}-{len(parts)}"
        self.keep(request.bucket, request.key, content, upload.metadata, etag)
        del self.uploads[request.query["uploadId"]]
        echoed = f"<ChecksumCRC32C>{value}</ChecksumCRC32C>" if (value := whole.get("x-amz-checksum-crc32c")) else ""
        return messages.xml("CompleteMultipartUploadResult", f'<ETag>"{etag}"</ETag>{echoed}')

    def _abort_upload(self, request: ParsedRequest) -> HttpAnswer:
        self._upload(request)
        del self.uploads[request.query["uploadId"]]
        return HttpAnswer(204)

    def _list_uploads(self, request: ParsedRequest) -> HttpAnswer:
        after = (request.query.get("key-marker", ""), request.query.get("upload-id-marker", ""))
        found = sorted(
            (upload.key, name)
            for name, upload in self.uploads.items()
            if upload.key.startswith(request.key) and (upload.key, name) > after
        )
        page = found[: self.page]
        # Clients decode keys in listings of objects, but not in those of uploads.
        listed = "".join(
            f"<Upload><Key>{messages.escape(key)}</Key><UploadId>{name}</UploadId></Upload>" for key, name in page
        )
        more = len(found) > self.page
        marker = ""
        if more:
            key, name = page[-1]
            marker = f"<NextKeyMarker>{messages.escape(key)}</NextKeyMarker>"
            marker += f"<NextUploadIdMarker>{name}</NextUploadIdMarker>"
        return messages.xml(
            "ListMultipartUploadsResult", f"<IsTruncated>{str(more).lower()}</IsTruncated>{marker}{listed}"
        )

    def _list_parts(self, request: ParsedRequest) -> HttpAnswer:
        upload, after = self._upload(request), int(request.query.get("part-number-marker", "0"))
        numbers = [number for number in sorted(upload.parts) if number > after]
        page, more = numbers[: self.page], len(numbers) > self.page
        listed = "".join(messages.listed_part(number, *upload.parts[number]) for number in page)
        marker = f"<NextPartNumberMarker>{page[-1]}</NextPartNumberMarker>" if more else ""
        kind = f"<ChecksumAlgorithm>CRC32C</ChecksumAlgorithm><ChecksumType>{upload.checksum_type}</ChecksumType>"
        told = kind if upload.checksum_type else ""
        return messages.xml("ListPartsResult", f"<IsTruncated>{str(more).lower()}</IsTruncated>{marker}{told}{listed}")

    # --- the bucket

    def _get_lifecycle(self, request: ParsedRequest) -> HttpAnswer:  # noqa: ARG002  the same for all buckets
        if not self.lifecycle:
            raise RefusedError(404, "NoSuchLifecycleConfiguration")
        return HttpAnswer(200, self.lifecycle, messages.XML)

    def _put_lifecycle(self, request: ParsedRequest) -> HttpAnswer:
        self.lifecycle = self._checked_body(request)
        return HttpAnswer(200)

    # --- rules

    def _object(self, request: ParsedRequest) -> StoredObject:
        if request.key not in self.objects:
            raise RefusedError(404, "NoSuchKey")
        return self.objects[request.key]

    def _upload(self, request: ParsedRequest) -> MultipartUpload:
        upload = self.uploads.get(request.query["uploadId"])
        if upload is None or upload.key != request.key:
            raise RefusedError(404, "NoSuchUpload")
        return upload

    def _checked_parts(self, parts: Mapping[int, tuple[bytes, str]], named: list[tuple[int, str]]) -> list[bytes]:
        if named != sorted(named) or len({number for number, _ in named}) != len(named):
            raise RefusedError(400, "InvalidPartOrder")
        if not named or any(parts.get(number, (b"", ""))[1] != etag for number, etag in named):
            raise RefusedError(400, "InvalidPart")
        contents = [parts[number][0] for number, _ in named]
        if any(len(part) < self.minimum_part_bytes for part in contents[:-1]):
            raise RefusedError(400, "EntityTooSmall")
        return contents

    def _check_creation(self, request: ParsedRequest) -> None:
        if request.headers.get("if-none-match") == "*" and request.key in self.objects:
            raise RefusedError(412, "PreconditionFailed")

    def _checked_body(self, request: ParsedRequest) -> bytes:
        try:
            if self.keeps_framing:
                return messages.unread_body(request)
            return messages.checked_body(request, takes_trailers=self.takes_trailers)
        except RefusedError as refused:
            if refused.code == "InvalidRequest":
                self.unprotected.append(request.operation)
            raise


@contextmanager
def strict_s3(*, tls: ssl.SSLContext | None = None, **settings: Any) -> Iterator[StrictS3]:
    """Serve a `StrictS3` with these settings, over TLS if a context is given."""
    with serve(StrictS3(**settings), tls) as store:
        yield store
