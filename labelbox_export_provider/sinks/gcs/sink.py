"""Google Cloud Storage, through a client that the caller builds (Airflow's `GCSHook.get_conn()`).

Objects of several parts are multipart uploads of the XML API, as in S3: parts go side by side, each with its CRC32C,
and what killed tries left is listed and aborted. They take no preconditions, so what must not overwrite is a resumable
upload instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelbox_export_provider.errors import StorageDeniedError, StorageError
from labelbox_export_provider.sinks.base import (
    ExpectedObject,
    NewObject,
    ObjectWriter,
    WrittenObject,
    check_relative_key,
)
from labelbox_export_provider.sinks.bucket_names import check_gcs_bucket
from labelbox_export_provider.sinks.bucket_sink import BucketSink
from labelbox_export_provider.sinks.gcs.arguments import MAX_PART_BYTES, MIN_PART_BYTES, parse
from labelbox_export_provider.sinks.gcs.calls import GCSCalls
from labelbox_export_provider.sinks.gcs.errors import changed_error
from labelbox_export_provider.sinks.gcs.writers import CreateOnlyWriter
from labelbox_export_provider.sinks.stored_upload import StoredUpload


class GCSSink(BucketSink[str]):
    """One bucket. `client` is a `google.cloud.storage.Client`, `sink_args` go to the calls that create objects.

    `user_project` pays for a bucket whose requester pays. A call that the service answers with "busy", or not at all,
    is repeated for `retry_timeout` seconds. `connection` is how errors name the connection with the client's settings.

    Sessions of objects that must not overwrite cannot be listed. See `CreateOnlyWriter` for why that is safe.
    """

    minimum_part_bytes = MIN_PART_BYTES
    maximum_part_bytes = MAX_PART_BYTES

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
        self._gcs = GCSCalls(client, bucket, parse(sink_args or {}), user_project, retry_timeout, connection=connection)
        super().__init__(self._gcs)

    def begin(self, new: NewObject) -> ObjectWriter:
        """Return a writer; it calls the store with the first part."""
        check_relative_key(new.key)
        return CreateOnlyWriter(self._gcs, new) if new.create_only else super().begin(new)

    def resume(self, new: NewObject, stored: StoredUpload, expected: ExpectedObject) -> ObjectWriter | None:
        """Return a writer for what another process has stored; None for an object that must not overwrite."""
        return None if new.create_only else super().resume(new, stored, expected)

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        """Write a small object with one request, over what is there unless `create_only` is set.

        Where that is not permitted, what an earlier try of the same export wrote is accepted: it differs in times only.
        """
        try:
            return super().put(new, content)
        except StorageDeniedError:
            there = self._gcs.own_object(new)
            if there is None:
                raise
            return there
        except StorageError as error:
            raise changed_error(error, create_only=new.create_only) from None
