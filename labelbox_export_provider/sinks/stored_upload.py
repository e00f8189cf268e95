"""What a store needs to complete an object whose parts another process has stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class StoredPart(NamedTuple):
    """Size and CRC32C of a part, and the name that the store gave it; None where it gives none."""

    size: int
    crc32c: int
    etag: str | None


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """An object that is not complete: the store's name for it (an upload's id, a temporary file) and its parts.

    Whoever knows it can complete the object, but reads none of its bytes. With `more` these are its first parts, and
    others may follow, which are put again.
    """

    name: str
    parts: tuple[StoredPart, ...]
    more: bool = False


NO_PARTS = StoredUpload("", ())
