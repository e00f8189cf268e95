"""Output on its way into the store, in blocks of memory that are used again and again.

Left to the allocator, pieces that several threads make and other threads free spread over an arena for each thread, and
each arena keeps the most that it ever held: up to half more memory than is counted, and pages that the kernel has to
clear anew. Blocks cost one copy of bytes that are in the processor's cache at that moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import google_crc32c

BLOCK_BYTES = 1024**2


class Block:
    """Memory for output; `left` bytes of what is in it are not stored yet."""

    __slots__ = ("buffer", "left")

    def __init__(self, buffer: bytearray, left: int) -> None:
        self.buffer = buffer
        self.left = left


class BlockPool:
    """Blocks that are free again. Threads share it; how many blocks there are is bounded by whoever counts output."""

    def __init__(self, block_bytes: int) -> None:
        self.block_bytes = block_bytes
        self._free: list[bytearray] = []
        self._lock = threading.Lock()

    def take(self) -> bytearray:
        """Give the memory of a block."""
        with self._lock:
            return self._free.pop() if self._free else bytearray(self.block_bytes)

    def give_back(self, buffer: bytearray) -> None:
        """Take back memory that nobody looks at any more."""
        with self._lock:
            self._free.append(buffer)

    def stored(self, block: Block, size: int) -> None:
        """Take note that bytes of a block are stored; the last ones set its memory free."""
        with self._lock:
            block.left -= size
            if not block.left:
                self._free.append(block.buffer)


class Output:
    """Bytes `start` to `stop` (not included) of `buffer`, which is that of `block` where there is one."""

    __slots__ = ("_crc32c", "block", "buffer", "start", "stop")

    def __init__(
        self,
        buffer: bytes | bytearray,
        start: int = 0,
        stop: int | None = None,
        *,
        block: Block | None = None,
        crc32c: int | None = None,
    ) -> None:
        self.buffer = buffer
        self.start = start
        self.stop = len(buffer) if stop is None else stop
        self.block = block
        self._crc32c = crc32c

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def view(self) -> memoryview:
        """The bytes, without a copy."""
        return memoryview(self.buffer)[self.start : self.stop]

    @property
    def first_byte(self) -> int:
        """The first of the bytes, of which there has to be one."""
        return self.buffer[self.start]

    @property
    def crc32c(self) -> int:
        """CRC32C of the bytes; that of a piece is worked out when asked for."""
        if self._crc32c is None:
            self._crc32c = google_crc32c.value(bytes(self.view))
        return self._crc32c

    def end_of_row(self) -> int:
        """Give how many bytes there are up to the first newline and with it; 0 where there is none."""
        return max(0, self.buffer.find(b"\n", self.start, self.stop) + 1 - self.start)

    def split(self, size: int) -> tuple[Output, Output]:
        """Give the first `size` bytes and the rest."""
        middle = self.start + size
        return (
            Output(self.buffer, self.start, middle, block=self.block),
            Output(self.buffer, middle, self.stop, block=self.block),
        )


class BlockWriter:
    """Puts bytes of one worker into blocks, and leaves each with `put` when it is full. For one thread."""

    def __init__(self, pool: BlockPool, put: Callable[[Output], None]) -> None:
        self._pool = pool
        self._put = put
        self._buffer: bytearray | None = None
        self._filled = 0
        self._crc32c = 0

    def write(self, data: bytes) -> None:
        """Take bytes."""
        position = 0
        while position < len(data):
            if self._buffer is None:
                self._buffer = self._pool.take()
            size = min(len(data) - position, self._pool.block_bytes - self._filled)
            piece = data if size == len(data) else data[position : position + size]
            self._buffer[self._filled : self._filled + size] = piece
            self._crc32c = google_crc32c.extend(self._crc32c, piece)
            self._filled += size
            position += size
            if self._filled == self._pool.block_bytes:
                self._leave_block(self._buffer)

    def finish(self) -> None:
        """Leave what there is."""
        if self._buffer is None:
            return
        if self._filled > self._pool.block_bytes // 2:
            self._leave_block(self._buffer)
            return
        # Many small ends would hold far more memory than they count for.
        small = Output(bytes(memoryview(self._buffer)[: self._filled]), crc32c=self._crc32c)
        self._pool.give_back(self._buffer)
        self._buffer = None
        self._put(small)

    def _leave_block(self, buffer: bytearray) -> None:
        full = Output(buffer, 0, self._filled, block=Block(buffer, self._filled), crc32c=self._crc32c)
        self._buffer, self._filled, self._crc32c = None, 0, 0
        self._put(full)
