"""One object of many ranges of the source, with a receipt after each, so that a later try continues in its upload.

The end of a range cuts no part, so the object has the parts, and so the ETag, that it has without receipts. A receipt
is written as soon as the part is stored in which its range ends. The try that continues makes the bytes from that end
to the end of that part again, and compares them with what is stored instead of sending them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from labelbox_export_provider.sinks.base import ObjectWriter
from labelbox_export_provider.sinks.stored_upload import NO_PARTS
from labelbox_export_provider.streaming.pipeline.blocks import Output
from labelbox_export_provider.streaming.pipeline.objects import ObjectSplitter
from labelbox_export_provider.streaming.pipeline.parts import PartUploader, UploadContext
from labelbox_export_provider.streaming.pipeline.staged import ObjectAccount, ObjectReceipts, StagedObject
from labelbox_export_provider.streaming.rows.counts import RowCounts


class RangeJoiner(ObjectSplitter):
    """Joins the output of all ranges into one object.

    The `StagedObject` of a range has its own counts, but size and CRC32C of the object up to its end.
    """

    def __init__(
        self, open_object: Callable[[int], ObjectWriter], upload_context: UploadContext, receipts: ObjectReceipts
    ) -> None:
        super().__init__(open_object, upload_context, receipts)
        self._ranges = receipts
        self._due: deque[ObjectAccount] = deque()
        """Ranges that have ended and have no receipt yet, since some of their bytes are in no part."""
        self._recorded = 0
        """How many parts are named by receipts."""

    def append_output(self, number: int, data: Output) -> None:
        """Append the next bytes, which are of the range with this number."""
        super().append_output(number, data)
        self._record_stored()

    def close_objects(self) -> tuple[StagedObject, ...]:
        """Upload the rest, wait until everything is stored or an upload has failed, and return the one object."""
        if self._begun or not self._closed:
            self._close_object()
        if (parts := self._parts) is not None:
            parts.upload_last_part()
            self.kept_in_memory = parts.size if parts.number == 1 else 0
            self._uploads += parts.uploads
            self._record_stored()
        self._await_uploads()
        counts, last = RowCounts(), self._closed[-1]
        for each in self._closed:
            counts.add(each.counts)
        return (StagedObject(0, counts, last.size, last.crc32c, last.writer),)

    def unrecorded_writers(self) -> list[ObjectWriter]:
        """Return the writer of the object if it was opened and no receipt names its upload."""
        return [] if self._opened is None or self._ranges.has(0) else [self._opened[1]]

    def _begin_parts(self, number: int) -> PartUploader:
        """Continue the upload of an earlier try where there is one."""
        kept = self._closed[-1] if self._closed else None
        if kept is None or kept.writer is None:
            return super()._begin_parts(number)
        parts = PartUploader(kept.writer, self._context)
        parts.resume(kept.size, kept.crc32c, kept.writer.stored() or NO_PARTS)
        self._recorded = parts.number
        return parts

    def _close_object(self) -> None:
        """End a range."""
        parts, number = self._parts, self._first + len(self._closed)
        if parts is not None:
            staged = StagedObject(number, self._counts, parts.size, parts.crc32c, parts.writer)
        else:
            before = self._closed[-1] if self._closed else StagedObject(0, self._counts, 0, 0, None)
            staged = replace(before, number=number, counts=self._counts)
        self._closed.append(staged)
        self._due.append(ObjectAccount(staged, self._segments))
        self._counts, self._segments, self._begun = RowCounts(), [], False
        self._record_stored()

    def _record_stored(self) -> None:
        """Record the ranges that have ended and are in parts, all of them."""
        parts = self._parts
        while parts is not None and parts.number and self._due and self._due[0].staged.size <= parts.sent:
            account = self._due.popleft()
            staged = replace(account.staged, writer=parts.writer)
            self._record(self._ranges, ObjectAccount(staged, account.segments, (self._recorded, parts.number)), parts)
            self._recorded = parts.number
