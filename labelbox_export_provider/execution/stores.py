"""The store behind an address, opened with an Airflow connection."""

from __future__ import annotations

from typing import Any

from labelbox_export_provider.airflow_compat import AirflowException
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.windows_check.address import StoreAddress

_HOOK_ERRORS = (AirflowException, ValueError, TypeError, NotImplementedError, OSError, RuntimeError, LookupError)


def open_store(address: StoreAddress, conn_id: str | None = None) -> Sink:
    """Return the store of an address; `conn_id` is an AWS or Google Cloud connection, by default Airflow's own.

    Fails with a `StorageError` that names what to fix in the connection. A directory takes no connection.
    """
    if address.scheme == "file":
        from labelbox_export_provider.sinks.file import FileSink

        if conn_id is not None:
            raise ConfigurationError(f"{address} is a directory, which takes no connection: leave out {conn_id!r}.")
        return FileSink(address.directory())
    try:
        return _s3(address.root, conn_id) if address.scheme == "s3" else _gcs(address.root, conn_id)
    except ImportError as error:
        extra = "amazon" if address.scheme == "s3" else "google"
        raise ConfigurationError(
            f"{address} needs the {extra} provider, which is not installed here: "
            f"pip install 'airflow-provider-labelbox-export[{extra}]'.",
            details=str(error),
        ) from None


def _s3(bucket: str, conn_id: str | None) -> Sink:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from labelbox_export_provider.sinks.s3.errors import connection_error, is_store_error
    from labelbox_export_provider.sinks.s3.sink import S3Sink

    name = conn_id or S3Hook.default_conn_name
    try:
        client: Any = S3Hook(aws_conn_id=name).get_conn()
    except Exception as error:
        if not (is_store_error(error) or isinstance(error, _HOOK_ERRORS)):
            raise
        failure = connection_error(error, name)
    else:
        return S3Sink(client, bucket, connection=f"the AWS connection {name!r}")
    # Raised outside of the handler, so that the client's own error, which may quote a request, is not chained.
    raise failure


def _gcs(bucket: str, conn_id: str | None) -> Sink:
    from airflow.providers.google.cloud.hooks.gcs import GCSHook

    from labelbox_export_provider.sinks.gcs.errors import connection_error, is_store_error
    from labelbox_export_provider.sinks.gcs.sink import GCSSink

    name = conn_id or GCSHook.default_conn_name
    try:
        client: Any = GCSHook(gcp_conn_id=name).get_conn()
    except Exception as error:
        if not (is_store_error(error) or isinstance(error, _HOOK_ERRORS)):
            raise
        failure = connection_error(error, name)
    else:
        return GCSSink(client, bucket, connection=f"the Google Cloud connection {name!r}")
    raise failure
