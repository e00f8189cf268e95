"""The memory plan of a transfer: workers, part size and held bytes, derived from its options before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labelbox_export_provider.errors import ConfigurationError

MIB = 1024**2
DEFAULT_MAX_MEMORY = 128 * MIB
DEFAULT_WORKERS = 4
MAX_WORKERS = 32
BASE_BYTES = 5 * MIB
"""Memory of threads, connections and libraries once a transfer runs, whatever its size."""
SAFETY = 1.15
"""Factor by which the allocator and the interpreter exceed the bytes that are counted."""
WORKER_BYTES = 6 * MIB
"""What one worker holds besides its output: pieces it reads, one block, the compressor, one row that is not long."""
SLACK_BYTES = 2 * MIB
"""The largest single output of a worker, and some."""
MIN_PART = MIB
"""For stores that take parts of any size, where calls would cost more than bytes."""
MAX_PART = 16 * MIB
_PLANNED_PARTS = 0.9
"""Share of a store's parts to plan with, since compression can make the bytes a little larger."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """`held_bytes` bounds the output that waits for its turn, is gathered into a part, or is being sent."""

    workers: int
    part_bytes: int
    held_bytes: int


def check_memory_options(
    *, max_memory: int = DEFAULT_MAX_MEMORY, workers: int | None = None, part_bytes: int | None = None
) -> None:
    """Refuse values that can never work, whatever the export; for use while a DAG is parsed."""
    options: dict[str, object] = {"max_memory": max_memory, "workers": workers, "part_bytes": part_bytes}
    for name, value in options.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ConfigurationError(f"{name}={value!r}: must be a whole number above 0.")
    if workers is not None and workers > MAX_WORKERS:
        raise ConfigurationError(f"workers={workers}: must be 1 to {MAX_WORKERS}.")
    # Which store it will be is not known here; `check_part_bytes` knows its own limits.
    plan_memory(
        size=0,
        max_memory=max_memory,
        workers=workers,
        part_bytes=part_bytes,
        minimum_part_bytes=MIN_PART,
        maximum_part_bytes=5 * 1024**4,
    )


def check_part_bytes(part_bytes: int | None, smallest: int, largest: int) -> None:
    """Refuse a part size that a store does not take, whatever the export."""
    if part_bytes is not None and not smallest <= part_bytes <= largest:
        raise ConfigurationError(
            f"part_bytes={part_bytes} must be {smallest} to {largest} for this store. Leave it out to have it derived."
        )


def plan_memory(
    *,
    size: int,
    max_memory: int = DEFAULT_MAX_MEMORY,
    workers: int | None = None,
    part_bytes: int | None = None,
    minimum_part_bytes: int = 5 * MIB,
    maximum_part_bytes: int = 5 * 1024 * MIB,
    maximum_parts: int = 10_000,
    maximum_object_bytes: int | None = None,
    members: int | None = None,
    reserved: int = 0,
) -> MemoryPlan:
    """Derive workers, part size and what may be held, for a stream of `size` bytes in `members` members.

    Values that are passed are kept; the others are made to fit `max_memory`: fewer workers first, then parts of half
    the size. `reserved` bytes are held for objects until all are published.

    Fails with `ConfigurationError`, which names the options and a `max_memory` that would do.
    """
    if maximum_object_bytes is not None and size > maximum_object_bytes:
        raise ConfigurationError(
            f"One object of {size} bytes is more than this store takes ({maximum_object_bytes}). Land below a prefix "
            "instead, with max_object_bytes=, which splits the export."
        )
    needed_part = max(minimum_part_bytes, MIN_PART, -(-size // max(1, int(maximum_parts * _PLANNED_PARTS))))
    if part_bytes is not None and not needed_part <= part_bytes <= maximum_part_bytes:
        raise ConfigurationError(
            f"part_bytes={part_bytes}: for this store and {size} bytes, it must be {needed_part} to "
            f"{maximum_part_bytes} (at most {maximum_parts} parts). Leave it out to have it derived."
        )
    smallest = part_bytes if part_bytes is not None else needed_part
    wanted = part_bytes if part_bytes is not None else max(needed_part, min(MAX_PART, max_memory // 8))
    most_workers = workers if workers is not None else min(DEFAULT_WORKERS, max(1, members or DEFAULT_WORKERS))
    fewest_workers = workers if workers is not None else 1
    budget = int((max_memory - BASE_BYTES) / SAFETY) - reserved

    def planned(count: int, part: int) -> MemoryPlan:
        return MemoryPlan(count, part, budget - count * WORKER_BYTES)

    for part in _part_sizes(wanted, smallest):
        for count in range(most_workers, fewest_workers - 1, -1):
            # While each worker's part is sent, another is filled; two parts are the least for progress.
            if _needed(count, part, parts=count + 1) <= budget:
                return planned(count, part)
    if _needed(fewest_workers, smallest, parts=2) <= budget:
        return planned(fewest_workers, smallest)
    enough = int((_needed(fewest_workers, smallest, parts=2) + reserved) * SAFETY) + BASE_BYTES + 1
    given = [f"max_memory={max_memory}"]
    given += [f"workers={workers}"] if workers is not None else []
    given += [f"part_bytes={part_bytes}"] if part_bytes is not None else []
    held = f", {reserved} bytes of it for objects until all are published" if reserved else ""
    raise ConfigurationError(
        f"{', '.join(given)} do not fit together: {fewest_workers} worker(s) with parts of {smallest} bytes need "
        f"max_memory={enough} at least ({-(-enough // MIB)} MiB{held}). Raise max_memory, or lower workers or "
        f"part_bytes (a part has at least {needed_part} bytes for this store and export)."
    )


def _part_sizes(wanted: int, smallest: int) -> Iterator[int]:
    """Yield the sizes to try: the wanted one, halves of it, the smallest."""
    while wanted > smallest:
        yield wanted
        wanted //= 2
    yield smallest


def _needed(workers: int, part_bytes: int, *, parts: int) -> int:
    return parts * part_bytes + workers * WORKER_BYTES + SLACK_BYTES
