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


class _OpenObject:
    def __init__(self) -> None:
        self.counts = RowCounts()
        self.writer: ObjectWriter | None = None
        self.parts: PartUploader | None = None


class ObjectSplitter:
    """Splits output, which is appended in order, into objects. `open_object` is called once for each with bytes."""

    def __init__(self, open_object: Callable[[int], ObjectWriter], upload_context: UploadContext) -> None:
        self._open_object = open_object
        self._context = upload_context
        self._objects: list[_OpenObject] = []

    def append_output(self, number: int, data: Output) -> None:
        """Append the next bytes to the object with this number."""
        current = self._object(number)
        if current.parts is None:
            current.writer = self._open_object(number)
            current.parts = PartUploader(current.writer, self._context)
        current.parts.append_output(data)

    def append_bytes(self, number: int, data: bytes) -> None:
        """Append bytes that no worker emitted, and count them as held from here on."""
        self._context.output_buffer.release_bytes(-len(data))
        self.append_output(number, Output(data))

    def add_counts(self, number: int, counts: RowCounts) -> None:
        """Add counts of rows to those of an object."""
        self._object(number).counts.add(counts)

    def close_objects(self) -> None:
        """Upload the rest, and wait until everything is stored or an upload has failed."""
        if self._objects:
            self._close_object(self._objects[-1])
        self._context.calls.results(*self.uploads())

    def uploads(self) -> list[Future[None]]:
        """Return the uploads that may not have ended."""
        return [upload for each in self._objects if each.parts is not None for upload in each.parts.uploads]

    def writers(self) -> list[ObjectWriter]:
        """Return the writers of all objects that were opened."""
        return [each.writer for each in self._objects if each.writer is not None]

    def staged_objects(self) -> tuple[StagedObject, ...]:
        """Return the objects with their counts and writers."""
        return tuple(
            StagedObject(
                number,
                each.counts,
                each.parts.size if each.parts is not None else 0,
                each.parts.crc32c if each.parts is not None else 0,
                each.writer,
            )
            for number, each in enumerate(self._objects)
        )

    @property
    def kept_in_memory(self) -> int:
        """Bytes that a writer may keep until completion: all of a single object of one part."""
        only = self._objects[0].parts if len(self._objects) == 1 else None
        return only.kept_in_memory if only is not None else 0

    def _object(self, number: int) -> _OpenObject:
        while len(self._objects) <= number:
            if self._objects:
                self._close_object(self._objects[-1])
            self._objects.append(_OpenObject())
        return self._objects[number]

    def _close_object(self, ended: _OpenObject) -> None:
        if ended.parts is not None:
            ended.parts.upload_last_part()
