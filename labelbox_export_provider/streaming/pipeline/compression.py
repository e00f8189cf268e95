"""Compression of rows: plain, gzip members or zstd frames.

Members and frames can be concatenated, so several workers can pack them. The output of a packer depends on its input
alone: settings are constant, headers hold no time, and the compressor is fed in blocks of constant size, since its
output depends on how it is fed.

The checksums of a landing are of the source and of what a packer returned. To see a packer that returns other rows,
what it packed can be unpacked again at once: 0.48 CPU-s/GiB for gzip, 0.31 for zstd.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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


class _Unpacked:
    """The CRC-32 of what packed bytes unpack to."""

    def __init__(self) -> None:
        self.crc32 = 0

    def write(self, rows: bytes) -> None:
        """Add the next unpacked bytes."""
        self.crc32 = isal_zlib.crc32(rows, self.crc32)


@dataclass(frozen=True, slots=True)
class Method:
    """A compression: `new_compressor` makes what has `compress` and `flush`, `new_unpacker` what reads its output."""

    media_type: str
    level: int
    new_compressor: Callable[[], Any]
    new_unpacker: Callable[[_Unpacked], Callable[[bytes], object]]


def _gzip_unpacker(unpacked: _Unpacked) -> Callable[[bytes], object]:
    unpacking = isal_zlib.decompressobj(_GZIP_CONTAINER)

    def unpack(packed: bytes) -> None:
        while rows := unpacking.decompress(packed, _UNPACKED_BYTES):
            unpacked.write(rows)
            packed = unpacking.unconsumed_tail

    return unpack


def _zstd_compressor() -> Any:
    import zstandard  # here, since it is an extra

    # The size is not known when a frame begins, so it is not in the frame.
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()


def _zstd_unpacker(unpacked: _Unpacked) -> Callable[[bytes], object]:
    import zstandard

    write: Callable[[bytes], object] = (
        zstandard.ZstdDecompressor().stream_writer(unpacked, write_size=_UNPACKED_BYTES).write  # type: ignore[arg-type]  # it only writes
    )
    return write


METHODS: dict[Compression, Method] = {
    # ISA-L needs a sixth of zlib's CPU. Both unpackers compare the checksum in the member or frame, too.
    "gzip": Method(
        GZIP,
        GZIP_LEVEL,
        lambda: isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_CONTAINER),
        _gzip_unpacker,
    ),
    "zstd": Method(ZSTD, ZSTD_LEVEL, _zstd_compressor, _zstd_unpacker),
}


class Packer:
    """Turns the kept bytes of one member into those that are stored: the same, a gzip member, or a zstd frame.

    A compressor is made with the first block, and fed in blocks of constant size. With `verify` what it packs is
    unpacked and compared. A member without kept bytes emits nothing.
    """

    def __init__(
        self,
        compression: Compression | None,
        emit: Callable[[bytes], None],
        block_bytes: int = BLOCK_BYTES,
        *,
        verify: bool = False,
    ) -> None:
        self._emit = emit
        self._method = None if compression is None else METHODS[compression]
        # Filled in place: one that grows and is cleared again costs fresh pages of memory each time.
        self._block = memoryview(bytearray(block_bytes if self._method is not None else 0))
        self._filled = 0
        self._compressor: Any = None
        self._crc32 = 0
        self._unpacked = _Unpacked() if verify else None

    def write(self, data: bytes | memoryview) -> None:
        """Emit the bytes, or compress the blocks that are full by now."""
        if self._method is None:
            self._emit(data if isinstance(data, bytes) else bytes(data))
            return
        view = memoryview(data)
        while view:
            taken = view[: len(self._block) - self._filled]
            self._block[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            view = view[len(taken) :]
            if self._filled == len(self._block):
                self._compress(self._method)

    def end_member(self) -> None:
        """Compress the last block and end the member or frame; fails with `IntegrityError` if it does not unpack."""
        if self._filled and self._method is not None:
            self._compress(self._method)
        if self._compressor is not None:
            self._emit_packed(self._compressor.flush())
            if self._unpacked is not None and self._unpacked.crc32 != self._crc32:
                raise IntegrityError(_DIFFERS)

    def _compress(self, method: Method) -> None:
        if self._compressor is None:
            self._compressor = method.new_compressor()
            self._unpack = method.new_unpacker(self._unpacked) if self._unpacked is not None else None
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


def nothing(compression: Compression | None) -> bytes:
    """Return the smallest object without rows that readers accept: some refuse an empty file as gzip or zstd."""
    return b"" if compression is None else bytes(METHODS[compression].new_compressor().flush())


def content_type(compression: Compression | None) -> str:
    """Return the media type of the stored bytes.

    No Content-Encoding is ever set: clients would decompress, and readers would decompress again.
    """
    return NDJSON if compression is None else METHODS[compression].media_type


def encoding(compression: Compression | None, member_bytes: int) -> str:
    """Return the name of all that decides the packed bytes besides the rows."""
    if compression is None:
        return "plain"
    return f"{compression}-{METHODS[compression].level}-{BLOCK_BYTES}-{member_bytes}"
