"""The calls of the S3 protocol that this package makes, with the extra arguments of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from labelbox_export_provider.errors import StorageError
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
from labelbox_export_provider.sinks.connection_names import AWS_HOSTS, with_endpoint
from labelbox_export_provider.sinks.s3.arguments import SinkArguments
from labelbox_export_provider.sinks.s3.body import UncopiedBody
from labelbox_export_provider.sinks.s3.errors import is_missing, is_store_error, read_refusal, refusal_error

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


class S3Calls:
    """One bucket through one client; every failure is one of this package's errors.

    The client protects bytes in transit with a CRC32 of each request's body, which the store checks. Over https it
    computes it while it sends, and leaves the body unsigned. Over plain http it would read the body once more, so there
    this package passes a checksum, which costs a fifteenth of that.
    """

    def __init__(self, client: Any, bucket: str, arguments: SinkArguments, connection: str) -> None:
        self._client = client
        self._bucket = bucket
        self._arguments = arguments
        self._connection = with_endpoint(connection, client.meta.endpoint_url, AWS_HOSTS)
        # A checksum that is passed over https would make the client sign the body, at three times its own CPU.
        self._passes_checksums = (
            str(client.meta.endpoint_url).startswith("http://")
            and client.meta.config.request_checksum_calculation == "when_supported"
        )

    def uri(self, key: str) -> str:
        """Return the `s3://` address."""
        return f"s3://{self._bucket}/{check_relative_key(key)}"

    def put_object(self, new: NewObject, body: PartBody, expected: ExpectedObject) -> WrittenObject:
        """Write an object with one plain PUT."""
        answer = self._call(
            "PutObject",
            new.key,
            Body=UncopiedBody.of(body),
            ContentType=new.content_type,
            Metadata={**new.metadata, CRC32C: checksum.text(expected.crc32c)},
            **_create_only(new),
            **self._arguments.create,
        )
        return self._written(new, expected, answer)

    def get_object(self, key: str, limit: int) -> bytes | None:
        """Return at most `limit` bytes of an object; None when there is none."""
        answer = self._call("GetObject", key, **self._arguments.bucket)
        if answer is None:
            return None
        body = answer["Body"]
        failure: StorageError
        try:
            return bytes(body.read(limit))
        except Exception as error:  # noqa: BLE001  botocore wraps whatever its HTTP library raises
            failure = refusal_error(read_refusal(error, "GetObject", self._bucket, key, self._connection))
        finally:
            body.close()
        raise failure

    def head_object(self, key: str) -> StoredObject | None:
        """Return what the store knows of an object; None when there is none."""
        answer = self._call("HeadObject", key, **self._arguments.bucket)
        if answer is None:
            return None
        return StoredObject(
            key,
            int(answer["ContentLength"]),
            {name.lower(): value for name, value in answer.get("Metadata", {}).items()},
            answer.get("ETag"),
            answer.get("VersionId"),
        )

    def list_objects(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the objects whose keys start with `prefix`, page by page."""
        more: dict[str, str] = {}
        while True:
            answer = self._call("ListObjectsV2", prefix, **more, **self._arguments.bucket)
            for found in answer.get("Contents", ()):
                etag = found.get("ETag")
                yield ListedObject(
                    found["Key"], int(found["Size"]), etag and etag.strip('"'), found.get("LastModified")
                )
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def delete_object(self, key: str) -> None:
        """Remove an object; a missing one is no error."""
        self._call("DeleteObject", key, **self._arguments.bucket)

    def create_upload(self, new: NewObject) -> str:
        """Create a multipart upload and return its id."""
        answer = self._call(
            "CreateMultipartUpload",
            new.key,
            ContentType=new.content_type,
            Metadata=dict(new.metadata),
            **self._arguments.create,
        )
        return str(answer["UploadId"])

    def upload_part(self, key: str, upload: str, part: Part) -> str:
        """Upload one part and return its ETag."""
        body = UncopiedBody.of(part.body)
        answer = self._call(
            "UploadPart",
            key,
            UploadId=upload,
            PartNumber=part.number,
            Body=body,
            **({"ChecksumCRC32": body.crc32()} if self._passes_checksums else {}),
            **self._arguments.bucket,
        )
        return str(answer["ETag"])

    def complete_upload(
        self, new: NewObject, upload: str, etags: Mapping[int, str], expected: ExpectedObject
    ) -> WrittenObject:
        """Complete a multipart upload. A store that supports `MpuObjectSize` refuses an object of another size."""
        parts = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
        answer: Mapping[str, Any] = self._call(
            "CompleteMultipartUpload",
            new.key,
            UploadId=upload,
            MultipartUpload={"Parts": parts},
            MpuObjectSize=expected.size,
            **_create_only(new),
            **self._arguments.bucket,
        )
        return self._written(new, expected, answer)

    def abort_upload(self, key: str, upload: str) -> bool:
        """Abort a multipart upload with all its parts; return whether there was one."""
        return self._call("AbortMultipartUpload", key, UploadId=upload, **self._arguments.bucket) is not None

    def open_uploads(self, prefix: str) -> list[tuple[str, str]]:
        """Return key and id of the multipart uploads whose keys start with `prefix`."""
        found: list[tuple[str, str]] = []
        marker: dict[str, str] = {}
        while True:
            answer = self._call("ListMultipartUploads", prefix, **marker, **self._arguments.bucket)
            if answer is None:
                return found
            # Some stores list more than was asked for.
            every = ((upload["Key"], upload["UploadId"]) for upload in answer.get("Uploads", ()))
            found += (each for each in every if each[0].startswith(prefix))
            if not answer.get("IsTruncated"):
                return found
            marker = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer.get("NextUploadIdMarker", "")}

    def _written(self, new: NewObject, expected: ExpectedObject, answer: Mapping[str, Any]) -> WrittenObject:
        etag = answer.get("ETag")
        return WrittenObject(
            new.key,
            self.uri(new.key),
            expected.size,
            expected.crc32c,
            etag and etag.strip('"'),
            answer.get("VersionId"),
        )

    def _call(self, operation: str, key: str, **arguments: Any) -> Any:
        """Return the client's answer; None where there is no such object or upload."""
        method: Callable[..., Any] = getattr(self._client, _METHODS[operation])
        target = {"Prefix": key} if operation.startswith("List") else {"Key": key}
        failure: StorageError
        try:
            return method(Bucket=self._bucket, **target, **arguments)
        except Exception as error:
            if not is_store_error(error):
                raise
            refusal = read_refusal(error, operation, self._bucket, key, self._connection)
            if is_missing(refusal):
                return None
            failure = refusal_error(refusal)
        # Raised outside of the handler, so that the client's own error, which may quote a request, is not chained.
        raise failure


def _create_only(new: NewObject) -> dict[str, str]:
    return {"IfNoneMatch": "*"} if new.create_only else {}
