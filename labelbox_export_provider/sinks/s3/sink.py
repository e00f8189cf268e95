"""S3 and stores that speak its protocol, through a client that the caller builds (Airflow's `S3Hook.get_conn()`).

Parts go by this package's own `upload_part` calls: the client library's transfer manager queues ten and more parts,
whatever its settings, and so has no bound in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelbox_export_provider.errors import LabelboxExportError
from labelbox_export_provider.sinks.bucket_names import check_s3_bucket
from labelbox_export_provider.sinks.bucket_sink import BucketSink
from labelbox_export_provider.sinks.s3.arguments import MAX_PART_BYTES, MIN_PART_BYTES, check_literals
from labelbox_export_provider.sinks.s3.bucket import S3Bucket
from labelbox_export_provider.sinks.s3.calls import S3Calls, Upload


class S3Sink(BucketSink[Upload]):
    """One bucket. `client` is a boto3 S3 client, `sink_args` go to the calls that create objects.

    `connection` is how errors name the connection with the client's settings.

    Creation without overwriting uses `If-None-Match: *`, which AWS honours for both kinds of upload; stores that ignore
    the header overwrite. An object's CRC32C is in its metadata only when it was written in one go, since S3 takes
    metadata when an upload begins. The check before a landing needs what a landing needs: a part needs `kms:Decrypt`
    where its upload needs `kms:GenerateDataKey`.
    """

    minimum_part_bytes = MIN_PART_BYTES
    maximum_part_bytes = MAX_PART_BYTES
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
        check_literals(sink_args or {})
        calls = S3Calls(S3Bucket(client, bucket, connection), sink_args or {})
        self._remove_wrong = calls.remove_wrong
        super().__init__(calls)

    def remove_wrong(self, key: str, *, found: int, sent: int) -> LabelboxExportError:
        """Remove an object of another size, and name the connection's setting that may be the reason."""
        return self._remove_wrong(key, found=found, sent=sent)
