"""The calls of Google's client library that this package makes, with the extra arguments of each."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from labelbox_export_provider.errors import StorageDeniedError, StorageError
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.base import (
    CRC32C,
    ExpectedObject,
    ListedObject,
    NewObject,
    PartBody,
    StoredObject,
    WrittenObject,
    check_relative_key,
)
from labelbox_export_provider.sinks.gcs import lifecycle
from labelbox_export_provider.sinks.gcs.errors import bucket_is_missing, is_store_error, read_error, refusal_error
from labelbox_export_provider.sinks.gcs.xml_api import XmlApi
from labelbox_export_provider.sinks.refusals import wrong_size
from labelbox_export_provider.sinks.upload_rule import UploadRule

logger = logging.getLogger(__name__)

CHUNK_BYTES = 8 * 1024**2
"""What the client library sends of a stream at a time, and keeps until it is confirmed."""

Answer = TypeVar("Answer")


class GCSCalls(XmlApi):
    """One bucket through one client; every failure is one of this package's errors."""

    maximum_put_bytes = 8 * 1024**2
    """Up to this size the client library writes an object with one request."""

    def uri(self, key: str) -> str:
        """Return the `gs://` address."""
        return f"gs://{self._name}/{check_relative_key(key)}"

    # --- writing

    def put_object(self, new: NewObject, body: PartBody, expected: ExpectedObject) -> WrittenObject:
        """Write an object with one request; the server compares the checksum that is sent with it."""
        blob = self._new_blob(new, {**new.metadata, CRC32C: checksum.text(expected.crc32c)})
        blob.crc32c = checksum.base64_text(expected.crc32c)
        body.seek(0)
        # The checksum is set above; the library would compute it a second time.
        self._upload("create", new, blob, body, size=expected.size, checksum=None, rewind=True)
        return self.checked(new, expected, blob)

    def put_stream(self, new: NewObject, stream: io.RawIOBase) -> Any:
        """Write an object from a stream to its end, chunk by chunk, and return it for `checked`."""
        blob = self._new_blob(new, new.metadata)
        blob.chunk_size = CHUNK_BYTES
        try:
            self._upload("send", new, blob, stream, checksum="crc32c")
        except ValueError:
            # The library has no other word for bytes that the service did not keep.
            raise refusal_error(replace(self._called("send", new.key), answered=True, status=308)) from None
        return blob

    def complete_upload(
        self, new: NewObject, upload: str, etags: Mapping[int, str], expected: ExpectedObject
    ) -> WrittenObject:
        """Make the object of all parts, over what is there, and compare the checksum of what was made with ours.

        It is in the answer, or else read. Where it may not be read this does not fail: each part was compared.
        """
        headers = self._complete(new.key, upload, etags)
        crc32c = checksum.from_storage_headers([headers.get("x-goog-hash", "")]).get("crc32c")
        generation: str | None = headers.get("x-goog-generation")
        made = WrittenObject(new.key, self.uri(new.key), expected.size, expected.crc32c, None, generation)
        if crc32c == expected.crc32c.to_bytes(4, "big"):
            return made
        blob = self._bucket.blob(new.key, generation=int(generation) if generation else None)
        try:
            is_there = self._reload(blob)
        except StorageDeniedError as denied:
            logger.info("The checksum of %s was not compared: %s", made.uri, denied)
            is_there = False
        return self.checked(new, expected, blob) if is_there or crc32c is not None else made

    def checked(self, new: NewObject, expected: ExpectedObject, made: Any) -> WrittenObject:
        """Compare size and checksum of the server's object with ours; remove an object that differs."""
        uri, generation, crc32c = self.uri(new.key), made.generation, checksum.base64_text(expected.crc32c)
        if (int(made.size or 0), made.crc32c) == (expected.size, crc32c):
            return WrittenObject(new.key, uri, expected.size, expected.crc32c, made.etag, str(generation))
        both = f", with the CRC32C {made.crc32c} instead of {crc32c}"
        remove = lambda: self.delete_object(new.key, generation)  # noqa: E731  short
        raise wrong_size(uri, remove, found=int(made.size or 0), sent=expected.size, crc32c=both)

    def delete_object(self, key: str, generation: int | None = None) -> None:
        """Remove an object, or exactly this generation of it; a missing one is not an error."""
        blob = self._bucket.blob(key, generation=generation)
        self._call("delete", key, lambda: blob.delete(client=self._client, retry=self._retry), answers={404: None})

    # --- reading

    def get_object(self, key: str, limit: int) -> bytes | None:
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

    def head_object(self, key: str) -> StoredObject | None:
        """Return what the store knows of an object; None when there is none."""
        blob = self._bucket.blob(key)
        if not self._reload(blob):
            return None
        metadata = {name.lower(): value for name, value in (blob.metadata or {}).items()}
        crc32c = checksum.from_base64(str(blob.crc32c), 4)
        known = None if crc32c is None else int.from_bytes(crc32c, "big")
        return StoredObject(key, int(blob.size or 0), metadata, blob.etag, str(blob.generation), known)

    def list_objects(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the objects whose keys start with `prefix`, page by page."""
        found = self._client.list_blobs(
            self._bucket, prefix=prefix or None, fields="items(name,size,etag,updated),nextPageToken", retry=self._retry
        )
        pages = found.pages
        while (page := self._call("list", prefix, lambda: next(pages, None))) is not None:
            for blob in page:
                yield ListedObject(blob.name, int(blob.size or 0), blob.etag, blob.updated)

    def upload_rules(self, key: str) -> Iterator[UploadRule]:
        """Yield the bucket's lifecycle rules that remove unfinished multipart uploads under this key."""
        self._call("bucket", key, lambda: self._bucket.reload(client=self._client, retry=self._retry))
        return lifecycle.upload_rules(self._bucket.lifecycle_rules, key)

    # --- the library

    def _upload(self, operation: str, new: NewObject, blob: Any, stream: Any, **options: Any) -> None:
        options |= {"client": self._client, "retry": self._retry, "content_type": new.content_type}
        options |= {"predefined_acl": self._arguments.get("predefined_acl")}
        options |= {"if_generation_match": 0} if new.create_only else {}
        self._call(operation, new.key, lambda: blob.upload_from_file(stream, **options))

    def _new_blob(self, new: NewObject, metadata: Mapping[str, str]) -> Any:
        blob = self._bucket.blob(new.key, kms_key_name=self._arguments.get("kms_key_name"))
        blob.metadata = dict(metadata)
        for name in self._arguments.keys() - {"kms_key_name", "predefined_acl"}:
            setattr(blob, name, self._arguments[name])
        return blob

    def _reload(self, blob: Any) -> bool:
        """Read what the store knows of an object; return whether there is one."""

        def reload() -> bool:
            blob.reload(client=self._client, retry=self._retry)
            return True

        return self._call("get", blob.name, reload, answers={404: False})

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
            refusal = read_error(error, self._called(operation, key))
            if answers and refusal.status in answers and not bucket_is_missing(refusal):
                return answers[refusal.status]
            failure = refusal_error(refusal)
        # Raised outside of the handler, so that the library's own error, which may quote a request, is not chained.
        raise failure
