"""Compression of rows: plain, gzip members or zstd frames.

Members and frames can be concatenated, so several workers can pack them. The output of a packer depends on its input
alone: settings are constant, headers hold no time, and the compressor is fed in blocks of constant size, since its
output depends on how it is fed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from isal import isal_zlib

from labelbox_export_provider.domain.records.object_names import Compression
from labelbox_export_provider.sinks.base import GZIP, NDJSON, ZSTD

BLOCK_BYTES = 1024**2
"""Bytes that go into the compressor at once, counted from the member's start. Changing it changes every object."""
GZIP_LEVEL = 1
ZSTD_LEVEL = 1
"""Half the CPU of level 3; rows of JSON do not get larger by it."""
_GZIP_CONTAINER = 31


class Packer(Protocol):
    """Turns the kept bytes of one member into the bytes that are stored."""

    def write(self, data: bytes | memoryview) -> None:
        """Pack kept bytes."""

    def end_member(self) -> None:
        """Emit the rest and end the member. A member without kept bytes emits nothing."""


class PlainPacker:
    """Stores bytes unchanged."""

    def __init__(self, emit: Callable[[bytes], None]) -> None:
        self._emit = emit

    def write(self, data: bytes | memoryview) -> None:
        """Emit the bytes."""
        self._emit(data if isinstance(data, bytes) else bytes(data))

    def end_member(self) -> None:
        """Do nothing: nothing is held."""


class _BlockPacker(ABC):
    """Feeds a compressor, which is made with the first block, in blocks of constant size."""

    def __init__(self, emit: Callable[[bytes], None], block_bytes: int = BLOCK_BYTES) -> None:
        self._emit = emit
        # Filled in place: one that grows and is cleared again costs fresh pages of memory each time.
        self._block = memoryview(bytearray(block_bytes))
        self._filled = 0
        self._compressor: Any = None

    def write(self, data: bytes | memoryview) -> None:
        """Compress the blocks that are full by now."""
        view = memoryview(data)
        while view:
            taken = view[: len(self._block) - self._filled]
            self._block[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            view = view[len(taken) :]
            if self._filled == len(self._block):
                self._compress()

    def end_member(self) -> None:
        """Compress the last block and end the member or frame."""
        if self._filled:
            self._compress()
        if self._compressor is not None:
            self._emit(self._compressor.flush())

    @staticmethod
    @abstractmethod
    def new_compressor() -> Any:
        """Return a compressor with `compress` and `flush`."""

    def _compress(self) -> None:
        if self._compressor is None:
            self._compressor = self.new_compressor()
        if packed := self._compressor.compress(self._block[: self._filled]):
            self._emit(packed)
        self._filled = 0


class GzipPacker(_BlockPacker):
    """Stores a gzip member."""

    @staticmethod
    def new_compressor() -> Any:
        """Return a compressor of ISA-L, which needs a sixth of zlib's CPU."""
        return isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_CONTAINER)


class ZstdPacker(_BlockPacker):
    """Stores a zstd frame with a checksum; its size is not known when it begins, so it is not in the frame."""

    @staticmethod
    def new_compressor() -> Any:
        """Return a compressor of the zstandard library, which is imported only here: it is an extra."""
        import zstandard

        return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()


_PACKERS: dict[Compression, type[_BlockPacker]] = {"gzip": GzipPacker, "zstd": ZstdPacker}


def packer(compression: Compression | None, emit: Callable[[bytes], None], block_bytes: int = BLOCK_BYTES) -> Packer:
    """Return the packer of a compression."""
    return PlainPacker(emit) if compression is None else _PACKERS[compression](emit, block_bytes)


def nothing(compression: Compression | None) -> bytes:
    """Return the smallest object without rows that readers accept: some refuse an empty file as gzip or zstd."""
    return b"" if compression is None else bytes(_PACKERS[compression].new_compressor().flush())


def content_type(compression: Compression | None) -> str:
    """Return the media type of the stored bytes.

    No Content-Encoding is ever set: clients would decompress, and readers would decompress again.
    """
    return {None: NDJSON, "gzip": GZIP, "zstd": ZSTD}[compression]


def encoding(compression: Compression | None, member_bytes: int) -> str:
    """Return the name of all that decides the packed bytes besides the rows."""
    level = {None: None, "gzip": GZIP_LEVEL, "zstd": ZSTD_LEVEL}[compression]
    return "plain" if level is None else f"{compression}-{level}-{BLOCK_BYTES}-{member_bytes}"
