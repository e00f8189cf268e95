"""Multipart uploads, for the stores that have them: the calls, and the writer of an object."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from labelbox_export_provider.errors import StorageError
from labelbox_export_provider.sinks.base import (
    EXPORT_ID,
    ExpectedObject,
    ListedObject,
    NewObject,
    ObjectWriter,
    Part,
    PartBody,
    StoredObject,
    WrittenObject,
)
from labelbox_export_provider.sinks.etags import ETags
from labelbox_export_provider.sinks.part_account import PartAccount, crc32c_of
from labelbox_export_provider.sinks.stored_upload import StoredPart, StoredUpload
from labelbox_export_provider.sinks.upload_rule import UploadRule

logger = logging.getLogger(__name__)

UploadT = TypeVar("UploadT")
"""What a store knows an upload by."""


class BucketCalls(Protocol[UploadT]):
    """The calls of a store for objects, and for the multipart uploads that make them."""

    maximum_put_bytes: int
    """The largest object of one call."""
    _unanswered: set[str]
    """Keys of uploads whose opening got no answer, so that nobody knows the upload."""

    def uri(self, key: str) -> str:
        """Return the address that readers use."""

    def put_object(self, new: NewObject, body: PartBody, expected: ExpectedObject) -> WrittenObject:
        """Write an object with one call."""

    def get_object(self, key: str, limit: int) -> bytes | None:
        """Return at most `limit` bytes of an object; None when there is none."""

    def head_object(self, key: str) -> StoredObject | None:
        """Return what the store knows of an object; None when there is none."""

    def list_objects(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the objects whose keys start with `prefix`, page by page."""

    def delete_object(self, key: str) -> None:
        """Remove an object; a missing one is no error."""

    def create_upload(self, new: NewObject) -> UploadT:
        """Open an upload."""

    def upload_part(self, key: str, upload: UploadT, part: Part, crc32c: int) -> str:
        """Upload a part and return its ETag."""

    def complete_upload(
        self, new: NewObject, upload: UploadT, etags: Mapping[int, str], expected: ExpectedObject
    ) -> WrittenObject:
        """Make the object of all parts, and verify it."""

    def abort_upload(self, key: str, upload: UploadT) -> bool:
        """Abort an upload with all its parts; return whether there was one."""

    def open_uploads(self, prefix: str) -> Iterator[tuple[str, UploadT]]:
        """Yield key and upload of the open uploads whose keys start with `prefix`."""

    def upload_rules(self, key: str) -> Iterator[UploadRule]:
        """Yield the bucket's rules that remove unfinished uploads under this key."""

    def name_of(self, upload: UploadT) -> str:
        """Return the store's name for an upload."""

    def stored_parts(self, key: str, name: str) -> tuple[UploadT, dict[int, tuple[str, int]]] | None:
        """Return an open upload, with ETag and size of each part by its number; None where there is none."""

    def find_upload(self, key: str, stored: StoredUpload) -> UploadT | None:
        """Return the upload if it is open and has exactly these parts; with `stored.more`, others may follow them."""
        found = self.stored_parts(key, stored.name)
        if found is None:
            return None
        upload, there = found
        wanted = {number: ((part.etag or "").strip('"'), part.size) for number, part in enumerate(stored.parts, 1)}
        compared = {
            number: (etag.strip('"'), size)
            for number, (etag, size) in there.items()
            if number in wanted or not stored.more
        }
        return upload if compared == wanted else None

    def own_object(self, new: NewObject, expected: ExpectedObject | None = None) -> WrittenObject | None:
        """Return what is there if it is of the same export and form, and as far as known of the bytes, where given.

        None also where that cannot be read.
        """
        try:
            there = self.head_object(new.key)
        except StorageError:
            return None
        if there is None or EXPORT_ID not in new.metadata:
            return None
        wanted = expected or ExpectedObject(there.size, there.crc32c or 0)
        same_bytes = there.size == wanted.size and there.crc32c in {None, wanted.crc32c}
        metadata = there.metadata or {}
        if not same_bytes or any(metadata.get(name.lower()) != value for name, value in new.metadata.items()):
            return None
        uri = self.uri(new.key)
        logger.info("%s is there already, written by an earlier call or try.", uri)
        return WrittenObject(new.key, uri, wanted.size, wanted.crc32c, there.etag, there.version_id)

    def abort_unanswered(self, key: str) -> None:
        """Abort the uploads of this key whose opening was carried out but not answered."""
        if key not in self._unanswered:
            return
        self._unanswered.discard(key)
        try:
            for found, upload in [*self.open_uploads(key)]:
                if found == key:
                    self.abort_upload(key, upload)
        except StorageError as error:
            logger.warning(
                "%s An upload whose opening got no answer may stay until a lifecycle rule removes it.", error
            )


class HoldingWriter(ObjectWriter, Generic[UploadT]):
    """Holds an object of one part, and accepts this very object where it is there already.

    A completion whose answer was lost is refused when it is repeated, and an identity that may create but not delete,
    or a retention policy, refuses to write over what an earlier try made. The same export makes the same bytes.
    """

    def __init__(self, calls: BucketCalls[UploadT], new: NewObject) -> None:
        self._calls = calls
        self._new = new
        self._account = PartAccount()
        self._whole: PartBody | None = None

    def put_part(self, part: Part) -> None:
        """Upload the part, or hold it when it is the whole object."""
        self._account.require_open()
        crc32c = crc32c_of(part)
        small = len(part.body) <= self._calls.maximum_put_bytes
        if part.last and part.number == 1 and self._new.hold_small and small:
            self._whole = part.body
        else:
            self._send(part, crc32c)
        self._account.note(part, crc32c)

    def complete(self, expected: ExpectedObject) -> WrittenObject:
        """Make the object visible, whole."""
        self._account.check(expected, self._calls.uri(self._new.key))
        try:
            written = self._finish(expected)
        except StorageError as error:
            there = self._calls.own_object(self._new, expected)
            if there is None:
                raise
            logger.info("So this is not written again: %s", error)
            written = there
            # An earlier try may have made it, and then this upload is still open.
            self.abort()
        self._whole = None
        self._account.close()
        return written

    def abort(self) -> None:
        """Discard what is held or sent."""
        self._account.close()
        self._whole = None
        self._discard()

    @abstractmethod
    def _send(self, part: Part, crc32c: int) -> None: ...

    @abstractmethod
    def _finish(self, expected: ExpectedObject) -> WrittenObject: ...

    @abstractmethod
    def _discard(self) -> None: ...

    def _put_whole(self, expected: ExpectedObject) -> WrittenObject:
        return self._calls.put_object(self._new, self._whole or PartBody([]), expected)


class MultipartWriter(HoldingWriter[UploadT]):
    """A multipart upload, which is opened with the first part."""

    def __init__(self, calls: BucketCalls[UploadT], new: NewObject) -> None:
        super().__init__(calls, new)
        self._lock = threading.Lock()
        self._upload: UploadT | None = None
        self._etags = ETags()

    def resume(self, upload: UploadT, parts: Sequence[StoredPart]) -> None:
        """Take over an upload that has these parts, which are all or the first ones."""
        self._upload = upload
        for number, part in enumerate(parts, 1):
            self._etags.add(number, str(part.etag))
        self._account.restore(parts)

    def stored(self) -> StoredUpload | None:
        """Return the upload with its parts; None where the object is held in memory."""
        if self._upload is None:
            return None
        # First what is accounted, which has an ETag: other threads may put parts meanwhile.
        parts = enumerate(self._account.sizes_and_crc32c(), 1)
        etags = self._etags.by_number()
        return StoredUpload(
            self._calls.name_of(self._upload),
            tuple(StoredPart(size, crc32c, etags[number]) for number, (size, crc32c) in parts),
        )

    def _send(self, part: Part, crc32c: int) -> None:
        with self._lock:
            if self._upload is None:
                self._upload = self._calls.create_upload(self._new)
        etag = self._calls.upload_part(self._new.key, self._upload, part, crc32c)
        with self._lock:
            self._etags.add(part.number, etag)

    def _finish(self, expected: ExpectedObject) -> WrittenObject:
        if self._upload is None:
            return self._put_whole(expected)
        written = self._calls.complete_upload(self._new, self._upload, self._etags.by_number(), expected)
        self._upload = None
        return written

    def _discard(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            self._calls.abort_upload(self._new.key, upload)
