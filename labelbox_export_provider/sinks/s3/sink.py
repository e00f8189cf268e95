"""S3 and stores that speak its protocol, through a client that the caller builds (Airflow's `S3Hook.get_conn()`).

Parts go by this package's own `upload_part` calls: the client library's transfer manager queues ten and more parts,
whatever its settings, and so has no bound in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import google_crc32c

from labelbox_export_provider.domain.options.object_keys import MAX_KEY_BYTES
from labelbox_export_provider.errors import (
    LabelboxExportError,
    StorageDeniedError,
    StorageUnsupportedError,
)
from labelbox_export_provider.sinks.base import (
    ExpectedObject,
    ListedObject,
    NewObject,
    ObjectWriter,
    PartBody,
    Sink,
    StoredObject,
    WrittenObject,
    check_relative_key,
)
from labelbox_export_provider.sinks.bucket_names import check_s3_bucket
from labelbox_export_provider.sinks.multipart import MultipartWriter, check_uploads
from labelbox_export_provider.sinks.s3.arguments import (
    MAX_PART_BYTES,
    MIN_PART_BYTES,
    SinkArguments,
)
from labelbox_export_provider.sinks.s3.bucket import S3Bucket
from labelbox_export_provider.sinks.s3.calls import S3Calls

logger = logging.getLogger(__name__)


class S3Sink(Sink):
    """One bucket. `client` is a boto3 S3 client, `sink_args` go to the calls that create objects.

    `connection` is how errors name the connection with the client's settings.

    Creation without overwriting uses `If-None-Match: *`, which AWS honours for both kinds of upload; stores that ignore
    the header overwrite. An object's CRC32C is in its metadata only when it was written in one go, since S3 takes
    metadata when an upload begins.
    """

    minimum_part_bytes = MIN_PART_BYTES
    maximum_part_bytes = MAX_PART_BYTES
    maximum_key_bytes = MAX_KEY_BYTES
    put_leaves_nothing = True
    more_connections = (
        "raise max_pool_connections: write "
        '{{"config_kwargs": {{"max_pool_connections": {count}}}}} in the extra of the AWS connection'
    )

    def __init__(
        self,
        client: Any,
        bucket: str,
        sink_args: Mapping[str, Any] | None = None,
        *,
        connection: str = "the AWS connection",
    ) -> None:
        check_s3_bucket("s3_bucket", bucket)
        self.connections = client.meta.config.max_pool_connections
        self._calls = S3Calls(S3Bucket(client, bucket, connection), SinkArguments.parse(sink_args or {}))

    def uri(self, key: str) -> str:
        """Return the `s3://` address."""
        return self._calls.uri(key)

    def check_writable(self, key: str) -> None:
        """Create a multipart upload, upload one byte and abort it.

        A part needs `kms:Decrypt` where the upload needs `kms:GenerateDataKey`.
        """
        check_relative_key(key)
        check_uploads(self._calls, key)

    def begin(self, new: NewObject) -> ObjectWriter:
        """Return a writer; it calls the store with the first part."""
        check_relative_key(new.key)
        return MultipartWriter(self._calls, new)

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        """Write a small object with one plain PUT."""
        check_relative_key(new.key)
        expected = ExpectedObject(len(content), google_crc32c.value(content))
        return self._calls.put_object(new, PartBody([content]), expected)

    def read(self, key: str, *, limit: int) -> bytes | None:
        """Return the start of an object; None when there is none, or when this identity may only write."""
        check_relative_key(key)
        try:
            return self._calls.get_object(key, limit)
        except StorageDeniedError as denied:
            logger.warning("%s It is treated as missing.", denied)
            return None

    def head(self, key: str) -> StoredObject | None:
        """Return what S3 knows of the object; None also for "denied".

        That is AWS's answer for a missing object where listing is not granted.
        """
        check_relative_key(key)
        try:
            return self._calls.head_object(key)
        except StorageDeniedError as denied:
            logger.warning("%s The object is treated as missing.", denied)
            return None

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the objects whose keys start with `prefix`."""
        return self._calls.list_objects(prefix)

    def delete(self, key: str) -> None:
        """Remove the object; where the bucket keeps versions, what was there stays as an older version."""
        check_relative_key(key)
        self._calls.delete_object(key)

    def remove_wrong(self, key: str, *, found: int, sent: int) -> LabelboxExportError:
        """Remove an object of another size, and name the connection's setting that may be the reason."""
        return self._calls.remove_wrong(key, found=found, sent=sent)

    def abort_open_uploads(self, prefix: str, *, exact: bool = False) -> int:
        """Abort the multipart uploads below a prefix; log a warning where listing them is not permitted."""
        check_relative_key(prefix.removesuffix("/"))
        aborted = 0
        try:
            for key, upload in self._calls.open_uploads(prefix):
                if key == prefix or not exact:
                    aborted += self._calls.abort_upload(key, upload)
        except (StorageDeniedError, StorageUnsupportedError) as error:
            logger.warning("%s Uploads that a killed try left open stay until a lifecycle rule removes them.", error)
        return aborted
