"""The objects of one stream on their way into the store: opened with their first byte, closed when the next one opens.

Only the thread that joins the output uses them, so their contents are counted in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait

from labelbox_export_provider.sinks.base import ObjectWriter
from labelbox_export_provider.streaming.pipeline.blocks import Output
from labelbox_export_provider.streaming.pipeline.members import MemberAccount
from labelbox_export_provider.streaming.pipeline.parts import PartUploader, UploadContext
from labelbox_export_provider.streaming.pipeline.staged import ObjectAccount, ObjectReceipts, StagedObject
from labelbox_export_provider.streaming.rows.counts import RowCounts
from labelbox_export_provider.streaming.rows.verification import Segment, add_segments


class ObjectSplitter:
    """Splits output, which is appended in order, into objects. `open_object` is called once for each with bytes.

    Numbers begin with `first`. Of a closed object only its `StagedObject` is kept, and of a writer what it needs for
    completion. With `receipts`, an object is recorded there as soon as all its parts are stored.
    """

    def __init__(
        self,
        open_object: Callable[[int], ObjectWriter],
        upload_context: UploadContext,
        receipts: ObjectReceipts | None = None,
        first: int = 0,
    ) -> None:
        self._open_object = open_object
        self._context = upload_context
        self._receipts = receipts
        self._first = first
        self._closed: list[StagedObject] = []
        self._opened: tuple[int, ObjectWriter] | None = None
        """The last object that was opened."""
        self._uploads: list[Future[None]] = []
        self._counts = RowCounts()
        self._segments: list[Segment] = []
        self._parts: PartUploader | None = None
        self._begun = False
        self.kept_in_memory = 0
        """Bytes that a writer may keep until completion: all of a single object of one part."""

    def append_output(self, number: int, data: Output) -> None:
        """Append the next bytes to the object with this number."""
        self._begin_object(number)
        if self._parts is None:
            self._parts = self._begin_parts(number)
        self._parts.append_output(data)

    def add_account(self, number: int, account: MemberAccount) -> None:
        """Add the account of a member to that of its object, of which all bytes so far are appended."""
        self._begin_object(number)
        self._counts.add(account.counts)
        if self._receipts is not None:
            add_segments(self._segments, account.segments)

    def add_kept(self, staged: StagedObject) -> None:
        """Add an object that an earlier try has staged, in its place."""
        self._close_before(staged.number)
        self._closed.append(staged)

    def close_objects(self) -> tuple[StagedObject, ...]:
        """Upload the rest, wait until everything is stored or an upload has failed, and return the objects."""
        if self._begun or not self._closed:
            self._close_object()
        self._await_uploads()
        return tuple(self._closed)

    def _await_uploads(self) -> None:
        self._context.calls.results(*self._uploads)
        self._context.calls.token.raise_error()  # of an upload that had failed before

    def uploads(self) -> list[Future[None]]:
        """Return the uploads that may not have ended, of parts and of receipts."""
        return [*self._uploads, *(self._parts.uploads if self._parts is not None else ())]

    def unrecorded_writers(self) -> list[ObjectWriter]:
        """Return the writers of all objects that were opened and that no receipt names."""
        receipts, last = self._receipts, [] if self._opened is None else [self._opened]
        opened = dict(last) | {each.number: each.writer for each in self._closed if each.writer is not None}
        return [writer for number, writer in opened.items() if receipts is None or not receipts.has(number)]

    def _begin_parts(self, number: int) -> PartUploader:
        def begin() -> ObjectWriter:
            # Kept here, since nobody waits for it any more where the landing stops meanwhile.
            writer = self._open_object(number)
            self._opened = number, writer
            return writer

        # Not in the task's thread: a signal has to reach it at any time, and a store may take long.
        (writer,) = self._context.calls.results(self._context.calls.submit(begin))
        return PartUploader(writer, self._context)

    def _begin_object(self, number: int) -> None:
        self._close_before(number)
        self._begun = True

    def _close_before(self, number: int) -> None:
        while self._first + len(self._closed) < number:
            self._close_object()

    def _close_object(self) -> None:
        parts, counts, number = self._parts, self._counts, self._first + len(self._closed)
        segments, self._segments = self._segments, []
        self._counts, self._parts, self._begun = RowCounts(), None, False
        if parts is None:
            staged = StagedObject(number, counts, 0, 0, None)
        else:
            staged = StagedObject(number, counts, parts.size, parts.crc32c, parts.writer)
            parts.upload_last_part()
            self.kept_in_memory = parts.size if not number and parts.number == 1 else 0
            self._uploads = [upload for upload in (*self._uploads, *parts.uploads) if not upload.done()]
        self._closed.append(staged)
        if self._receipts is not None:
            self._record(self._receipts, ObjectAccount(staged, segments), parts)

    def _record(self, receipts: ObjectReceipts, account: ObjectAccount, parts: PartUploader | None) -> None:
        """Write a receipt once the parts so far are stored, in an uploader: they have all begun before."""
        uploads = list(parts.uploads) if parts is not None else []

        def record() -> None:
            try:
                wait(uploads)
                self._context.calls.token.check()
                receipts.write(account)
            except BaseException as error:
                self._context.calls.token.cancel(error)
                raise

        self._uploads = [upload for upload in self._uploads if not upload.done()]
        self._uploads.append(self._context.uploaders.submit(record))
