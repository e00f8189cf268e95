"""Compression of rows: plain, gzip members or zstd frames.

Members and frames can be concatenated, so several workers can pack them. The output of a packer depends on its input
alone: settings are constant, headers hold no time, and the compressor is fed in blocks of constant size, since its
output depends on how it is fed.

The checksums of a landing are of the source and of what a packer returned. To see a packer that returns other rows,
what it packed can be unpacked again at once: 0.48 CPU-s/GiB for gzip, 0.31 for zstd.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from isal import isal_zlib

from labelbox_export_provider.domain.records.object_names import Compression
from labelbox_export_provider.errors import IntegrityError
from labelbox_export_provider.sinks.base import GZIP, NDJSON, ZSTD

BLOCK_BYTES = 1024**2
"""Bytes that go into the compressor at once, counted from the member's start. Changing it changes every object."""
GZIP_LEVEL = 1
ZSTD_LEVEL = 1
"""Half the CPU of level 3; rows of JSON do not get larger by it."""
_GZIP_CONTAINER = 31
_UNPACKED_BYTES = 1024**2
_DIFFERS = (
    "The compressed rows do not unpack to the rows that were read. Nothing was published; a retry packs them again. If "
    "it happens again, test the memory of the worker's machine."
)


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


class _Unpacked:
    """The CRC-32 of what packed bytes unpack to."""

    def __init__(self) -> None:
        self.crc32 = 0

    def write(self, rows: bytes) -> None:
        """Add the next unpacked bytes."""
        self.crc32 = isal_zlib.crc32(rows, self.crc32)


class _BlockPacker(ABC):
    """Feeds a compressor, which is made with the first block, in blocks of constant size."""

    def __init__(self, emit: Callable[[bytes], None], block_bytes: int = BLOCK_BYTES, *, verify: bool = False) -> None:
        self._emit = emit
        # Filled in place: one that grows and is cleared again costs fresh pages of memory each time.
        self._block = memoryview(bytearray(block_bytes))
        self._filled = 0
        self._compressor: Any = None
        self._crc32 = 0
        self._unpacked = _Unpacked() if verify else None

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
        """Compress the last block and end the member or frame; fails with `IntegrityError` if it does not unpack."""
        if self._filled:
            self._compress()
        if self._compressor is not None:
            self._emit_packed(self._compressor.flush())
            if self._unpacked is not None and self._unpacked.crc32 != self._crc32:
                raise IntegrityError(_DIFFERS)

    @staticmethod
    @abstractmethod
    def new_compressor() -> Any:
        """Return a compressor with `compress` and `flush`."""

    @staticmethod
    @abstractmethod
    def new_unpacker(unpacked: _Unpacked) -> Callable[[bytes], object]:
        """Return a function that unpacks the next packed bytes into `unpacked`, piece by piece."""

    def _compress(self) -> None:
        if self._compressor is None:
            self._compressor = self.new_compressor()
            self._unpack = self.new_unpacker(self._unpacked) if self._unpacked is not None else None
        block, self._filled = self._block[: self._filled], 0
        if self._unpack is not None:
            self._crc32 = isal_zlib.crc32(block, self._crc32)
        if packed := self._compressor.compress(block):
            self._emit_packed(packed)

    def _emit_packed(self, packed: bytes) -> None:
        try:
            if self._unpack is not None:
                self._unpack(packed)
        except Exception as error:  # noqa: BLE001  each library has errors of its own
            raise IntegrityError(_DIFFERS, details=f"{type(error).__name__}: {error}") from None
        self._emit(packed)


class GzipPacker(_BlockPacker):
    """Stores a gzip member."""

    @staticmethod
    def new_compressor() -> Any:
        """Return a compressor of ISA-L, which needs a sixth of zlib's CPU."""
        return isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_CONTAINER)

    @staticmethod
    def new_unpacker(unpacked: _Unpacked) -> Callable[[bytes], object]:
        """Return one of ISA-L, which compares the checksum in the member too."""
        unpacking = isal_zlib.decompressobj(_GZIP_CONTAINER)

        def unpack(packed: bytes) -> None:
            while rows := unpacking.decompress(packed, _UNPACKED_BYTES):
                unpacked.write(rows)
                packed = unpacking.unconsumed_tail

        return unpack


class ZstdPacker(_BlockPacker):
    """Stores a zstd frame with a checksum; its size is not known when it begins, so it is not in the frame."""

    @staticmethod
    def new_compressor() -> Any:
        """Return a compressor of the zstandard library, which is imported only here: it is an extra."""
        import zstandard

        return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()

    @staticmethod
    def new_unpacker(unpacked: _Unpacked) -> Callable[[bytes], object]:
        """Return one of the zstandard library, which compares the checksum in the frame too."""
        import zstandard

        unpacking = zstandard.ZstdDecompressor().stream_writer(unpacked, write_size=_UNPACKED_BYTES)  # type: ignore[arg-type]  # it only writes
        write: Callable[[bytes], object] = unpacking.write
        return write


_PACKERS: dict[Compression, type[_BlockPacker]] = {"gzip": GzipPacker, "zstd": ZstdPacker}


def packer(
    compression: Compression | None,
    emit: Callable[[bytes], None],
    block_bytes: int = BLOCK_BYTES,
    *,
    verify: bool = False,
) -> Packer:
    """Return the packer of a compression; with `verify` it unpacks what it packs, and compares."""
    return PlainPacker(emit) if compression is None else _PACKERS[compression](emit, block_bytes, verify=verify)


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
