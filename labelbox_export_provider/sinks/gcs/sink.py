"""Google Cloud Storage, through a client that the caller builds (Airflow's `GCSHook.get_conn()`).

Objects of several parts are multipart uploads of the XML API, as in S3: parts go side by side, each with its CRC32C,
and what killed tries left is listed and aborted. They take no preconditions, so what must not overwrite is a resumable
upload instead.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import google_crc32c

from labelbox_export_provider.domain.options.object_keys import MAX_KEY_BYTES
from labelbox_export_provider.errors import StorageDeniedError, StorageError, StorageUnsupportedError
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
from labelbox_export_provider.sinks.bucket_names import check_gcs_bucket
from labelbox_export_provider.sinks.gcs.arguments import MAX_PART_BYTES, MIN_PART_BYTES, GCSArguments
from labelbox_export_provider.sinks.gcs.calls import GCSCalls
from labelbox_export_provider.sinks.gcs.errors import changed_error
from labelbox_export_provider.sinks.gcs.writers import CreateOnlyWriter
from labelbox_export_provider.sinks.multipart import MultipartWriter, check_uploads

logger = logging.getLogger(__name__)


class GCSSink(Sink):
    """One bucket. `client` is a `google.cloud.storage.Client`, `sink_args` go to the calls that create objects.

    `user_project` pays for a bucket whose requester pays. A call that the service answers with "busy", or not at all,
    is repeated for `retry_timeout` seconds. `connection` is how errors name the connection with the client's settings.
    """

    minimum_part_bytes = MIN_PART_BYTES
    maximum_part_bytes = MAX_PART_BYTES
    maximum_key_bytes = MAX_KEY_BYTES
    put_leaves_nothing = True

    def __init__(
        self,
        client: Any,
        bucket: str,
        sink_args: Mapping[str, Any] | None = None,
        *,
        user_project: str | None = None,
        retry_timeout: float = 300.0,
        connection: str = "the Google Cloud connection",
    ) -> None:
        check_gcs_bucket("bucket_name", bucket)
        arguments = GCSArguments.parse(sink_args or {})
        self._calls = GCSCalls(client, bucket, arguments, user_project, retry_timeout, connection=connection)

    def uri(self, key: str) -> str:
        """Return the `gs://` address."""
        return self._calls.uri(key)

    def check_writable(self, key: str) -> None:
        """Create a multipart upload, upload one byte and abort it; that needs no right to overwrite an object."""
        check_relative_key(key)
        check_uploads(self._calls, key)

    def begin(self, new: NewObject) -> ObjectWriter:
        """Return a writer; it calls the store with the first part."""
        check_relative_key(new.key)
        return CreateOnlyWriter(self._calls, new) if new.create_only else MultipartWriter(self._calls, new)

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        """Write a small object with one request, over what is there unless `create_only` is set.

        Where that is not permitted, what an earlier try of the same export wrote is accepted: it differs in times only.
        """
        check_relative_key(new.key)
        expected = ExpectedObject(len(content), google_crc32c.value(content))
        try:
            return self._calls.put_object(new, PartBody([content]), expected)
        except StorageDeniedError:
            there = self._calls.own_object(new)
            if there is None:
                raise
            return there
        except StorageError as error:
            raise changed_error(error, create_only=new.create_only) from None

    def read(self, key: str, *, limit: int) -> bytes | None:
        """Return the start of an object; None when there is none, or when this identity may only write."""
        check_relative_key(key)
        try:
            return self._calls.read(key, limit)
        except StorageDeniedError as denied:
            logger.warning("%s It is treated as missing.", denied)
            return None

    def head(self, key: str) -> StoredObject | None:
        """Return what GCS knows of the object; None also where reading it is not permitted."""
        check_relative_key(key)
        try:
            return self._calls.head(key)
        except StorageDeniedError as denied:
            logger.warning("%s The object is treated as missing.", denied)
            return None

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the objects whose keys start with `prefix`."""
        return self._calls.list(prefix)

    def delete(self, key: str) -> None:
        """Remove the object; where the bucket keeps versions, or deletes softly, it can be restored."""
        check_relative_key(key)
        self._calls.delete(key)

    def abort_open_uploads(self, prefix: str, *, exact: bool = False) -> int:
        """Abort the multipart uploads of all keys with this prefix; log a warning where listing them is not permitted.

        Sessions of objects that must not overwrite cannot be listed. See `CreateOnlyWriter` for why that is safe.
        """
        check_relative_key(prefix.removesuffix("/"))
        aborted = 0
        try:
            for key, upload in [*self._calls.open_uploads(prefix)]:
                if key == prefix or not exact:
                    aborted += self._calls.abort_upload(key, upload)
        except (StorageDeniedError, StorageUnsupportedError) as error:
            logger.warning("%s Uploads that a killed try left open stay until a lifecycle rule removes them.", error)
        return aborted
