"""Stores opened with Airflow connections: the client of a hook, and the store behind an address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labelbox_export_provider.airflow_compat import AirflowException
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.windows_check.address import StoreAddress

AWS_CONN_ID, GCP_CONN_ID = "aws_default", "google_cloud_default"

_HOOK_ERRORS = (AirflowException, ValueError, TypeError, NotImplementedError, OSError, RuntimeError, LookupError)
"""What Airflow's hooks and the clients' own files raise about a wrong connection: they share no base class."""


def open_store(
    address: StoreAddress,
    *,
    aws_conn_id: str | None = AWS_CONN_ID,
    verify: str | bool | None = None,
    gcp_conn_id: str = GCP_CONN_ID,
    impersonation_chain: str | Sequence[str] | None = None,
    user_project: str | None = None,
) -> Sink:
    """Return the store of an address, with the connection of its kind; a directory has none.

    Fails with a `StorageError` that names what to fix in the connection.
    """
    if address.scheme == "file":
        from labelbox_export_provider.sinks.file import FileSink

        return FileSink(address.directory())
    try:
        if address.scheme == "s3":
            from labelbox_export_provider.sinks.s3.sink import S3Sink

            return S3Sink(s3_client(aws_conn_id, verify), address.root, connection=aws_connection(aws_conn_id))
        from labelbox_export_provider.sinks.gcs.sink import GCSSink

        return GCSSink(
            gcs_client(gcp_conn_id, impersonation_chain),
            address.root,
            user_project=user_project,
            connection=gcp_connection(gcp_conn_id),
        )
    except ImportError as error:
        extra = "amazon" if address.scheme == "s3" else "google"
        raise ConfigurationError(
            f"{address} needs the {extra} provider, which is not installed here: "
            f"pip install 'airflow-provider-labelbox-export[{extra}]'.",
            details=str(error),
        ) from None


def aws_connection(aws_conn_id: str | None) -> str:
    """Return what messages call an AWS connection."""
    named = repr(aws_conn_id) if aws_conn_id else "(aws_conn_id=None: boto3's own credentials)"
    return f"the AWS connection {named}"


def gcp_connection(gcp_conn_id: str) -> str:
    """Return what messages call a Google Cloud connection."""
    return f"the Google Cloud connection {gcp_conn_id!r}"


def s3_client(aws_conn_id: str | None, verify: str | bool | None = None) -> Any:
    """Build the client of `S3Hook`, which may assume a role; a failure names what to fix in the connection."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from labelbox_export_provider.sinks.s3.errors import connection_error, is_store_error

    try:
        return S3Hook(aws_conn_id=aws_conn_id, verify=verify).get_conn()
    except Exception as error:
        if not (is_store_error(error) or isinstance(error, _HOOK_ERRORS)):
            raise
        failure = connection_error(error, aws_conn_id)
    # Raised outside of the handler, so that the client's own error, which may quote a request, is not chained.
    raise failure


def gcs_client(gcp_conn_id: str, impersonation_chain: str | Sequence[str] | None = None) -> Any:
    """Build the client of `GCSHook`, which may ask for a token; a failure names what to fix in the connection."""
    from airflow.providers.google.cloud.hooks.gcs import GCSHook

    from labelbox_export_provider.sinks.gcs.errors import connection_error, is_store_error

    try:
        # The hook reads the connection when it is constructed.
        return GCSHook(gcp_conn_id=gcp_conn_id, impersonation_chain=impersonation_chain).get_conn()
    except Exception as error:
        if not (is_store_error(error) or isinstance(error, _HOOK_ERRORS)):
            raise
        failure = connection_error(error, gcp_conn_id)
    # Raised outside of the handler, so that the library's own error, which may quote a key, is not chained.
    raise failure
