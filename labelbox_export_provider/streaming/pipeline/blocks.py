"""Blocks: memory for output on its way to the store, which is used again.

With the allocator alone, bytes that some threads allocate and others free spread over one arena per thread, and each
arena keeps the most that it ever held: up to half more memory than is counted, and pages that the kernel must clear
again. Blocks are mapped memory, outside of these arenas, and cost one copy of bytes that are in the processor's cache
at that moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

import google_crc32c

BLOCK_BYTES = 1024**2


@dataclass(slots=True)
class Block:
    """Memory for output; `left` bytes of what is in it are not stored yet."""

    buffer: mmap
    left: int


class BlockPool:
    """The free blocks, shared by threads. `OrderedBuffer` bounds the output and so the number of blocks."""

    def __init__(self, block_bytes: int) -> None:
        self.block_bytes = block_bytes
        self._free: list[mmap] = []
        self._mapped = 0
        self._lock = threading.Lock()

    def acquire(self) -> mmap:
        """Return the memory of a block, a free one where there is one."""
        with self._lock:
            if self._free:
                return self._free.pop()
            self._mapped += self.block_bytes
            return mmap(-1, self.block_bytes, flags=MAP_PRIVATE | MAP_ANONYMOUS)

    def release(self, buffer: mmap) -> None:
        """Return memory that nobody reads any more to the pool."""
        with self._lock:
            self._free.append(buffer)

    def keep_within(self, size: int) -> None:
        """Unmap free blocks until all blocks together take `size` bytes at most, or none is free."""
        with self._lock:
            while self._free and self._mapped > size:
                self._free.pop()
                self._mapped -= self.block_bytes

    def mark_stored(self, block: Block, size: int) -> None:
        """Count bytes of a block as stored; with the last of them its memory becomes free."""
        with self._lock:
            block.left -= size
            if not block.left:
                self._free.append(block.buffer)


class Output:
    """Bytes `start` to `stop` (not included) of `buffer`, which belongs to `block` where there is one."""

    __slots__ = ("_crc32c", "block", "buffer", "start", "stop")

    def __init__(
        self,
        buffer: bytes | mmap,
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
    def crc32c(self) -> int:
        """CRC32C of the bytes; that of a part of a block is computed on first use."""
        if self._crc32c is None:
            self._crc32c = google_crc32c.value(bytes(self.view))
        return self._crc32c

    def split(self, size: int) -> tuple[Output, Output]:
        """Return the first `size` bytes and the rest."""
        middle = self.start + size
        return (
            Output(self.buffer, self.start, middle, block=self.block),
            Output(self.buffer, middle, self.stop, block=self.block),
        )


class BlockWriter:
    """Copies the bytes of one worker into blocks, and passes each full one to `emit`. For one thread."""

    def __init__(self, pool: BlockPool, emit: Callable[[Output], None]) -> None:
        self._pool = pool
        self._emit = emit
        self._buffer: mmap | None = None
        self._filled = 0
        self._crc32c = 0

    def write(self, data: bytes) -> None:
        """Copy bytes into blocks."""
        position = 0
        while position < len(data):
            if self._buffer is None:
                self._buffer = self._pool.acquire()
            size = min(len(data) - position, self._pool.block_bytes - self._filled)
            piece = data if size == len(data) else data[position : position + size]
            self._buffer[self._filled : self._filled + size] = piece
            self._crc32c = google_crc32c.extend(self._crc32c, piece)
            self._filled += size
            position += size
            if self._filled == self._pool.block_bytes:
                self._emit_block(self._buffer)

    def flush(self) -> None:
        """Emit the last block."""
        if self._buffer is None:
            return
        if self._filled > self._pool.block_bytes * 7 // 8:
            self._emit_block(self._buffer)
            return
        # Many blocks that are not full would take far more memory than is counted for them.
        small = Output(bytes(memoryview(self._buffer)[: self._filled]), crc32c=self._crc32c)
        self._pool.release(self._buffer)
        self._buffer = None
        self._emit(small)

    def _emit_block(self, buffer: mmap) -> None:
        full = Output(buffer, 0, self._filled, block=Block(buffer, self._filled), crc32c=self._crc32c)
        self._buffer, self._filled, self._crc32c = None, 0, 0
        self._emit(full)
