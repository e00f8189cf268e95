"""The store behind an address, opened with the cloud's own credentials of this shell; needs no Airflow."""

from __future__ import annotations

from labelbox_export_provider.errors import ConfigurationError, StorageError
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.windows_check.address import StoreAddress


def open_store(address: StoreAddress) -> Sink:
    """Return the store; fails with a `StorageError` where there are no credentials."""
    if address.scheme == "file":
        from labelbox_export_provider.sinks.file import FileSink

        return FileSink(address.directory())
    return _s3(address.root) if address.scheme == "s3" else _gcs(address.root)


def _s3(bucket: str) -> Sink:
    try:
        import boto3
    except ImportError:
        raise ConfigurationError("An s3:// address needs boto3: pip install boto3.") from None

    from labelbox_export_provider.sinks.s3.errors import connection_error, is_store_error
    from labelbox_export_provider.sinks.s3.sink import S3Sink

    try:
        client = boto3.client("s3")
    except Exception as error:
        if not (is_store_error(error) or isinstance(error, ValueError)):
            raise
        failure = connection_error(error, None)
    else:
        return S3Sink(client, bucket, connection="boto3's own chain of credentials")
    # Raised outside of the handler, so that the client's own error, which may quote a request, is not chained.
    raise failure


def _gcs(bucket: str) -> Sink:
    try:
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage
    except ImportError:
        raise ConfigurationError(
            "A gs:// address needs google-cloud-storage: pip install google-cloud-storage."
        ) from None

    from labelbox_export_provider.sinks.gcs.sink import GCSSink

    try:
        client = storage.Client()
    except (GoogleAuthError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
    else:
        return GCSSink(client, bucket, retry_timeout=30.0, connection="Google's default credentials")
    raise StorageError(
        "Google's default credentials do not work here. Run `gcloud auth application-default login`, or set "
        "GOOGLE_APPLICATION_CREDENTIALS to a key file, then ask again.",
        details=reason,
    )
