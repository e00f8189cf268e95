"""Parts of test objects, and writers that put them."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

import google_crc32c

from labelbox_export_provider.errors import StorageError
from labelbox_export_provider.sinks.base import (
    EXPORT_ID,
    ExpectedObject,
    NewObject,
    ObjectWriter,
    Part,
    PartBody,
    Sink,
)
from labelbox_export_provider.testing.sink_conformance.promises import TEXT, Store


class BrokenBodyError(Exception):
    """The bytes of a part cannot be read any more."""


class PartBodyThatBreaks(PartBody):
    """A body that can be read so many times, for the checksum and to be sent, and then fails."""

    def __init__(self, buffers: Sequence[bytes], passes: int) -> None:
        super().__init__(buffers)
        self._passes = passes

    def buffers(self) -> Sequence[memoryview]:
        """Return the buffers, or fail."""
        self._passes -= 1
        if self._passes < 0:
            raise BrokenBodyError
        return super().buffers()


def make_pieces(sink: Sink, layout: Sequence[float], *, seed: int = 0) -> list[bytes]:
    """Make parts; sizes are given as multiples of the smallest that may be followed by another, and are odd."""
    unit = max(sink.minimum_part_bytes, 4096)
    noise = random.Random(seed)  # noqa: S311  the same bytes in every run
    return [noise.randbytes(int(unit * size) | 1) for size in layout]


def make_parts(pieces: Sequence[bytes]) -> list[Part]:
    """Return the parts of an object, the last one marked as such."""
    parts = []
    offset = 0
    for number, piece in enumerate(pieces, 1):
        middle = len(piece) // 2
        body = PartBody([piece[:middle], memoryview(piece)[middle:]])
        parts.append(Part(number, offset, body, last=number == len(pieces)))
        offset += len(piece)
    return parts


def put_all(
    writer: ObjectWriter, pieces: Sequence[bytes], *, last: bool = True, repeat: frozenset[int] | set[int] = frozenset()
) -> None:
    """Put all parts, those in `repeat` twice; `last=False` leaves the object open."""
    for part in make_parts(pieces):
        part_or_open = part if last else Part(part.number, part.offset, part.body, last=False)
        writer.put_part(part_or_open)
        if part.number in repeat:
            writer.put_part(part_or_open)


def create_at_once(store: Store, key: str, together: threading.Barrier, pieces: Sequence[bytes]) -> StorageError | None:
    """Create an object at the same moment as another thread, and return the error if it is refused."""
    origin = {EXPORT_ID: f"e{google_crc32c.value(pieces[0])}"}
    writer = store.again().begin(NewObject(key, TEXT, origin, create_only=True))
    put_all(writer, pieces)
    together.wait(30)
    try:
        writer.complete(expect(b"".join(pieces)))
    except StorageError as error:
        return error
    finally:
        writer.abort()
    return None


def put_and_complete(writer: ObjectWriter, parts: Sequence[Part], expected: ExpectedObject) -> None:
    """Put these parts and complete the object."""
    for part in parts:
        writer.put_part(part)
    writer.complete(expected)


def expect(content: bytes) -> ExpectedObject:
    """Return size and checksum of this content."""
    return ExpectedObject(len(content), google_crc32c.value(content))
