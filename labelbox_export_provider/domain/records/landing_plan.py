"""The plan of a landing by several tasks, and what one of them returns: small values, fit for XCom."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from labelbox_export_provider.domain.records.handle import ExportId, TolerantRecord

Count = Annotated[int, Field(ge=0)]
MAX_SHARDS = 64
SHARD_BYTES = 8 * 1024**3
"""A task of Airflow costs seconds by itself, so a shard is worth one only from some size on."""


class LandingPlan(TolerantRecord):
    """How the objects of one export are split between tasks. Whatever the export's size, it stays below 8 KiB of JSON.

    `source_bytes` and `source_rows` are the totals of the result stream, `object_bytes` is how many bytes of it go into
    one object, None where there is one object only, and `encoding` is all that decides their bytes. `staging` is where
    the receipts are. A shard is the numbers of its first object and of the one behind its last. There are none where an
    earlier try has landed the export (`landed`), or where it is not worth several tasks: then `publish` does it all.
    """

    v: Literal[1] = 1
    export_id: ExportId
    generation: str
    encoding: str
    source_bytes: Count
    source_rows: Count
    object_bytes: int | None
    staging: str
    shards: tuple[tuple[int, int], ...]
    landed: bool = False


class StagedShard(TolerantRecord):
    """What one task has staged: objects `first` to `last` (not included), `kept` of them by an earlier try.

    `rows` and `bytes` are those of the source. What else is known of the objects is in their receipts.
    """

    v: Literal[1] = 1
    first: int
    last: int
    kept: Count
    rows: Count
    bytes: Count


def shards_of(count: int, object_bytes: int, *, max_shards: int, shard_bytes: int) -> tuple[tuple[int, int], ...]:
    """Split so many objects into shards of `shard_bytes` of the source or more, `max_shards` at most."""
    each = max(1, -(-shard_bytes // object_bytes), -(-count // max_shards))
    return tuple((first, min(first + each, count)) for first in range(0, count, each))
