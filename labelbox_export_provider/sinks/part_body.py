"""The body of a part: its bytes, where they are, as a file that can be read more than once."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class PartBody(io.RawIOBase):
    """A seekable, read-only file over buffers that stay where they are.

    Store clients read a body to sign it, to send it and to send it again. Each pass reads the same bytes, and the
    buffers are never joined, so a part costs its own size in memory once.
    """

    def __init__(self, buffers: Iterable[bytes | bytearray | memoryview]) -> None:
        self._buffers: Sequence[memoryview] = [memoryview(buffer) for buffer in buffers]
        self._starts = [0, *accumulate(len(buffer) for buffer in self._buffers)]
        self._position = 0

    def __len__(self) -> int:
        return self._starts[-1]

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; one before the start is refused, one past the end reads as empty."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self)}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset}, before the start of the part")
        self._position = base + offset
        return self._position

    def readinto(self, target: WriteableBuffer) -> int:
        """Fill `target` from the buffers and return the number of bytes read; 0 at the end."""
        view = memoryview(target).cast("B")
        done = 0
        while done < len(view) and self._position < len(self):
            index = bisect_right(self._starts, self._position) - 1
            inside = self._position - self._starts[index]
            piece = self._buffers[index][inside : inside + len(view) - done]
            view[done : done + len(piece)] = piece
            done += len(piece)
            self._position += len(piece)
        return done

    def read_piece(self) -> memoryview:
        """Return the rest of the buffer at the position and move behind it; empty at the end."""
        if self._position >= len(self):
            return memoryview(b"")
        index = bisect_right(self._starts, self._position) - 1
        piece = self._buffers[index][self._position - self._starts[index] :]
        self._position += len(piece)
        return piece

    def buffers(self) -> Sequence[memoryview]:
        """Return the buffers themselves, for stores that can write them without a copy."""
        return self._buffers
