"""What is stored depends on the rows alone, and every reader of the format can read it."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import zstandard

from labelbox_export_provider.domain.records.object_names import Compression
from labelbox_export_provider.errors import IntegrityError
from labelbox_export_provider.streaming.pipeline.compression import METHODS, Packer, content_type, encoding, nothing

READERS: dict[Compression | None, Callable[[bytes], bytes]] = {
    None: lambda data: data,
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read(),
}
in_every_compression = pytest.mark.parametrize("compression", READERS)


def rows(count: int = 30_000) -> bytes:
    chance = random.Random(1)
    return b"".join(b'{"id":%d,"text":"%s"}\n' % (chance.getrandbits(40), b"w " * (n % 30)) for n in range(count))


def packed(compression: Compression | None, content: bytes, piece_bytes: int, *, verify: bool = False) -> bytes:
    out: list[bytes] = []
    packing = Packer(compression, out.append, block_bytes=100_000, verify=verify)
    for start in range(0, len(content), piece_bytes):
        packing.write(content[start : start + piece_bytes])
    packing.end_member()
    return b"".join(out)


@in_every_compression
def test_compressed_bytes_do_not_depend_on_the_pieces(compression: Compression | None) -> None:
    """The compressed bytes do not depend on the pieces in which rows are passed.

    G8: same export, same bytes. The compressor's output does depend on how it is fed.
    """
    content = rows()
    assert READERS[compression](packed(compression, content, 1_000)) == content
    assert packed(compression, content, 1_000) == packed(compression, content, 77_777)
    assert packed(compression, content, 1_000) == packed(compression, content, len(content))


@in_every_compression
def test_members_one_behind_the_other_are_read_as_one(compression: Compression | None) -> None:
    joined = b"".join(packed(compression, content, 10) for content in (b"a\n", b"", b"b\nc\n"))
    assert READERS[compression](joined) == b"a\nb\nc\n"


@in_every_compression
def test_a_member_without_rows_is_nothing_at_all(compression: Compression | None) -> None:
    assert packed(compression, b"", 1) == b""


@in_every_compression
def test_no_rows_at_all_are_still_a_readable_file(compression: Compression | None) -> None:
    assert READERS[compression](nothing(compression)) == b""
    assert bool(nothing(compression)) == (compression is not None)


def test_a_gzip_header_holds_neither_time_nor_name() -> None:
    assert packed("gzip", b"row\n", 100)[:10] == bytes.fromhex("1f8b08000000000000ff")


def test_a_zstd_frame_is_checked_by_its_readers() -> None:
    frame = bytearray(packed("zstd", rows(100), 1_000))
    assert zstandard.get_frame_parameters(bytes(frame)).has_checksum
    frame[-1] ^= 1
    with pytest.raises(zstandard.ZstdError, match="checksum"):
        READERS["zstd"](bytes(frame))


def test_media_type_and_encoding_differ_by_compression() -> None:
    assert len({content_type(compression) for compression in READERS}) == 3
    assert len({encoding(compression, 1) for compression in READERS}) == 3
    assert encoding("gzip", 1) != encoding("gzip", 2)


@in_every_compression
def test_verifying_changes_no_byte(compression: Compression | None) -> None:
    """G8: the same bytes with `verify` and without."""
    assert packed(compression, rows(), 64 * 1024, verify=True) == packed(compression, rows(), 64 * 1024)


class Faulty:
    """A compressor of the library that gets one byte wrong, in what it takes or in what it returns."""

    def __init__(self, compressor: Any, *, takes: bool) -> None:
        self._compressor = compressor
        self._takes = takes

    def compress(self, data: memoryview) -> bytes:
        """Compress other rows of the same length, or return other bytes."""
        taken = bytearray(data)
        taken[7] ^= self._takes
        return self._returned(self._compressor.compress(bytes(taken)))

    def flush(self) -> bytes:
        """Return the rest, of which a byte in the middle may be wrong."""
        return self._returned(self._compressor.flush())

    def _returned(self, packed: bytes) -> bytes:
        middle = len(packed) // 2
        return packed if self._takes or len(packed) < 40 else packed[:middle] + b"\x5a" + packed[middle + 1 :]


@pytest.mark.parametrize("takes", [True, False], ids=["other rows", "other bytes"])
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_packer_that_errs_is_noticed(compression: Compression, takes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """G3: with `verify` what is packed is unpacked again, so that rows which a packer changed are never published."""
    method = METHODS[compression]
    faulty = replace(method, new_compressor=lambda: Faulty(method.new_compressor(), takes=takes))
    monkeypatch.setitem(METHODS, compression, faulty)

    with pytest.raises(IntegrityError, match="do not unpack to the rows that were read"):
        packed(compression, rows(), 64 * 1024, verify=True)
