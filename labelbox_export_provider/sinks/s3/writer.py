"""The writer of one object into S3: a multipart upload, or one PUT where the only part may be held in memory."""

from __future__ import annotations

import logging
import threading

from labelbox_export_provider.errors import StorageError
from labelbox_export_provider.sinks.base import (
    EXPORT_ID,
    ExpectedObject,
    NewObject,
    ObjectWriter,
    Part,
    PartBody,
    WrittenObject,
)
from labelbox_export_provider.sinks.part_account import PartAccount, crc32c_of
from labelbox_export_provider.sinks.s3.calls import S3Calls, Upload

logger = logging.getLogger(__name__)


class S3Writer(ObjectWriter):
    """Opens its upload with the first part."""

    def __init__(self, calls: S3Calls, new: NewObject) -> None:
        self._calls = calls
        self._new = new
        self._lock = threading.Lock()
        self._upload: Upload | None = None
        # One line a part, number and ETag: a dict would take five times as much, until the end.
        self._etags = bytearray()
        self._account = PartAccount()
        self._whole: PartBody | None = None

    def put_part(self, part: Part) -> None:
        """Upload the part, or hold it when it is the whole object."""
        self._account.require_open()
        if part.last and part.number == 1 and self._new.hold_small:
            self._whole = part.body
            self._account.note(part)
            return
        with self._lock:
            if self._upload is None:
                self._upload = self._calls.create_upload(self._new)
        crc32c = crc32c_of(part)
        etag = self._calls.upload_part(self._new.key, self._upload, part, crc32c)
        with self._lock:
            self._etags += f"{part.number} {etag}\n".encode()
        self._account.note(part, crc32c)

    def complete(self, expected: ExpectedObject) -> WrittenObject:
        """Write the whole object, or complete the upload."""
        self._account.check(expected, self._calls.uri(self._new.key))
        try:
            written = self._complete(expected)
        except StorageError as error:
            there = self._published_by_lost_answer(expected)
            if there is None:
                raise
            logger.info("The answer to the completion was lost, the object is there: %s", error)
            # An earlier try may have made it, and then this upload is still open.
            self.abort()
            written = there
        self._whole = self._upload = None
        self._account.close()
        return written

    def abort(self) -> None:
        """Abort the upload, if one was opened."""
        self._account.close()
        self._whole = None
        upload, self._upload = self._upload, None
        if upload is not None:
            self._calls.abort_upload(self._new.key, upload)
        self._calls.abort_unanswered(self._new.key)

    def _complete(self, expected: ExpectedObject) -> WrittenObject:
        if self._upload is None:
            return self._calls.put_object(self._new, self._whole or PartBody([]), expected)
        lines = (line.split(" ", 1) for line in self._etags.decode().splitlines())
        etags = {int(number): etag for number, etag in lines}
        return self._calls.complete_upload(self._new, self._upload, etags, expected)

    def _published_by_lost_answer(self, expected: ExpectedObject) -> WrittenObject | None:
        """Return this object if it is visible although its completion was answered with an error.

        A client that gets no answer sends the completion again, and the answer then is that there is no such upload, or
        that the object exists. The same export makes the same bytes, so its id and the size are enough.
        """
        try:
            there = self._calls.head_object(self._new.key)
        except StorageError:
            return None
        if there is None or there.size != expected.size or there.metadata is None:
            return None
        if EXPORT_ID not in self._new.metadata:
            return None
        if any(there.metadata.get(name.lower()) != value for name, value in self._new.metadata.items()):
            return None
        return WrittenObject(
            self._new.key,
            self._calls.uri(self._new.key),
            there.size,
            expected.crc32c,
            there.etag and there.etag.strip('"'),
            there.version_id,
        )
