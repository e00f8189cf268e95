"""The writer of one object into GCS: a resumable upload, or one request where the only part may be held in memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, ClassVar

from labelbox_export_provider.errors import IntegrityError, ObjectChangedError, StorageDeniedError, StorageError
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.base import (
    ExpectedObject,
    NewObject,
    ObjectWriter,
    Part,
    PartBody,
    WrittenObject,
)
from labelbox_export_provider.sinks.gcs.arguments import QUANTUM
from labelbox_export_provider.sinks.gcs.calls import GCSCalls
from labelbox_export_provider.sinks.gcs.errors import changed_error
from labelbox_export_provider.sinks.gcs.session import UploadSession
from labelbox_export_provider.sinks.part_account import PartAccount, crc32c_of

logger = logging.getLogger(__name__)

MAX_IN_ONE_REQUEST = 8 * 1024**2
"""Up to this size the client library writes an object with one request."""


class GCSWriter(ObjectWriter):
    """Uploads parts in the order of their numbers; a part that is put early waits for its turn.

    A session takes multiples of 256 KiB before its last request, so up to so many bytes of a part are kept for the next
    one. The last of them, with size and checksum of the whole, make the object visible in `complete`.
    """

    max_gap: ClassVar[float] = 60.0
    """Seconds after which a part fails while it waits for an earlier one that no thread puts."""

    def __init__(self, calls: GCSCalls, new: NewObject, generation: int) -> None:
        self._calls = calls
        self._new = new
        self._generation = generation
        self._account = PartAccount()
        self._whole: PartBody | None = None
        self._session: UploadSession | None = None
        self._rest = b""
        self._turns = threading.Condition()
        self._turn = 1
        self._sending = False
        self._failure: str | None = None
        self._refused: ObjectChangedError | StorageDeniedError | None = None

    def put_part(self, part: Part) -> None:
        """Upload the part when it is its turn, or hold it when it is the whole object."""
        self._account.require_open()
        small = len(part.body) <= MAX_IN_ONE_REQUEST
        if part.last and part.number == 1 and self._new.hold_small and small and self._session is None:
            self._whole = part.body
            self._account.note(part)
            return
        # Computed before its turn, while an earlier part is uploaded.
        crc32c = crc32c_of(part)
        if not self._wait_for_turn(part.number):
            return
        try:
            self._send(part)
            self._account.note(part, crc32c)
        except BaseException as error:
            self._end_turn(part.number, f"part {part.number} failed ({type(error).__name__})")
            raise
        self._end_turn(part.number + 1, None)

    def complete(self, expected: ExpectedObject) -> WrittenObject:
        """Send the last request, which makes the object visible, and verify its size and checksum."""
        uri = self._calls.uri(self._new.key)
        self._account.check(expected, uri)
        try:
            resource = self._finish(expected)
        except (ObjectChangedError, StorageDeniedError) as refused:
            written = self._published_by_lost_answer(expected)
            if written is None:
                raise self._changed_or_denied(refused) from None
            logger.info("%s is there already, written by an earlier call or try.", uri)
            # The upload of this try is still open.
            self.abort()
            return written
        self._session = self._whole = None
        self._account.close()
        self._check(resource, expected)
        return WrittenObject(
            self._new.key, uri, expected.size, expected.crc32c, resource.get("etag"), str(resource["generation"])
        )

    def abort(self) -> None:
        """Cancel the upload, if one was opened; one that cannot be cancelled is not visible and expires in a week."""
        self._account.close()
        with self._turns:
            self._failure = self._failure or "the object was aborted"
            self._turns.notify_all()
        self._whole, self._rest = None, b""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            session.cancel()
        except StorageError as error:
            logger.info("The upload of %s was not cancelled: %s", self._calls.uri(self._new.key), error)

    # --- parts in order

    def _wait_for_turn(self, number: int) -> bool:
        """Wait until all earlier parts are uploaded; return whether this one still must be."""
        with self._turns:
            while self._failure is None and (number > self._turn or (number == self._turn and self._sending)):
                if not self._turns.wait(self.max_gap) and not self._sending and number > self._turn:
                    self._failure = f"part {self._turn} was never put"
                    self._turns.notify_all()
            if number < self._turn:
                return False
            if self._failure is not None:
                raise StorageError(
                    f"Part {number} was not sent, since {self._failure}. Nothing was published.",
                    details=self._calls.uri(self._new.key),
                )
            self._sending = True
            return True

    def _end_turn(self, turn: int, failure: str | None) -> None:
        with self._turns:
            self._turn = turn
            self._sending = False
            self._failure = self._failure or failure
            self._turns.notify_all()

    def _send(self, part: Part) -> None:
        views = [memoryview(self._rest), *part.body.buffers()]
        # The last request needs at least one byte, so never all are sent before it.
        total = len(self._rest) + len(part.body)
        now = (total - 1) // QUANTUM * QUANTUM
        if part.last and total <= 2 * QUANTUM and self._new.hold_small and self._session is not None:
            # A short end is sent with the last request. Not where many objects are open.
            now = 0
        if now > 0 and self._open() is not None:
            self._open_session.send(_slices(views, 0, now))
        self._rest = b"".join(_slices(views, max(0, now), None))

    def _open(self) -> UploadSession | None:
        """Open the session, unless that was refused because of an existing object, which `complete` then checks.

        An identity that may create but not delete is refused at an existing name, even that of its own earlier try.
        """
        if self._session is None and self._refused is None:
            try:
                self._session = self._calls.open_session(self._new, self._generation)
            except (ObjectChangedError, StorageDeniedError) as refused:
                if self._calls.head_of_same_export(self._new) is None:
                    raise self._changed_or_denied(refused) from None
                self._refused = refused
        return self._session

    @property
    def _open_session(self) -> UploadSession:
        assert self._session is not None  # noqa: S101  for the type checker; `_open` has checked it
        return self._session

    # --- the end

    def _finish(self, expected: ExpectedObject) -> Mapping[str, Any]:
        if self._refused is not None:
            raise self._refused
        if self._session is None:
            body = self._whole or PartBody([self._rest])
            return self._calls.upload(self._new, body, expected, self._generation)
        return self._session.finish([memoryview(self._rest)], checksum.base64_text(expected.crc32c))

    def _check(self, resource: Mapping[str, Any], expected: ExpectedObject) -> None:
        """Compare size and checksum of the server's object with ours; remove an object that differs."""
        found = (int(resource.get("size") or 0), resource.get("crc32c"))
        wanted = (expected.size, checksum.base64_text(expected.crc32c))
        if found == wanted:
            return
        uri = self._calls.uri(self._new.key)
        removed = "It was removed again."
        try:
            self._calls.delete(self._new.key, int(resource["generation"]))
        except StorageError as error:
            removed = f"It could not be removed: {error.message}"
        raise IntegrityError(
            f"The store made {found[0]} bytes with the CRC32C {found[1]} of {wanted[0]} bytes with the CRC32C "
            f"{wanted[1]} that were sent. {removed} No manifest names it. A retry writes it again.",
            details=uri,
        )

    def _changed_or_denied(self, refused: ObjectChangedError | StorageDeniedError) -> StorageError:
        return (
            refused
            if isinstance(refused, StorageDeniedError)
            else changed_error(refused, create_only=self._new.create_only)
        )

    def _published_by_lost_answer(self, expected: ExpectedObject) -> WrittenObject | None:
        """Return this object if it is there: from a call whose answer was lost, or from another try."""
        there = self._calls.head_of_same_export(self._new)
        if there is None or there.size != expected.size:
            return None
        try:
            if self._calls.crc32c(there) != checksum.base64_text(expected.crc32c):
                return None
        except StorageDeniedError:
            return None
        return WrittenObject(
            self._new.key,
            self._calls.uri(self._new.key),
            there.size,
            expected.crc32c,
            there.etag,
            there.version_id,
        )


def _slices(views: list[memoryview], start: int, stop: int | None) -> list[memoryview]:
    """Return the bytes from `start` to `stop` of consecutive views, without a copy."""
    found, place = [], 0
    for view in views:
        end = len(view) if stop is None else stop - place
        piece = view[max(0, start - place) : max(0, end)]
        if piece:
            found.append(piece)
        place += len(view)
    return found
