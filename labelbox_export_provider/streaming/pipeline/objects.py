"""The objects of one stream on their way into the store: opened with their first byte, closed when the next one opens.

Only the thread that joins the output uses them, so their contents are counted in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from labelbox_export_provider.sinks.base import ObjectWriter
from labelbox_export_provider.streaming.pipeline.blocks import Output
from labelbox_export_provider.streaming.pipeline.parts import PartUploader, UploadContext
from labelbox_export_provider.streaming.pipeline.staged import StagedObject
from labelbox_export_provider.streaming.rows.counts import RowCounts


class ObjectSplitter:
    """Splits output, which is appended in order, into objects. `open_object` is called once for each with bytes.

    Of a closed object only its `StagedObject` is kept, and of a writer what it needs for completion.
    """

    def __init__(self, open_object: Callable[[int], ObjectWriter], upload_context: UploadContext) -> None:
        self._open_object = open_object
        self._context = upload_context
        self._closed: list[StagedObject] = []
        self._writers: list[ObjectWriter] = []
        self._uploads: list[Future[None]] = []
        self._counts = RowCounts()
        self._parts: PartUploader | None = None
        self.kept_in_memory = 0
        """Bytes that a writer may keep until completion: all of a single object of one part."""

    def append_output(self, number: int, data: Output) -> None:
        """Append the next bytes to the object with this number."""
        self._close_before(number)
        if self._parts is None:
            self._parts = PartUploader(self._begin(number), self._context)
        self._parts.append_output(data)

    def add_counts(self, number: int, counts: RowCounts) -> None:
        """Add counts of rows to those of an object, of which all bytes so far are appended."""
        self._close_before(number)
        self._counts.add(counts)

    def close_objects(self) -> tuple[StagedObject, ...]:
        """Upload the rest, wait until everything is stored or an upload has failed, and return the objects."""
        self._close_object()
        self._context.calls.results(*self._uploads)
        self._context.calls.token.raise_error()  # of an upload that had failed before
        return tuple(self._closed)

    def uploads(self) -> list[Future[None]]:
        """Return the uploads that may not have ended."""
        return [*self._uploads, *(self._parts.uploads if self._parts is not None else ())]

    def writers(self) -> list[ObjectWriter]:
        """Return the writers of all objects that were opened."""
        return list(self._writers)

    def _begin(self, number: int) -> ObjectWriter:
        def begin() -> ObjectWriter:
            # Kept here, since nobody waits for it any more where the landing stops meanwhile.
            self._writers.append(writer := self._open_object(number))
            return writer

        # Not in the task's thread: a signal has to reach it at any time, and a store may take long.
        return self._context.calls.results(self._context.calls.submit(begin))[0]

    def _close_before(self, number: int) -> None:
        while len(self._closed) < number:
            self._close_object()

    def _close_object(self) -> None:
        parts, counts, number = self._parts, self._counts, len(self._closed)
        self._counts, self._parts = RowCounts(), None
        if parts is None:
            self._closed.append(StagedObject(number, counts, 0, 0, None))
            return
        self._closed.append(StagedObject(number, counts, parts.size, parts.crc32c, parts.writer))
        parts.upload_last_part()
        self.kept_in_memory = parts.size if not number and parts.number == 1 else 0
        self._uploads = [upload for upload in (*self._uploads, *parts.uploads) if not upload.done()]
