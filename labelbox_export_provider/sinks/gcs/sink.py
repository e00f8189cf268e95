"""Google Cloud Storage, through a client that the caller builds (Airflow's `GCSHook.get_conn()`).

An object is a resumable upload, which is sent from the buffers that its bytes are in; an object that is held in memory
is one request. Every completion carries the generation that was there when the object was begun, so that of two writers
of a name the later one is refused, and the CRC32C of the whole, so that GCS itself refuses other bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import google_crc32c

from labelbox_export_provider.domain.options.object_keys import MAX_KEY_BYTES
from labelbox_export_provider.errors import ObjectChangedError, StorageDeniedError, StorageError
from labelbox_export_provider.sinks.base import (
    NDJSON,
    ExpectedObject,
    ListedObject,
    NewObject,
    ObjectWriter,
    PartBody,
    Sink,
    StoredObject,
    WrittenObject,
    check_relative_key,
    check_relative_prefix,
)
from labelbox_export_provider.sinks.bucket_names import check_gcs_bucket
from labelbox_export_provider.sinks.gcs.arguments import MAX_PART_BYTES, QUANTUM, GCSArguments
from labelbox_export_provider.sinks.gcs.calls import GCSCalls
from labelbox_export_provider.sinks.gcs.errors import changed_error
from labelbox_export_provider.sinks.gcs.writer import GCSWriter

logger = logging.getLogger(__name__)


class GCSSink(Sink):
    """One bucket. `client` is a `google.cloud.storage.Client`, `sink_args` go to the calls that create objects.

    `user_project` pays for a bucket whose requester pays. A call that the service answers with "busy", or not at all,
    is repeated for `retry_timeout` seconds. `connection` is how errors name the connection with the client's settings.

    GCS cannot list the resumable uploads that a killed try left. They are not visible, cost nothing and expire after a
    week. A try that still runs fails at its completion once a later one has published under the same name; until then
    it may still publish, and with other options also under names that the later one does not use.
    """

    minimum_part_bytes = QUANTUM
    maximum_part_bytes = MAX_PART_BYTES
    maximum_parts = 1_000_000
    """Requests of one session; GCS documents no limit."""
    parts_at_once = 1
    kept_bytes = QUANTUM
    maximum_key_bytes = MAX_KEY_BYTES

    def __init__(
        self,
        client: Any,
        bucket: str,
        sink_args: Mapping[str, Any] | None = None,
        *,
        user_project: str | None = None,
        retry_timeout: float = 120.0,
        connection: str = "the Google Cloud connection",
    ) -> None:
        check_gcs_bucket("bucket_name", bucket)
        arguments = GCSArguments.parse(sink_args or {})
        self._calls = GCSCalls(client, bucket, arguments, user_project, retry_timeout, connection=connection)

    def uri(self, key: str) -> str:
        """Return the `gs://` address."""
        return self._calls.uri(key)

    def check_writable(self, key: str) -> None:
        """Open a resumable upload and cancel it. Where the key exists and may not be overwritten, nothing is checked.

        The service refuses to open an upload there, and a retry that finds its own object must not fail because of it.
        """
        check_relative_key(key)
        try:
            session = self._calls.open_session(NewObject(key, NDJSON), None)
        except StorageDeniedError:
            if self.head(key) is None:
                raise
            logger.info("%s is there already and may not be overwritten.", self._calls.uri(key))
            return
        try:
            session.cancel()
        except StorageError as error:
            logger.info("The upload that checked whether %s can be written was not cancelled: %s", key, error)

    def begin(self, new: NewObject) -> ObjectWriter:
        """Return a writer that may replace only the generation of the object that is there now."""
        check_relative_key(new.key)
        return GCSWriter(self._calls, new, 0 if new.create_only else self._generation(new.key))

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        """Write a small object with one request, over what is there unless `create_only` is set.

        Where that is not permitted, what an earlier try of the same export wrote is accepted: it differs in times only.
        """
        check_relative_key(new.key)
        expected, uri = ExpectedObject(len(content), google_crc32c.value(content)), self._calls.uri(new.key)
        try:
            made = self._calls.upload(new, PartBody([content]), expected, 0 if new.create_only else None)
        except ObjectChangedError as refused:
            raise changed_error(refused, create_only=new.create_only) from None
        except StorageDeniedError:
            there = self._calls.head_of_same_export(new)
            if there is None:
                raise
            logger.info("%s is there already, written by an earlier try, and may not be overwritten.", uri)
            return WrittenObject(new.key, uri, there.size, expected.crc32c, there.etag, there.version_id)
        return WrittenObject(new.key, uri, expected.size, expected.crc32c, made["etag"], str(made["generation"]))

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

    def abort_open_uploads(self, prefix: str, *, exact: bool = False) -> int:  # noqa: ARG002  the contract's signature
        """Do nothing and return 0: GCS cannot list open uploads. See the class for why that is safe."""
        check_relative_prefix(prefix)
        return 0

    def _generation(self, key: str) -> int:
        there = self.head(key)
        return 0 if there is None else int(there.version_id or 0)
