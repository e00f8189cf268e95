"""Land an export in Google Cloud Storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from labelbox_export_provider.domain.options.object_keys import check_key_text, check_no_address, check_prefix
from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.execution.extras import require_extra
from labelbox_export_provider.execution.options import came_by_default, written_first
from labelbox_export_provider.execution.stores import gcp_connection, gcs_client
from labelbox_export_provider.links.consoles import GoogleConsole
from labelbox_export_provider.sinks.bucket_names import check_gcs_bucket
from labelbox_export_provider.sinks.gcs.arguments import MAX_PART_BYTES, MIN_PART_BYTES, check_literals
from labelbox_export_provider.streaming.pipeline.memory_plan import check_part_bytes
from labelbox_export_provider.transfers.base import LabelboxExportTransferOperator

if TYPE_CHECKING:
    from labelbox_export_provider.sinks.base import Sink


class LabelboxExportToGCSOperator(LabelboxExportTransferOperator):
    """Lands an export in Google Cloud Storage through the client of Airflow's `GCSHook`.

    Key files, workload identity, impersonation and quota projects of the Google Cloud connection apply as they do
    everywhere in Airflow. Needs the `google` extra of this package.

    :param bucket_name: the bucket; leave it out where `object_name` is a full `gs://` address.
    :param object_prefix: where the layout is put; "/" for the bucket's root. Either this or `object_name`.
    :param object_name: one explicit object instead; may hold fields such as `{window_start:%Y-%m-%d}` or `{export_id}`.
    :param gcp_conn_id: the Google Cloud connection.
    :param impersonation_chain: service account to act as, or accounts that lead to it, as in Airflow's own operators.
    :param user_project: the project that pays, for a bucket whose requester pays.
    :param sink_args: `storage_class`, `kms_key_name`, `predefined_acl`, `custom_time`, `cache_control`,
        `content_disposition`, `content_language`.
    """

    target_options: ClassVar[tuple[str, str]] = ("object_prefix", "object_name")
    template_fields: Sequence[str] = (
        *LabelboxExportTransferOperator.template_fields,
        "bucket_name",
        "object_prefix",
        "object_name",
        "gcp_conn_id",
        "impersonation_chain",
        "user_project",
        "sink_args",
    )
    not_text: ClassVar[frozenset[str]] = LabelboxExportTransferOperator.not_text | {"impersonation_chain"}

    def __init__(
        self,
        *,
        bucket_name: str | None = None,
        object_prefix: str | None = None,
        object_name: str | None = None,
        gcp_conn_id: str = "google_cloud_default",
        impersonation_chain: str | Sequence[str] | None = None,
        user_project: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_extra(
            type(self).__name__,
            module="airflow.providers.google",
            extra="google",
            provider="apache-airflow-providers-google",
        )
        by_default = came_by_default(
            kwargs, bucket_name=bucket_name, object_prefix=object_prefix, object_name=object_name
        )
        self.bucket_name = bucket_name
        self._bucket_by_default = "bucket_name" in by_default
        self.object_prefix: str | None
        self.object_name: str | None
        self.object_prefix, self.object_name = written_first(
            by_default, object_prefix=object_prefix, object_name=object_name
        )
        self.gcp_conn_id = gcp_conn_id
        self.impersonation_chain = impersonation_chain
        self.user_project = user_project

    def _check_options(self) -> None:
        super()._check_options()
        check_part_bytes(self.landing.part_bytes, MIN_PART_BYTES, MAX_PART_BYTES)
        if not is_template(self.object_prefix):
            self._checked_prefix()
        if not is_template(self.bucket_name) and not is_template(self.object_name):
            self._bucket_and_name()
        elif self.bucket_name is not None and not is_template(self.bucket_name):
            check_gcs_bucket("bucket_name", self.bucket_name)
        elif self.object_name is not None and not is_template(self.object_name):
            _check_key(self.object_name)
        # Templates are filled in values alone, so the names are final, unless the whole is one template.
        if isinstance(self.sink_args, Mapping):
            check_literals(self.sink_args)

    def _checked_prefix(self) -> str | None:
        if self.object_prefix is not None:
            advice = "write bucket_name='{bucket}' and object_prefix='{rest}'"
            check_no_address("object_prefix", self.object_prefix, advice)
            check_prefix("object_prefix", self.object_prefix)
        return self.object_prefix

    def _bucket_and_name(self) -> tuple[str, str | None]:
        """Take apart a full address; bucket and name must not contradict each other."""
        bucket, name = self.bucket_name, self.object_name
        option = "bucket_name"
        if name is not None and name.startswith("gs://"):
            option = "The bucket of object_name"
            if bucket is not None and not self._bucket_by_default:
                raise ConfigurationError(
                    f"object_name={name!r} is a full address, so bucket_name={bucket!r} must not be given. Leave one "
                    "of the two out."
                )
            bucket, _, name = name.removeprefix("gs://").partition("/")
        if not bucket:
            raise ConfigurationError(
                "bucket_name= is needed: the name of a bucket, or a full gs:// address in object_name=."
            )
        if name is not None and not name.strip("/"):
            raise ConfigurationError(f"object_name={self.object_name!r} names no object.")
        check_gcs_bucket(option, bucket)
        if name is not None:
            _check_key(name)
        return bucket, name

    def _target(self) -> tuple[str | None, str | None]:
        return self._checked_prefix(), self._bucket_and_name()[1]

    def _open_sink(self) -> Sink:
        from labelbox_export_provider.sinks.gcs.sink import GCSSink

        if not isinstance(self.sink_args, Mapping):
            raise ConfigurationError(f"sink_args must be a mapping, not {type(self.sink_args).__name__}.")
        client = gcs_client(self.gcp_conn_id, self.impersonation_chain)
        self.console = GoogleConsole.of(client)
        return GCSSink(
            client,
            self._bucket_and_name()[0],
            self.sink_args,
            user_project=self.user_project or None,
            connection=gcp_connection(self.gcp_conn_id),
        )


def _check_key(key: str) -> None:
    check_no_address("object_name", key, "only a gs:// address can be given here")
    check_key_text("object_name", key)
