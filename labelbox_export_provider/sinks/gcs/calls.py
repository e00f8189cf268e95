"""The calls of Google's client library that this package makes, with the extra arguments of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from labelbox_export_provider.errors import StorageError
from labelbox_export_provider.redaction import install_log_filter
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.base import (
    CRC32C,
    EXPORT_ID,
    ExpectedObject,
    ListedObject,
    NewObject,
    PartBody,
    StoredObject,
    check_relative_key,
)
from labelbox_export_provider.sinks.connection_names import GOOGLE_HOSTS, with_endpoint
from labelbox_export_provider.sinks.gcs.arguments import GCSArguments
from labelbox_export_provider.sinks.gcs.errors import bucket_is_missing, is_store_error, read_error, refusal_error
from labelbox_export_provider.sinks.gcs.session import UploadSession

Answer = TypeVar("Answer")


class GCSCalls:
    """One bucket through one client; every failure is one of this package's errors.

    It uses one private name of the client, `_http`: the HTTP session with the connection's credentials, over which the
    library itself makes all its calls.
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        arguments: GCSArguments,
        user_project: str | None,
        retry_timeout: float,
        *,
        connection: str,
    ) -> None:
        from google.cloud.storage.retry import DEFAULT_RETRY

        # The libraries log the addresses of upload sessions, which are secret, at DEBUG.
        install_log_filter()
        self._client = client
        self._name = bucket
        self._bucket = client.bucket(bucket, user_project=user_project)
        self._arguments = arguments
        endpoint = getattr(client, "api_endpoint", "")
        self._connection = with_endpoint(connection, endpoint, GOOGLE_HOSTS)
        self._retry = DEFAULT_RETRY.with_timeout(retry_timeout)

    def uri(self, key: str) -> str:
        """Return the `gs://` address."""
        return f"gs://{self._name}/{check_relative_key(key)}"

    def open_session(self, new: NewObject, generation: int | None) -> UploadSession:
        """Open a resumable upload that can only replace this generation; 0 is no object, None is any generation."""
        blob = self._new_blob(new, new.metadata)
        url = self._call(
            "create",
            new.key,
            lambda: blob.create_resumable_upload_session(
                content_type=new.content_type,
                client=self._client,
                checksum=None,
                predefined_acl=self._arguments.predefined_acl,
                if_generation_match=generation,
                retry=self._retry,
            ),
        )
        http = self._client._http  # noqa: SLF001  see the class
        return UploadSession(http, url, self._retry, self._name, new.key, connection=self._connection)

    def upload(
        self, new: NewObject, body: PartBody, expected: ExpectedObject, generation: int | None
    ) -> Mapping[str, Any]:
        """Write an object with one request; the server checks the checksum that is sent with it."""
        blob = self._new_blob(new, {**new.metadata, CRC32C: checksum.text(expected.crc32c)})
        blob.crc32c = checksum.base64_text(expected.crc32c)
        body.seek(0)
        self._call(
            "create",
            new.key,
            lambda: blob.upload_from_file(
                body,
                size=expected.size,
                content_type=new.content_type,
                client=self._client,
                # Set above; the library would compute it a second time.
                checksum=None,
                predefined_acl=self._arguments.predefined_acl,
                if_generation_match=generation,
                retry=self._retry,
                rewind=True,
            ),
        )
        return {"size": blob.size, "crc32c": blob.crc32c, "generation": blob.generation, "etag": blob.etag}

    def read(self, key: str, limit: int) -> bytes | None:
        """Return at most `limit` bytes of an object; None when there is none."""
        blob = self._bucket.blob(key)
        content: bytes | None = self._call(
            "get",
            key,
            lambda: blob.download_as_bytes(
                client=self._client, end=limit - 1, raw_download=True, checksum=None, retry=self._retry
            ),
            # An empty object has no first byte, so a range of it is refused.
            answers={404: None, 416: b""},
        )
        return content

    def head(self, key: str) -> StoredObject | None:
        """Return what the store knows of an object; None when there is none."""
        blob = self._bucket.blob(key)
        if not self._reload(blob):
            return None
        metadata = {name.lower(): value for name, value in (blob.metadata or {}).items()}
        return StoredObject(key, int(blob.size or 0), metadata, blob.etag, str(blob.generation))

    def head_of_same_export(self, new: NewObject) -> StoredObject | None:
        """Return the object that is there if it is of the same export and form; None also where reading it fails."""
        try:
            there = self.head(new.key)
        except StorageError:
            return None
        if there is None or there.metadata is None or EXPORT_ID not in new.metadata:
            return None
        same = all(there.metadata.get(name.lower()) == value for name, value in new.metadata.items())
        return there if same else None

    def crc32c(self, there: StoredObject) -> str | None:
        """Return the server's checksum (base64) of exactly this object; None when it is not there any more."""
        blob = self._bucket.blob(there.key, generation=int(there.version_id or 0))
        return str(blob.crc32c) if self._reload(blob) else None

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the objects whose keys start with `prefix`, page by page."""
        found = self._client.list_blobs(
            self._bucket, prefix=prefix or None, fields="items(name,size,etag,updated),nextPageToken", retry=self._retry
        )
        pages = found.pages
        while (page := self._call("list", prefix, lambda: next(pages, None))) is not None:
            for blob in page:
                yield ListedObject(blob.name, int(blob.size or 0), blob.etag, blob.updated)

    def delete(self, key: str, generation: int | None = None) -> None:
        """Remove an object, or exactly this generation of it; a missing one is not an error."""
        blob = self._bucket.blob(key, generation=generation)
        self._call("delete", key, lambda: blob.delete(client=self._client, retry=self._retry), answers={404: None})

    def _reload(self, blob: Any) -> bool:
        """Read what the store knows of an object; return whether there is one."""

        def reload() -> bool:
            blob.reload(client=self._client, retry=self._retry)
            return True

        return self._call("get", blob.name, reload, answers={404: False})

    def _new_blob(self, new: NewObject, metadata: Mapping[str, str]) -> Any:
        given = self._arguments
        blob = self._bucket.blob(new.key, kms_key_name=given.kms_key_name)
        blob.metadata = dict(metadata)
        for name in ("cache_control", "content_disposition", "content_language", "custom_time", "storage_class"):
            if (value := getattr(given, name)) is not None:
                setattr(blob, name, value)
        return blob

    def _call(
        self, operation: str, key: str, call: Callable[[], Answer], *, answers: Mapping[int, Answer] | None = None
    ) -> Answer:
        """Return what the call returns; `answers` maps statuses that are not failures to what is returned for them."""
        failure: StorageError
        try:
            return call()
        except Exception as error:
            if not is_store_error(error):
                raise
            refusal = read_error(error, operation, self._name, key, self._connection)
            if answers and refusal.status in answers and not bucket_is_missing(refusal):
                return answers[refusal.status]
            failure = refusal_error(refusal)
        # Raised outside of the handler, so that the library's own error, which may quote a request, is not chained.
        raise failure
