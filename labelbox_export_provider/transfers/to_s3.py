"""Land an export in S3, or in a store that speaks its protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from labelbox_export_provider.domain.options.object_keys import check_key_text, check_no_address, check_prefix
from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.execution.extras import require_extra
from labelbox_export_provider.execution.options import came_by_default, written_first
from labelbox_export_provider.execution.stores import aws_connection, s3_client
from labelbox_export_provider.links.consoles import S3Console
from labelbox_export_provider.sinks.bucket_names import check_s3_bucket
from labelbox_export_provider.sinks.s3.arguments import (
    MAX_PART_BYTES,
    MIN_PART_BYTES,
    check_literals,
)
from labelbox_export_provider.streaming.pipeline.memory_plan import check_part_bytes
from labelbox_export_provider.transfers.base import LabelboxExportTransferOperator

if TYPE_CHECKING:
    from labelbox_export_provider.sinks.base import Sink


class LabelboxExportToS3Operator(LabelboxExportTransferOperator):
    """Lands an export in S3 through the client of Airflow's `S3Hook`.

    Roles, endpoints, proxies and `config_kwargs` of the AWS connection apply as they do everywhere in Airflow. Needs
    the `amazon` extra of this package.

    :param s3_bucket: the bucket; leave it out where `s3_key` is a full `s3://` address.
    :param s3_prefix: where the layout is put; "/" for the bucket's root. Either this or `s3_key`.
    :param s3_key: one explicit object instead; may hold fields such as `{window_start:%Y-%m-%d}` or `{export_id}`.
    :param aws_conn_id: the AWS connection; None for boto3's own chain of credentials.
    :param verify: False, or the path of a CA bundle, as in `S3Hook`; that of the connection by default.
    :param sink_args: `ServerSideEncryption`, `SSEKMSKeyId`, `ACL`, `StorageClass`, `Tagging`, `ExpectedBucketOwner`.
    """

    target_options: ClassVar[tuple[str, str]] = ("s3_prefix", "s3_key")
    template_fields: Sequence[str] = (
        *LabelboxExportTransferOperator.template_fields,
        "s3_bucket",
        "s3_prefix",
        "s3_key",
        "aws_conn_id",
        "sink_args",
    )

    def __init__(
        self,
        *,
        s3_bucket: str | None = None,
        s3_prefix: str | None = None,
        s3_key: str | None = None,
        aws_conn_id: str | None = "aws_default",
        verify: str | bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_extra(
            type(self).__name__,
            module="airflow.providers.amazon",
            extra="amazon",
            provider="apache-airflow-providers-amazon",
        )
        target = {"s3_prefix": s3_prefix, "s3_key": s3_key}
        by_default = came_by_default(kwargs, s3_bucket=s3_bucket, **target)
        self.s3_bucket = s3_bucket
        self._bucket_by_default = "s3_bucket" in by_default
        self.s3_prefix: str | None
        self.s3_key: str | None
        self.s3_prefix, self.s3_key = written_first(by_default, **target)
        self.aws_conn_id = aws_conn_id
        self.verify = verify

    def _check_options(self) -> None:
        super()._check_options()
        check_part_bytes(self.landing.part_bytes, MIN_PART_BYTES, MAX_PART_BYTES)
        if not is_template(self.s3_prefix):
            self._checked_prefix()
        if not is_template(self.s3_bucket) and not is_template(self.s3_key):
            self._bucket_and_key()
        elif self.s3_bucket is not None and not is_template(self.s3_bucket):
            check_s3_bucket("s3_bucket", self.s3_bucket)
        elif self.s3_key is not None and not is_template(self.s3_key):
            _check_key(self.s3_key)
        # Templates are filled in values alone, so the names are final, unless the whole is one template.
        if isinstance(self.sink_args, Mapping):
            check_literals(self.sink_args)

    def _checked_prefix(self) -> str | None:
        if self.s3_prefix is not None:
            check_no_address("s3_prefix", self.s3_prefix, "write s3_bucket='{bucket}' and s3_prefix='{rest}'")
            check_prefix("s3_prefix", self.s3_prefix)
        return self.s3_prefix

    def _bucket_and_key(self) -> tuple[str, str | None]:
        """Take apart a full address; bucket and key must not contradict each other."""
        bucket, key = self.s3_bucket, self.s3_key
        option = "s3_bucket"
        if key is not None and key.startswith("s3://"):
            option = "The bucket of s3_key"
            if bucket is not None and not self._bucket_by_default:
                raise ConfigurationError(
                    f"s3_key={key!r} is a full address, so s3_bucket={bucket!r} must not be given, as in Airflow's own "
                    "operators."
                )
            bucket, _, key = key.removeprefix("s3://").partition("/")
        if not bucket:
            raise ConfigurationError("s3_bucket= is needed: the name of a bucket, or a full s3:// address in s3_key=.")
        if key is not None and not key.strip("/"):
            raise ConfigurationError(f"s3_key={self.s3_key!r} names no object.")
        check_s3_bucket(option, bucket)
        if key is not None:
            _check_key(key)
        return bucket, key

    def _target(self) -> tuple[str | None, str | None]:
        return self._checked_prefix(), self._bucket_and_key()[1]

    def _open_sink(self) -> Sink:
        from labelbox_export_provider.sinks.s3.sink import S3Sink

        if not isinstance(self.sink_args, Mapping):
            raise ConfigurationError(f"sink_args must be a mapping, not {type(self.sink_args).__name__}.")
        bucket = self._bucket_and_key()[0]
        client = s3_client(self.aws_conn_id, self.verify)
        self.console = S3Console.of(client)
        return S3Sink(client, bucket, self.sink_args, connection=aws_connection(self.aws_conn_id))


def _check_key(key: str) -> None:
    check_no_address("s3_key", key, "only an s3:// address can be given here")
    check_key_text("s3_key", key)
