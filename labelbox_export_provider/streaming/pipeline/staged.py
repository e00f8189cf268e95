"""Staged objects: read, verified and uploaded, but not visible yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from labelbox_export_provider.sinks.base import ExpectedObject, ObjectWriter, WrittenObject
from labelbox_export_provider.streaming.rows.counts import RowCounts
from labelbox_export_provider.streaming.rows.verification import Segment


@dataclass(frozen=True, slots=True)
class StagedObject:
    """One object of a stream, numbered from 0. `size` and `crc32c` are those of the stored bytes.

    An object without bytes (all its rows are trimmed, or no row starts in its range) was never opened in the store: its
    `size` is 0, `writer` is None, and `complete` must not be called.
    """

    number: int
    counts: RowCounts
    size: int
    crc32c: int
    writer: ObjectWriter | None

    def complete(self) -> WrittenObject:
        """Make the object visible."""
        if self.writer is None:
            raise ValueError(f"object {self.number} has no bytes, so there is nothing to complete")
        return self.writer.complete(ExpectedObject(self.size, self.crc32c))


@dataclass(frozen=True, slots=True)
class ObjectAccount:
    """A staged object with the account of the source bytes in its range, one segment a file.

    `parts` says which of its writer's parts its receipt names: from a place, up to another one.
    """

    staged: StagedObject
    segments: list[Segment]
    parts: tuple[int, int | None] = (0, None)


class ObjectReceipts(Protocol):
    """Records objects that are stored and not visible, and knows those that an earlier try has stored.

    `read` and `write` call the store; `stage_stream` calls them beside its own work. With `range_bytes`, what is
    numbered are ranges of so many bytes of the source, which make up one object (`RangeJoiner`).
    """

    @property
    def range_bytes(self) -> int | None:
        """Bytes of the source in each range of one object; None where an object is what a receipt is about."""

    def is_kept(self, number: int) -> bool:
        """Return whether an earlier try has stored this object, so that it is not staged again."""

    def read(self, number: int) -> ObjectAccount:
        """Return the account of a kept object."""

    def write(self, account: ObjectAccount) -> None:
        """Record an object of which all parts are stored."""

    def has(self, number: int) -> bool:
        """Return whether a receipt names this object, so that a later try needs its upload."""


@dataclass(frozen=True, slots=True)
class StagedStream:
    """A stream that is read, verified and uploaded, but not visible yet: `complete` it or abort its `writers`.

    `objects` are all of them, in order, also those without bytes. `counts` and `source_crc32c` are those of the whole
    stream as it was read. `kept_in_memory` is the most that writers hold until then, `max_held` the most that output
    ever took.
    """

    counts: RowCounts
    source_crc32c: int
    objects: tuple[StagedObject, ...]
    kept_in_memory: int
    max_held: int

    @property
    def size(self) -> int:
        """Bytes of all objects, as stored."""
        return sum(staged.size for staged in self.objects)

    def complete(self) -> list[WrittenObject]:
        """Make the objects that have bytes visible, in order."""
        return [staged.complete() for staged in self.objects if staged.size]

    def writers(self) -> list[ObjectWriter]:
        """Return the writers of all objects that were opened."""
        return [staged.writer for staged in self.objects if staged.writer is not None]
