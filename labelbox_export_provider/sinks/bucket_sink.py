"""What stores with buckets and multipart uploads have in common, over the calls of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import google_crc32c

from labelbox_export_provider.domain.options.object_keys import MAX_KEY_BYTES
from labelbox_export_provider.errors import StorageDeniedError, StorageError, StorageUnsupportedError
from labelbox_export_provider.sinks.base import (
    NDJSON,
    ExpectedObject,
    ListedObject,
    NewObject,
    ObjectWriter,
    Part,
    PartBody,
    Sink,
    StoredObject,
    WrittenObject,
    check_relative_key,
)
from labelbox_export_provider.sinks.multipart import BucketCalls, MultipartWriter, UploadT
from labelbox_export_provider.sinks.part_account import crc32c_of
from labelbox_export_provider.sinks.stored_upload import StoredUpload
from labelbox_export_provider.sinks.stored_writer import StoredWriter
from labelbox_export_provider.sinks.upload_rule import UploadRule

logger = logging.getLogger(__name__)

T = TypeVar("T")


class BucketSink(Sink, Generic[UploadT]):
    """One bucket. An identity that may only write can land: what it cannot read is treated as missing."""

    maximum_key_bytes = MAX_KEY_BYTES
    put_leaves_nothing = True
    resumes = True

    def __init__(self, calls: BucketCalls[UploadT]) -> None:
        self._calls = calls
        self._warned = False

    def uri(self, key: str) -> str:
        """Return the address, in the scheme of the store."""
        return self._calls.uri(key)

    def check_writable(self, key: str) -> None:
        """Create a multipart upload, upload one byte and abort it, which needs exactly the permissions of a landing.

        It makes no object, and nothing that a retention rule keeps, and shows whether the store takes checksums. A
        store without multipart uploads is logged: it can take small objects.
        """
        check_relative_key(key)
        try:
            upload = self._calls.create_upload(NewObject(key, NDJSON))
        except StorageUnsupportedError as error:
            logger.warning("%s Only objects of one part can be written.", error)
            return
        part = Part(1, 0, PartBody([b"\n"]), last=True)
        try:
            self._calls.upload_part(key, upload, part, crc32c_of(part))
        finally:
            try:
                self._calls.abort_upload(key, upload)
            except StorageError as error:
                logger.warning("%s The upload of this check stays until a lifecycle rule removes it.", error)

    def begin(self, new: NewObject) -> ObjectWriter:
        """Return a writer; it calls the store with the first part."""
        check_relative_key(new.key)
        return MultipartWriter(self._calls, new)

    def resume(self, new: NewObject, stored: StoredUpload, expected: ExpectedObject) -> ObjectWriter | None:
        """Return a writer for an upload that has these parts, or for the object that was made of them."""
        check_relative_key(new.key)
        upload = self._calls.find_upload(new.key, stored)
        if upload is not None:
            writer = MultipartWriter(self._calls, new)
            writer.resume(upload, stored.parts)
            return writer
        there = self._calls.own_object(new, expected)
        return None if there is None else StoredWriter(there)

    def upload_rule(self, key: str) -> UploadRule | None:
        """Return the first of the bucket's lifecycle rules to remove an unfinished upload under this key."""
        check_relative_key(key)
        return min(self._calls.upload_rules(key), default=None)

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        """Write a small object with one call."""
        check_relative_key(new.key)
        expected = ExpectedObject(len(content), google_crc32c.value(content))
        return self._calls.put_object(new, PartBody([content]), expected)

    def read(self, key: str, *, limit: int) -> bytes | None:
        """Return the start of an object; None when there is none, or when this identity may only write."""
        return self._unless_denied(key, lambda: self._calls.get_object(key, limit))

    def head(self, key: str) -> StoredObject | None:
        """Return what the store knows of the object; None also for "denied".

        That is AWS's answer for a missing object where listing is not granted.
        """
        return self._unless_denied(key, lambda: self._calls.head_object(key))

    @staticmethod
    def _unless_denied(key: str, call: Callable[[], T | None]) -> T | None:
        check_relative_key(key)
        try:
            return call()
        except StorageDeniedError as denied:
            logger.warning("%s The object is treated as missing.", denied)
            return None

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the objects whose keys start with `prefix`."""
        return self._calls.list_objects(prefix)

    def delete(self, key: str) -> None:
        """Remove the object; where the bucket keeps versions, or deletes softly, it can be restored."""
        check_relative_key(key)
        self._calls.delete_object(key)

    def abort_open_uploads(self, prefix: str, *, exact: bool = False, keep: Callable[[str], bool] | None = None) -> int:
        """Abort the multipart uploads below a prefix; log a warning, once, where listing them is not permitted."""
        check_relative_key(prefix.removesuffix("/"))
        aborted = 0
        try:
            # All pages before the first is used: uploads are aborted meanwhile, and the next page may begin at one.
            for key, upload in [*self._calls.open_uploads(prefix)]:
                if exact and key != prefix:
                    continue
                if keep is None or not keep(self._calls.name_of(upload)):
                    aborted += self._calls.abort_upload(key, upload)
        except (StorageDeniedError, StorageUnsupportedError) as error:
            if not self._warned:
                logger.warning(
                    "%s Uploads that killed tries left open stay until a lifecycle rule removes them.", error
                )
            self._warned = True
        return aborted
