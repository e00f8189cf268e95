"""Compresses a local file block by block and throws the result away: what compression costs by itself."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.clients.common import Notes

BLOCK_BYTES = 1024**2
GZIP_CONTAINER = 31


def main() -> None:
    """Compress one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", required=True, type=Path)
    parser.add_argument("--compression", choices=("gzip", "zstd"), required=True)
    parser.add_argument("--level", type=int, required=True)
    given = parser.parse_args()
    compressor = _compressor(given.compression, given.level)
    size = 0
    notes = Notes()
    with given.file.open("rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            size += len(compressor.compress(block))
    size += len(compressor.flush())
    notes.write(bytes=size)


def _compressor(compression: str, level: int) -> Any:
    if compression == "gzip":
        from isal import isal_zlib

        return isal_zlib.compressobj(level, isal_zlib.DEFLATED, GZIP_CONTAINER)
    import zstandard

    return zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()


if __name__ == "__main__":
    main()
