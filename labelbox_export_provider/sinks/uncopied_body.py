"""The body of a part as HTTP clients read it: in the buffers that it consists of, without copies."""

from __future__ import annotations

from labelbox_export_provider.sinks.base import PartBody


class UncopiedBody(PartBody):
    """A part whose `read` returns views of whole buffers, whatever size is requested.

    Why: botocore reads a body to sign it and to send it, and urllib3 sends it in 16 KiB reads. Copies, and 65,536 sends
    per GiB that each wait for the interpreter's lock, cost more than the sending itself. Signature and sockets take any
    sizes. Callers that need an exact size use `readinto`, as awscrt does.
    """

    def read(self, size: int | None = -1) -> memoryview | bytes:
        """Return the rest of the buffer at the position, empty at the end; without a size, all that is left."""
        if size is None or size < 0:
            return b"".join(iter(self.read_piece, b""))
        return self.read_piece()

    @classmethod
    def of(cls, body: PartBody) -> UncopiedBody:
        """Return another reader of the same memory, at its start."""
        return cls(body.buffers())
