"""The writer of an object into GCS that must not overwrite anything: one connection, so parts in their order."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ClassVar

from labelbox_export_provider.errors import ObjectChangedError, StorageDeniedError, StorageError
from labelbox_export_provider.sinks.base import ExpectedObject, NewObject, Part, PartBody, WrittenObject
from labelbox_export_provider.sinks.gcs.calls import GCSCalls
from labelbox_export_provider.sinks.gcs.errors import changed_error
from labelbox_export_provider.sinks.multipart import HoldingWriter


class CreateOnlyWriter(HoldingWriter[str]):
    """A resumable upload of the client library, the only kind for large objects that takes a precondition.

    It is one connection, so parts go in the order of their numbers, and one that is put early waits for its turn. The
    session of a writer that is killed or aborted cannot be listed. It is not visible, costs nothing and expires after a
    week; a process that still has it can only create the object, not replace one.
    """

    def __init__(self, calls: GCSCalls, new: NewObject) -> None:
        super().__init__(calls, new)
        self._gcs = calls
        self._lock = threading.Lock()
        self._stream = PartStream()
        self._upload: Future[object] | None = None
        self._is_own: bool | None = None

    def complete(self, expected: ExpectedObject) -> WrittenObject:
        """Make the object visible, and verify its checksum as the service reports it."""
        try:
            return super().complete(expected)
        except StorageError as error:
            raise changed_error(error, create_only=True) from None

    def _send(self, part: Part, crc32c: int) -> None:  # noqa: ARG002  the library computes its own
        with self._lock:
            if self._upload is None:
                thread = ThreadPoolExecutor(1, thread_name_prefix="labelbox-create")
                self._upload = thread.submit(self._run)
                thread.shutdown(wait=False)
        try:
            self._stream.put(part)
        except (ObjectChangedError, StorageDeniedError) as refused:
            # The name is taken. If it is by an earlier try of the same export, `complete` compares the bytes.
            with self._lock:
                if self._is_own is None:
                    self._is_own = self._gcs.own_object(self._new) is not None
            if not self._is_own:
                raise changed_error(refused, create_only=True) from None

    def _run(self) -> object:
        try:
            return self._gcs.put_stream(self._new, self._stream)
        except BaseException as error:
            self._stream.fail(error)
            raise

    def _finish(self, expected: ExpectedObject) -> WrittenObject:
        if self._upload is None:
            return self._put_whole(expected)
        self._stream.end()
        return self._gcs.checked(self._new, expected, self._upload.result())

    def _discard(self) -> None:
        self._stream.fail(StorageError("The object was aborted. Nothing was published."))


class PartStream(io.RawIOBase):
    """The parts of an object as one file, which another thread reads while they are put, in the order of their numbers.

    A part is returned from `put` when it was read, and its memory can be used again. Until `end` is called the file has
    no end: its reader waits, so that it never takes an object for whole that is not.
    """

    max_gap: ClassVar[float] = 4.0
    """Seconds after which a part fails while it waits for an earlier one that no thread puts."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._turn = 1
        self._body: PartBody | None = None
        self._position = 0
        self._ended = False
        self._failure: BaseException | None = None

    def put(self, part: Part) -> None:
        """Wait for the part's turn, and until it was read; one that was read before is ignored."""
        with self._changed:
            while not self._wait_for(lambda: self._body is None and part.number <= self._turn, self.max_gap):
                if self._body is None:
                    raise StorageError(f"Part {self._turn} was never put, so part {part.number} was not sent.")
            if part.number == self._turn:
                part.body.seek(0)
                self._body = part.body
                self._changed.notify_all()
                self._wait_for(lambda: self._turn > part.number)

    def end(self) -> None:
        """Let the file end behind the last part."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Let everything that waits or comes fail with this error, unless something has failed before."""
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    def readable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return exactly `size` bytes, fewer only at the end; copied once, or twice where their part ends."""
        pieces: list[bytes | memoryview] = []
        with self._changed:
            while size > 0:
                self._wait_for(lambda: self._body is not None or self._ended)
                if self._body is None:
                    break
                piece = self._body.read_piece()
                if len(piece) > size:
                    self._body.seek(size - len(piece), io.SEEK_CUR)
                pieces.append(piece[:size])
                size -= len(pieces[-1])
                self._position += len(pieces[-1])
                if self._body.tell() == len(self._body):
                    # The memory of the part is used again from here on.
                    pieces = [b"".join(pieces)]
                    self._body, self._turn = None, self._turn + 1
                    self._changed.notify_all()
            return b"".join(pieces)

    def _wait_for(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        found = self._changed.wait_for(lambda: self._failure is not None or condition(), seconds)
        if self._failure is not None:
            raise self._failure
        return found
