"""The calls of the S3 protocol that this package makes, with the extra arguments of each."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labelbox_export_provider.errors import LabelboxExportError, StorageError
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.base import (
    CRC32C,
    ExpectedObject,
    ListedObject,
    NewObject,
    Part,
    PartBody,
    StoredObject,
    WrittenObject,
    check_relative_key,
)
from labelbox_export_provider.sinks.multipart import BucketCalls
from labelbox_export_provider.sinks.refusals import Refusal, wrong_size
from labelbox_export_provider.sinks.s3 import checksums, lifecycle
from labelbox_export_provider.sinks.s3.arguments import MAX_PART_BYTES, OF_EVERY_CALL
from labelbox_export_provider.sinks.s3.bucket import S3Bucket
from labelbox_export_provider.sinks.s3.errors import refusal_error
from labelbox_export_provider.sinks.s3.unknown_headers import may_be_about_checksums
from labelbox_export_provider.sinks.uncopied_body import UncopiedBody
from labelbox_export_provider.sinks.upload_rule import UploadRule

logger = logging.getLogger(__name__)

_WHOLE = {"ChecksumAlgorithm": "CRC32C", "ChecksumType": "FULL_OBJECT"}


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload; `checks_whole` where the store compares the CRC32C of the whole object at its completion."""

    id: str
    checks_whole: bool = False


class S3Calls(BucketCalls[Upload]):
    """One bucket; every failure is one of this package's errors."""

    maximum_put_bytes = MAX_PART_BYTES

    def __init__(self, bucket: S3Bucket, arguments: Mapping[str, Any]) -> None:
        self._bucket = bucket
        self._create = arguments
        self._every = {name: value for name, value in arguments.items() if name in OF_EVERY_CALL}
        self._asks_for_whole = bucket.sends_checksums
        self._unanswered: set[str] = set()

    def uri(self, key: str) -> str:
        """Return the `s3://` address."""
        return self._bucket.uri(check_relative_key(key))

    # --- objects

    def put_object(self, new: NewObject, body: PartBody, expected: ExpectedObject) -> WrittenObject:
        """Write an object with one plain PUT."""
        answer = self._bucket.call(
            "PutObject",
            new.key,
            Body=UncopiedBody.of(body),
            ContentType=new.content_type,
            Metadata={**new.metadata, CRC32C: checksum.text(expected.crc32c)},
            **self._checksum(expected.crc32c),
            **_create_only(new),
            **self._create,
        )
        written = self._written(new, expected, answer)
        if not self._is_checked(expected, answer) and written.etag != _md5(body):
            self._check_size(written)
        return written

    def get_object(self, key: str, limit: int) -> bytes | None:
        """Return at most `limit` bytes of an object; None when there is none."""
        content: bytes | None = self._bucket.call("GetObject", key, limit=limit, **self._every)
        return content

    def head_object(self, key: str) -> StoredObject | None:
        """Return what the store knows of an object; None when there is none."""
        answer = self._bucket.call("HeadObject", key, **self._every)
        if answer is None:
            return None
        return StoredObject(
            key,
            int(answer["ContentLength"]),
            {name.lower(): value for name, value in answer.get("Metadata", {}).items()},
            _unquoted(answer.get("ETag")),
            answer.get("VersionId"),
        )

    def list_objects(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the objects whose keys start with `prefix`, page by page."""
        for page in self._pages("ListObjectsV2", prefix, ContinuationToken="NextContinuationToken"):
            for found in page.get("Contents", ()):
                yield ListedObject(
                    found["Key"], int(found["Size"]), _unquoted(found.get("ETag")), found.get("LastModified")
                )

    def delete_object(self, key: str) -> None:
        """Remove an object; a missing one is no error."""
        self._bucket.call("DeleteObject", key, **self._every)

    # --- multipart uploads

    def create_upload(self, new: NewObject) -> Upload:
        """Create a multipart upload that compares the CRC32C of the whole object, where the store has that.

        One that refuses it, or does not confirm it, is asked once.
        """
        answer = self._create_upload(new, **(_WHOLE if self._asks_for_whole else {}))
        if self._asks_for_whole and isinstance(answer, Refusal) and may_be_about_checksums(answer):
            answer = self._create_upload(new)
        if isinstance(answer, Refusal):
            self.abort_unanswered(new.key)
            raise refusal_error(answer)
        upload = Upload(answer["UploadId"], answer.get("ChecksumType") == _WHOLE["ChecksumType"])
        if not self._asks_for_whole or upload.checks_whole:
            return upload
        self._asks_for_whole = False
        if "ChecksumAlgorithm" not in answer:
            return upload
        # The store wants a checksum of the parts' checksums instead, which shows nothing about the whole.
        self.abort_upload(new.key, upload)
        return self.create_upload(new)

    def _create_upload(self, new: NewObject, **whole: str) -> Any:
        kept = {"ContentType": new.content_type, "Metadata": dict(new.metadata)}
        answer = self._bucket.attempt("CreateMultipartUpload", new.key, **kept, **whole, **self._create)
        refused = isinstance(answer, Refusal)
        if answer.is_uncertain() if refused else answer["ResponseMetadata"].get("RetryAttempts"):
            self._unanswered.add(new.key)
        return answer

    def upload_part(self, key: str, upload: Upload, part: Part, crc32c: int) -> str:
        """Upload one part and return its ETag."""
        answer = self._bucket.call(
            "UploadPart",
            key,
            UploadId=upload.id,
            PartNumber=part.number,
            Body=UncopiedBody.of(part.body),
            **self._checksum(crc32c),
            **self._every,
        )
        return str(answer["ETag"])

    def complete_upload(
        self, new: NewObject, upload: Upload, etags: Mapping[int, str], expected: ExpectedObject
    ) -> WrittenObject:
        """Complete a multipart upload. A store that supports `MpuObjectSize` refuses an object of another size."""
        parts = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
        whole = {"ChecksumType": _WHOLE["ChecksumType"], **checksums.of_bytes(expected.crc32c)}
        answer: Mapping[str, Any] = self._bucket.call(
            "CompleteMultipartUpload",
            new.key,
            UploadId=upload.id,
            MultipartUpload={"Parts": parts},
            MpuObjectSize=expected.size,
            **(whole if upload.checks_whole else {}),
            **_create_only(new),
            **self._every,
        )
        written = self._written(new, expected, answer)
        if not self._is_checked(expected, answer):
            self._check_size(written)
        self.abort_unanswered(new.key)
        return written

    def abort_upload(self, key: str, upload: Upload) -> bool:
        """Abort a multipart upload with all its parts; return whether there was one."""
        was_open = self._bucket.call("AbortMultipartUpload", key, UploadId=upload.id, **self._every)
        self.abort_unanswered(key)
        return was_open is not None

    def open_uploads(self, prefix: str) -> Iterator[tuple[str, Upload]]:
        """Yield key and upload of the multipart uploads whose keys start with `prefix`."""
        markers = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
        for page in self._pages("ListMultipartUploads", prefix, **markers):
            for found in page.get("Uploads", ()):
                if found["Key"].startswith(prefix):  # some stores list more than was asked for
                    yield found["Key"], Upload(found["UploadId"])

    def upload_rules(self, key: str) -> Iterator[UploadRule]:
        """Yield the bucket's lifecycle rules that remove unfinished uploads under this key."""
        owner = {name: value for name, value in self._every.items() if name == "ExpectedBucketOwner"}
        answer = self._bucket.call("GetBucketLifecycleConfiguration", key, **owner)
        return lifecycle.upload_rules(() if answer is None else answer.get("Rules", ()), key)

    def name_of(self, upload: Upload) -> str:
        """Return the id of an upload."""
        return upload.id

    def stored_parts(self, key: str, name: str) -> tuple[Upload, dict[int, tuple[str, int]]] | None:
        """Return an open upload, with ETag and size of each part by its number; None where there is none."""
        parts: dict[int, tuple[str, int]] = {}
        checks_whole = False
        pages = self._bucket.pages(
            "ListParts", key, {"PartNumberMarker": "NextPartNumberMarker"}, {"UploadId": name, **self._every}
        )
        is_open = False
        for page in pages:
            is_open = True
            checks_whole = page.get("ChecksumType") == _WHOLE["ChecksumType"]
            for found in page.get("Parts", ()):
                parts[int(found["PartNumber"])] = (str(found["ETag"]), int(found["Size"]))
        return (Upload(name, checks_whole), parts) if is_open else None

    # --- what was written

    def remove_wrong(self, key: str, *, found: int, sent: int) -> LabelboxExportError:
        """Remove an object of another size than was sent, and return the error for it."""
        framed = found > sent and not self._bucket.is_aws and self._bucket.sends_checksums
        why = f"It may keep the checksums that come with an upload in the object. {checksums.CURE}" if framed else None
        return wrong_size(self.uri(key), lambda: self.delete_object(key), found=found, sent=sent, why=why)

    def _is_checked(self, expected: ExpectedObject, answer: Mapping[str, Any]) -> bool:
        """Return whether the store has compared what it made with what was sent, as AWS always does."""
        return self._bucket.is_aws or answer.get("ChecksumCRC32C") == checksum.base64_text(expected.crc32c)

    def _check_size(self, written: WrittenObject) -> None:
        """Compare the size of an object with ours; where reading it is not permitted this does not fail."""
        try:
            there = self.head_object(written.key)
        except StorageError as error:
            logger.info("The size of %s was not checked: %s", written.uri, error)
            return
        # Another ETag is the object of another writer, which is not checked here.
        if there is None or there.size == written.size or there.etag != written.etag:
            return
        raise self.remove_wrong(written.key, found=there.size, sent=written.size)

    def _written(self, new: NewObject, expected: ExpectedObject, answer: Mapping[str, Any]) -> WrittenObject:
        etag, version = _unquoted(answer.get("ETag")), answer.get("VersionId")
        return WrittenObject(new.key, self.uri(new.key), expected.size, expected.crc32c, etag, version)

    def _pages(self, operation: str, prefix: str, **tokens: str) -> Iterator[Mapping[str, Any]]:
        return self._bucket.pages(operation, prefix, tokens, self._every)

    def _checksum(self, crc32c: int) -> dict[str, str]:
        return checksums.of_bytes(crc32c) if self._bucket.sends_checksums else {}


def _create_only(new: NewObject) -> dict[str, str]:
    return {"IfNoneMatch": "*"} if new.create_only else {}


def _unquoted(etag: str | None) -> str | None:
    return etag and etag.strip('"')


def _md5(body: PartBody) -> str:
    """Return what most stores give as the ETag of an object of one part."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in body.buffers():
        digest.update(piece)
    return digest.hexdigest()
