"""S3 and its lookalikes, through a client that somebody else built (Airflow's `S3Hook.get_conn()`).

Parts go by this package's own `upload_part` calls: the client library's transfer manager queues ten and more parts,
whatever its settings, and so has no bound in memory.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import google_crc32c

from labelbox_export_provider.spec.errors import IntegrityError, StorageError
from labelbox_export_provider.streaming.sinks.base import (
    CRC32C,
    EXPORT_ID,
    ExpectedObject,
    NewObject,
    ObjectWriter,
    Part,
    PartBody,
    Sink,
    StoredObject,
    WrittenObject,
    check_relative_key,
)
from labelbox_export_provider.streaming.sinks.s3_arguments import SinkArguments
from labelbox_export_provider.streaming.sinks.s3_errors import (
    error_code,
    is_denied,
    is_missing,
    is_store_error,
    storage_error,
)

logger = logging.getLogger(__name__)


class S3Sink(Sink):
    """One bucket. `client` is a ready boto3 S3 client, `sink_args` go to the calls that create objects.

    Creation without overwriting uses `If-None-Match: *`, which AWS honours for both kinds of upload; stores that ignore
    the header overwrite. An object's CRC32C is in its metadata only when it was written in one go, since S3 takes
    metadata when an upload begins.
    """

    minimum_part_bytes = 5 * 1024**2

    def __init__(self, client: Any, bucket: str, sink_args: Mapping[str, Any] | None = None) -> None:
        self._client = client
        self._bucket = bucket
        self._arguments = SinkArguments.parse(sink_args or {})

    def uri(self, key: str) -> str:
        """Give the `s3://` address."""
        return f"s3://{self._bucket}/{check_relative_key(key)}"

    def begin(self, new: NewObject) -> ObjectWriter:
        """Prepare an object; the store is called when the first part comes."""
        check_relative_key(new.key)
        return _S3Writer(self, new)

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        """Write a small object with one plain PUT."""
        body = PartBody([content])
        return self.put_whole(new, body, ExpectedObject(len(content), google_crc32c.value(content)))

    def put_whole(self, new: NewObject, body: PartBody, expected: ExpectedObject) -> WrittenObject:
        """Write an object that fits one part with one plain PUT."""
        body.seek(0)
        answer = self.call(
            "PutObject",
            new.key,
            Body=body,
            ContentType=new.content_type,
            Metadata={**new.metadata, CRC32C: f"{expected.crc32c:08x}"},
            **self._create_only(new),
            **self._arguments.create,
        )
        return self.written(new, expected, answer)

    def read(self, key: str, *, limit: int) -> bytes | None:
        """Read a small object; None when there is none, or when this identity may only write."""
        try:
            answer = self.call("GetObject", key, **self._arguments.read)
        except _MissingError:
            return None
        except _DeniedError as denied:
            logger.warning("%s It is taken for missing.", denied)
            return None
        body = answer["Body"]
        try:
            content = body.read(limit)
        except Exception as error:  # noqa: BLE001  botocore wraps whatever its HTTP library raises
            raise storage_error(error, "GetObject", self._bucket, key) from None
        finally:
            body.close()
        return bytes(content)

    def head(self, key: str) -> StoredObject | None:
        """Look at the object; None also for "denied", AWS's answer for a missing one where listing is not granted."""
        try:
            answer = self.call("HeadObject", key, **self._arguments.read)
        except _MissingError:
            return None
        except _DeniedError as denied:
            logger.warning("%s The object is taken for missing.", denied)
            return None
        return StoredObject(
            key,
            int(answer["ContentLength"]),
            {name.lower(): value for name, value in answer.get("Metadata", {}).items()},
            answer.get("ETag"),
            answer.get("VersionId"),
        )

    def list(self, prefix: str) -> Iterator[str]:
        """Give the keys that start with `prefix`."""
        more: dict[str, str] = {}
        while True:
            answer = self.call("ListObjectsV2", prefix, **more, **self._arguments.bucket)
            yield from (found["Key"] for found in answer.get("Contents", ()))
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        """Remove the object; where the bucket keeps versions, what was there stays as an older version."""
        check_relative_key(key)
        with contextlib.suppress(_MissingError):
            self.call("DeleteObject", key, **self._arguments.bucket)

    def abort_open_uploads(self, key: str) -> int:
        """Abort the multipart uploads of exactly this key; where listing them is not permitted, say so and go on."""
        aborted = 0
        try:
            try:
                uploads = list(self._open_uploads(key))
            except _MissingError:
                uploads = []
            for upload in uploads:
                with contextlib.suppress(_MissingError):
                    self.call("AbortMultipartUpload", key, UploadId=upload, **self._arguments.bucket)
                    aborted += 1
        except (_DeniedError, _NotOfferedError) as error:
            logger.warning("%s Uploads that a killed try left open stay, until a lifecycle rule removes them.", error)
        return aborted

    def call(self, operation: str, key: str, **arguments: Any) -> Any:
        """Make one call of the client and turn what it raises into this package's errors."""
        method: Callable[..., Any] = getattr(self._client, _METHODS[operation])
        target = {"Prefix": key} if operation.startswith("List") else {"Key": key}
        failure: StorageError | None = None
        try:
            return method(Bucket=self._bucket, **target, **arguments)
        except Exception as error:
            if not is_store_error(error):
                raise
            failure = _classified(error, operation, self._bucket, key)
        # Raised outside of the handler, so that the client's own error, which may quote a request, is not chained.
        raise failure

    def written(self, new: NewObject, expected: ExpectedObject, answer: Mapping[str, Any]) -> WrittenObject:
        """Read the store's answer to a completed write."""
        etag = answer.get("ETag")
        return WrittenObject(
            new.key,
            self.uri(new.key),
            expected.size,
            expected.crc32c,
            etag and etag.strip('"'),
            answer.get("VersionId"),
        )

    def create_upload(self, new: NewObject) -> str:
        """Open a multipart upload."""
        answer = self.call(
            "CreateMultipartUpload",
            new.key,
            ContentType=new.content_type,
            Metadata=dict(new.metadata),
            **self._arguments.create,
        )
        return str(answer["UploadId"])

    def upload_part(self, key: str, upload: str, part: Part) -> str:
        """Send one part and give its ETag."""
        part.body.seek(0)
        answer = self.call(
            "UploadPart", key, UploadId=upload, PartNumber=part.number, Body=part.body, **self._arguments.part
        )
        return str(answer["ETag"])

    def complete_upload(self, new: NewObject, upload: str, etags: Mapping[int, str]) -> Mapping[str, Any]:
        """Make a multipart upload visible."""
        parts = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
        answer: Mapping[str, Any] = self.call(
            "CompleteMultipartUpload",
            new.key,
            UploadId=upload,
            MultipartUpload={"Parts": parts},
            **self._create_only(new),
            **self._arguments.part,
        )
        return answer

    def abort_upload(self, key: str, upload: str) -> None:
        """Drop a multipart upload with all its parts."""
        with contextlib.suppress(_MissingError):
            self.call("AbortMultipartUpload", key, UploadId=upload, **self._arguments.bucket)

    def _create_only(self, new: NewObject) -> dict[str, str]:
        return {"IfNoneMatch": "*"} if new.create_only else {}

    def _open_uploads(self, key: str) -> Iterator[str]:
        marker: dict[str, str] = {}
        while True:
            answer = self.call("ListMultipartUploads", key, **marker, **self._arguments.bucket)
            yield from (upload["UploadId"] for upload in answer.get("Uploads", ()) if upload["Key"] == key)
            if not answer.get("IsTruncated"):
                return
            marker = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer.get("NextUploadIdMarker", "")}


class _S3Writer(ObjectWriter):
    def __init__(self, sink: S3Sink, new: NewObject) -> None:
        self._sink = sink
        self._new = new
        self._lock = threading.Lock()
        self._upload: str | None = None
        self._etags: dict[int, str] = {}
        self._sizes: dict[int, int] = {}
        self._whole: PartBody | None = None

    def put_part(self, part: Part) -> None:
        """Send the part, or keep it when it is the whole object."""
        if part.last and part.number == 1 and self._new.hold_small:
            self._whole = part.body
            self._sizes[1] = len(part.body)
            return
        with self._lock:
            if self._upload is None:
                self._upload = self._sink.create_upload(self._new)
        etag = self._sink.upload_part(self._new.key, self._upload, part)
        with self._lock:
            self._etags[part.number] = etag
            self._sizes[part.number] = len(part.body)

    def complete(self, expected: ExpectedObject) -> WrittenObject:
        """Write the whole object, or complete the upload."""
        size = sum(self._sizes.values())
        if size != expected.size or sorted(self._sizes) != list(range(1, len(self._sizes) + 1)):
            raise IntegrityError(
                f"{self._sink.uri(self._new.key)}: {size} bytes in {len(self._sizes)} parts were sent, "
                f"{expected.size} bytes were expected. Nothing was published."
            )
        try:
            if self._whole is not None:
                written = self._sink.put_whole(self._new, self._whole, expected)
            elif self._upload is not None:
                answer = self._sink.complete_upload(self._new, self._upload, self._etags)
                written = self._sink.written(self._new, expected, answer)
            else:
                written = self._sink.put_whole(self._new, PartBody([]), expected)
        except StorageError as error:
            there = self._published_by_lost_answer(expected)
            if there is None:
                raise
            logger.info("The answer to the completion was lost, the object is there: %s", error)
            written = there
        self._whole = self._upload = None
        return written

    def abort(self) -> None:
        """Abort the upload, if one was opened."""
        self._whole = None
        upload, self._upload = self._upload, None
        if upload is not None:
            self._sink.abort_upload(self._new.key, upload)

    def _published_by_lost_answer(self, expected: ExpectedObject) -> WrittenObject | None:
        """Find out whether this very object is visible although its completion was answered with an error.

        A client that gets no answer sends the completion again, and is then told that there is no such upload, or that
        the object exists. The same export gives the same bytes, so its id and the size are enough.
        """
        try:
            there = self._sink.head(self._new.key)
        except StorageError:
            return None
        if there is None or there.size != expected.size or there.metadata is None:
            return None
        if EXPORT_ID not in self._new.metadata:
            return None
        if any(there.metadata.get(name.lower()) != value for name, value in self._new.metadata.items()):
            return None
        return WrittenObject(
            self._new.key,
            self._sink.uri(self._new.key),
            there.size,
            expected.crc32c,
            there.etag and there.etag.strip('"'),
            there.version_id,
        )


class _MissingError(StorageError):
    """There is no such object or upload."""


class _DeniedError(StorageError):
    """The identity lacks a permission."""


class _NotOfferedError(StorageError):
    """The store has no such call."""


_METHODS = {
    "HeadObject": "head_object",
    "GetObject": "get_object",
    "PutObject": "put_object",
    "DeleteObject": "delete_object",
    "ListObjectsV2": "list_objects_v2",
    "CreateMultipartUpload": "create_multipart_upload",
    "UploadPart": "upload_part",
    "CompleteMultipartUpload": "complete_multipart_upload",
    "AbortMultipartUpload": "abort_multipart_upload",
    "ListMultipartUploads": "list_multipart_uploads",
}


def _classified(error: BaseException, operation: str, bucket: str, key: str) -> StorageError:
    plain = storage_error(error, operation, bucket, key)
    code = error_code(error)
    if operation in {"HeadObject", "GetObject", "DeleteObject"} and is_missing(error):
        return _MissingError(str(plain))
    # rclone says so of a list of uploads that is empty.
    if operation in {"AbortMultipartUpload", "ListMultipartUploads"} and code == "NoSuchUpload":
        return _MissingError(str(plain))
    if code in {"NotImplemented", "MethodNotAllowed", "501", "405"}:
        return _NotOfferedError(str(plain))
    return _DeniedError(str(plain)) if type(plain) is StorageError and is_denied(error) else plain
