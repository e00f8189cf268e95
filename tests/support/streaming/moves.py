"""Streams moved into memory, in many ways, and what has to come of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import google_crc32c
from support.streaming.source import SETTINGS, Source

from labelbox_export_provider.domain.windows.windows import TrimRule
from labelbox_export_provider.sinks.base import (
    ExpectedObject,
    ObjectWriter,
    Part,
    WrittenObject,
)
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.pipeline.memory_plan import MIB, MemoryPlan
from labelbox_export_provider.streaming.pipeline.pipeline import (
    OutputFormat,
    StagedStream,
    Stream,
    TransferHooks,
    stage_stream,
)

MARGIN_ROW = b'{"data_row":{"details":{"last_activity_at":"2026-11-22T01:59:59.5Z"}}}'


class MemoryWriter(ObjectWriter):
    """Keeps parts in a dictionary; checks them as the contract demands."""

    def __init__(self) -> None:
        self.parts: dict[int, tuple[int, bytes, bool]] = {}
        self.aborted = 0
        self.content: bytes | None = None

    def put_part(self, part: Part) -> None:
        self.parts[part.number] = (part.offset, part.body.read(), part.last)

    def complete(self, expected: ExpectedObject) -> WrittenObject:
        ordered = [self.parts[number] for number in range(1, len(self.parts) + 1)]
        content = b"".join(data for _, data, _ in ordered)
        assert [last for _, _, last in ordered] == [False] * (len(ordered) - 1) + [True]
        assert len({len(data) for _, data, last in ordered if not last}) <= 1
        assert [offset for offset, _, _ in ordered] == [
            sum(len(data) for _, data, _ in ordered[:number]) for number in range(len(ordered))
        ]
        assert (len(content), google_crc32c.value(content)) == (expected.size, expected.crc32c)
        self.content = content
        return WrittenObject("k", "memory:k", expected.size, expected.crc32c, None, None)

    def abort(self) -> None:
        self.aborted += 1


class MemoryStore:
    """Opens writers by the number of their object, each once."""

    def __init__(self) -> None:
        self.writers: dict[int, MemoryWriter] = {}

    def open(self, number: int) -> MemoryWriter:
        assert number not in self.writers
        assert list(self.writers) == sorted(self.writers)
        self.writers[number] = MemoryWriter()
        return self.writers[number]

    def contents(self) -> dict[int, bytes | None]:
        return {number: writer.content for number, writer in self.writers.items()}


def rule() -> TrimRule:
    start = datetime(2026, 11, 22, 2, tzinfo=timezone.utc)
    second = timedelta(seconds=1)
    return TrimRule(start, start + 60 * second, start - second, start + 61 * second)


@dataclass
class Setting:
    workers: int = 3
    part_bytes: int = 100
    held_bytes: int = 4 * MIB
    member_bytes: int = 300
    compression: Any = "gzip"
    trim: bool = True
    object_bytes: int | None = None
    chunk_bytes: int = 37
    waits: list[float] = field(default_factory=list)

    def move(
        self, source: Source, open_object: ObjectWriter | Callable[[int], ObjectWriter], **transfer_hooks: Any
    ) -> StagedStream:
        host = FileHost(SETTINGS, user_agent="tests")
        try:
            return stage_stream(
                Stream("export e1, RESULT stream", source.totals, source.ask),
                host=host,
                open_object=open_object if callable(open_object) else lambda _: open_object,
                output_format=OutputFormat(
                    self.compression,
                    rule() if self.trim else None,
                    max_trim_row=200,
                    object_bytes=self.object_bytes,
                    member_bytes=self.member_bytes,
                    block_bytes=50,
                ),
                plan=MemoryPlan(self.workers, self.part_bytes, self.held_bytes),
                transfer_hooks=TransferHooks(
                    **{"sleep": self.waits.append, "chunk_bytes": self.chunk_bytes, **transfer_hooks}
                ),
            )
        finally:
            host.close()


def content_of(rows: int, *, last_newline: bool = True) -> bytes:
    lines = [
        MARGIN_ROW
        if number % 7 == 3
        else b'{"row":%d,"text":"%s"}' % (number, b"Gr\xc3\xbc\xe2\x80\xa8" * (number % 9))
        for number in range(rows)
    ]
    return b"\n".join(lines) + (b"\n" if last_newline else b"")


CONTENT = content_of(120)


def by_objects(content: bytes, object_bytes: int, *, trim: bool) -> dict[int, list[bytes]]:
    """What each object has to hold: the rows that start in its range of the source."""
    found: dict[int, list[bytes]] = {number: [] for number in range(-(-len(content) // object_bytes))}
    offset = 0
    for row in content.splitlines(keepends=True):
        if not (trim and row.strip() == MARGIN_ROW):
            found[offset // object_bytes].append(row)
        offset += len(row)
    return found
