"""The receipt: the record of one object that is stored but not visible, so that a later try need not move it again.

It is written when all parts of the object are stored, and removed once the manifest is there. It holds no rows, no keys
and no URLs: whoever reads it learns sizes and checksums. An object at an explicit key has one for each range of its
source, written when the part is stored in which the range ends.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, StringConstraints, ValidationError

from labelbox_export_provider.domain.records.handle import ExportId, TolerantRecord

_CHECKSUM = "checksum"
Count = Annotated[int, Field(ge=0)]
Crc32c = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]


class ReceiptPart(NamedTuple):
    """A part as the store has it: bytes, CRC32C, and its ETag where the store gives one."""

    size: Count
    crc32c: Crc32c
    etag: str | None


class ReceiptSegment(NamedTuple):
    """The source bytes of the object that one file holds, from `offset` on.

    `file` to `last_row` are the file's place in the stream as Labelbox announced it, `starts_row` whether a row begins
    at the file's border though the newline before it is missing. `announced` is the CRC32C of the whole file, where its
    host announced one.
    """

    file: Count
    file_end: Count
    first_row: Count
    last_row: int
    offset: Count
    starts_row: bool
    size: Count
    newlines: Count
    crc32c: Crc32c
    last_byte: Annotated[int, Field(ge=0, le=255)]
    announced: Crc32c | None


class Receipt(TolerantRecord):
    """The record of one stored object, or of one range of the object at an explicit key.

    `source_bytes` and `source_rows` are the totals of the stream, `encoding` is what decides the bytes of its objects.
    `upload` is the store's name for what is not complete: the id of a multipart upload, or the name of a temporary
    file; None for an object without bytes. `counts` are those of its rows. `checksum` is the SHA-256 of all other
    members. That of a range has the parts behind those of the range before it, and as `size` and `crc32c` those of the
    object up to the end of the range, which are at most those of all parts so far.
    """

    v: Literal[1] = 1
    export_id: ExportId
    generation: str
    encoding: str
    source_bytes: Count
    source_rows: Count
    number: Count
    key: str
    size: Count
    crc32c: Crc32c
    upload: str | None
    parts: tuple[ReceiptPart, ...]
    counts: dict[str, Count]
    segments: tuple[ReceiptSegment, ...]
    checksum: str = ""

    def to_json(self) -> bytes:
        """Return its content in the store."""
        plain = self.model_dump(mode="json")
        return _canonical({**plain, _CHECKSUM: _checksum_of(plain)})


def read_receipt(content: bytes) -> Receipt | None:
    """Return the receipt with this content; None where it is damaged or of a version that is not known."""
    try:
        plain = json.loads(content)
        if not isinstance(plain, dict) or plain.get(_CHECKSUM) != _checksum_of(plain):
            return None
        return Receipt.model_validate_json(content)
    except (ValueError, ValidationError):
        return None


def _checksum_of(plain: dict[str, Any]) -> str:
    rest = {name: value for name, value in plain.items() if name != _CHECKSUM}
    return hashlib.sha256(_canonical(rest)).hexdigest()


def _canonical(plain: dict[str, Any]) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
