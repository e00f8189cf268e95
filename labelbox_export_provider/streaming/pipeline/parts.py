"""Joins output into parts of equal size and sends them to the store, several at a time."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.errors import IntegrityError
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.base import ObjectWriter, Part, PartBody
from labelbox_export_provider.sinks.part_account import add_up
from labelbox_export_provider.sinks.stored_upload import StoredUpload
from labelbox_export_provider.streaming.pipeline.blocks import BlockPool, Output
from labelbox_export_provider.streaming.pipeline.call_pool import CallPool
from labelbox_export_provider.streaming.pipeline.ordered_buffer import OrderedBuffer

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@dataclass(frozen=True, slots=True)
class UploadContext:
    """What the uploads of one stream share. An upload that fails cancels the token of `calls` with its error."""

    calls: CallPool
    uploaders: ThreadPoolExecutor
    output_buffer: OrderedBuffer
    pool: BlockPool
    part_bytes: int


class _StoppableBody(PartBody):
    """Ends the request of a store's client, which reads it, when the landing is over."""

    def __init__(self, token: CancelToken, pieces: list[Output]) -> None:
        super().__init__(piece.view for piece in pieces)
        self._token = token

    def readinto(self, target: WriteableBuffer) -> int:
        self._token.check()
        return super().readinto(target)

    def read_piece(self) -> memoryview:
        self._token.check()
        return super().read_piece()


class PartUploader:
    """Cuts the output of one object into parts and uploads them. For one thread."""

    def __init__(self, writer: ObjectWriter, upload_context: UploadContext) -> None:
        self.size = self.crc32c = self.number = 0
        self.writer = writer
        self._context = upload_context
        self._part_bytes = upload_context.part_bytes
        self._buffers: deque[Output] = deque()
        self._pending = 0
        self.sent = 0
        """Bytes of all parts so far."""
        self._sent_before = self._crc32c_before = 0
        self.uploads: list[Future[None]] = []

    def resume(self, size: int, crc32c: int, stored: StoredUpload) -> None:
        """Continue an object of which these parts are stored, with output that begins at byte `size`.

        That is at most where the parts end. What they hold of it is compared with them, and not sent again. Larger
        parts are not put behind smaller ones, since some stores want all of one size; smaller ones are, where memory is
        short.
        """
        self.size, self.crc32c, self.number = size, crc32c, len(stored.parts)
        self._sent_before, self._crc32c_before = add_up(stored.parts)
        self.sent = self._sent_before
        self._part_bytes = min([self._part_bytes, *(part.size for part in stored.parts[:1])])

    def append_output(self, data: Output) -> None:
        """Append the next bytes; upload a part as soon as one byte more than it holds is there."""
        if (again := min(len(data), self._sent_before - self.size)) > 0:
            stored, data = data.split(again)
            self._add_up(stored)
            self._release([stored], again)
            if self.size == self._sent_before and self.crc32c != self._crc32c_before:
                raise IntegrityError(
                    "The bytes that an earlier try has stored differ from those that this one makes of the same rows: "
                    "another version of a compressor, or a fault. Nothing was published; a retry stores all of it."
                )
            if not data:
                return
        self._add_up(data)
        self._buffers.append(data)
        self._pending += len(data)
        # A full part waits for one more byte, which shows that it is not the last part.
        while self._pending > self._part_bytes:
            self._upload_part(self._part_bytes, last=False)

    def _add_up(self, data: Output) -> None:
        self.size += len(data)
        self.crc32c = checksum.combine(self.crc32c, data.crc32c, len(data))

    def upload_last_part(self) -> None:
        """Upload the rest, without waiting for `uploads` to end."""
        if self._pending:
            self._upload_part(self._pending, last=True)

    def _upload_part(self, size: int, *, last: bool) -> None:
        pieces: list[Output] = []
        missing = size
        while missing:
            buffer = self._buffers.popleft()
            if len(buffer) > missing:
                buffer, rest = buffer.split(missing)
                self._buffers.appendleft(rest)
            pieces.append(buffer)
            missing -= len(buffer)
        self._pending -= size
        self.number += 1
        part = Part(self.number, self.sent, _StoppableBody(self._context.calls.token, pieces), last)
        self.sent += size
        self.uploads = [upload for upload in self.uploads if not upload.done()]
        self.uploads.append(self._context.uploaders.submit(self._put_part, part, pieces, size))

    def _put_part(self, part: Part, pieces: list[Output], size: int) -> None:
        try:
            self._context.calls.token.check()
            self.writer.put_part(part)
        except BaseException as error:
            self._context.calls.token.cancel(error)
            raise
        finally:
            # A writer may keep an object's only part until completion, so its memory must not be used again.
            self._release([] if part.last and part.number == 1 else pieces, size)

    def _release(self, pieces: list[Output], size: int) -> None:
        """Count bytes as stored, and let the memory of `pieces` be used again."""
        for piece in pieces:
            if piece.block is not None:
                self._context.pool.mark_stored(piece.block, len(piece))
        self._context.output_buffer.release_bytes(size)
