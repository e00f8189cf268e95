"""The body of a part as boto3 reads it: in the pieces in which it lies in memory, without copies."""

from __future__ import annotations

from base64 import b64encode

from isal import isal_zlib

from labelbox_export_provider.sinks.base import PartBody


class UncopiedBody(PartBody):
    """A part whose `read` gives views of whole pieces, whatever size was asked for.

    Why: botocore reads a body up to three times (signature, checksum, sending), and urllib3 sends it in 16 KiB reads.
    Copies, and 65,536 sends per GiB that each wait for the interpreter's lock, cost more than the sending itself.
    Signature and checksum take any sizes, and so does a socket. Who needs a size kept uses `readinto`, as awscrt does.
    """

    def read(self, size: int | None = -1) -> memoryview | bytes:
        """Give what is left of the piece at the position, empty at the end; all that is left without a size."""
        if size is None or size < 0:
            return b"".join(iter(self.take_piece, b""))
        return self.take_piece()

    def crc32(self) -> str:
        """Give the CRC-32 of the whole part, in base64, as S3 takes it."""
        value = 0
        for piece in self.buffers():
            value = isal_zlib.crc32(piece, value)
        return b64encode(value.to_bytes(4, "big")).decode()

    @classmethod
    def of(cls, body: PartBody) -> UncopiedBody:
        """Give another reader of the same memory, at its start."""
        return cls(body.buffers())
