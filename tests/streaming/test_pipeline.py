"""One stream into one object: the same bytes however it is moved, verified, and nothing when anything fails."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.streaming_http import Reply, Request
from support.streaming_source import SETTINGS, Source, faults, serve
from support.streaming_stores import files, objects, open_uploads

from labelbox_export_provider.spec.errors import IntegrityError, StorageError, UnreachableError
from labelbox_export_provider.spec.windows import TrimRule
from labelbox_export_provider.streaming.budget import MIB, MemoryPlan
from labelbox_export_provider.streaming.file_host import FileHost
from labelbox_export_provider.streaming.pipeline import (
    StagedStream,
    Stream,
    Surroundings,
    Treatment,
    stage_stream,
)
from labelbox_export_provider.streaming.progress import ProgressReport
from labelbox_export_provider.streaming.sinks.base import (
    ExpectedObject,
    NewObject,
    ObjectWriter,
    Part,
    WrittenObject,
)
from labelbox_export_provider.streaming.sinks.file import FileSink
from labelbox_export_provider.streaming.sinks.s3 import S3Sink

MARGIN_ROW = b'{"data_row":{"details":{"last_activity_at":"2026-11-22T01:59:59.5Z"}}}'


class MemoryWriter(ObjectWriter):
    """Keeps parts in a dictionary; checks what the contract says of them."""

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
    from datetime import datetime, timedelta, timezone

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
        self, source: Source, open_object: ObjectWriter | Callable[[int], ObjectWriter], **surroundings: Any
    ) -> StagedStream:
        host = FileHost(SETTINGS, user_agent="tests")
        try:
            return stage_stream(
                Stream("export e1, RESULT stream", source.totals, source.ask),
                host=host,
                open_object=open_object if callable(open_object) else lambda _: open_object,
                treatment=Treatment(
                    self.compression,
                    rule() if self.trim else None,
                    max_trim_line=200,
                    object_bytes=self.object_bytes,
                    member_bytes=self.member_bytes,
                    block_bytes=50,
                ),
                plan=MemoryPlan(self.workers, self.part_bytes, self.held_bytes),
                surroundings=Surroundings(
                    **{"sleep": self.waits.append, "chunk_bytes": self.chunk_bytes, **surroundings}
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


def kept(content: bytes) -> bytes:
    return b"".join(line for line in content.splitlines(keepends=True) if line.strip() != MARGIN_ROW)


def split_kept(content: bytes) -> bytes:
    return b"\n".join(line for line in content.split(b"\n") if line != MARGIN_ROW)


CONTENT = content_of(120)


def reference(setting: Setting, content: bytes = CONTENT) -> bytes:
    writer = MemoryWriter()
    with serve(content) as source:
        replace(setting, workers=1, part_bytes=10**9, held_bytes=2 * 10**9).move(source, writer).complete()
    assert writer.content is not None
    return writer.content


@pytest.mark.parametrize("compression", ["gzip", None])
@pytest.mark.parametrize("trim", [True, False])
def test_the_same_export_gives_the_same_bytes_however_it_is_moved(compression: Any, trim: bool) -> None:
    """G8: same export, same bytes, whatever workers, part size, resume or file layout."""
    expected = reference(Setting(compression=compression, trim=trim))
    plain = gzip.decompress(expected) if compression else expected
    assert plain == (split_kept(CONTENT) if trim else CONTENT)

    @settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.integers(1, len(CONTENT) - 1), max_size=12),
        st.integers(1, 6),
        st.integers(20, 3000),
        st.integers(1, 4000),
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300), st.booleans()), max_size=4),
    )
    def check(
        cuts: list[int], workers: int, part_bytes: int, chunk_bytes: int, breaks: list[tuple[int, int, bool]]
    ) -> None:
        spoil = faults(
            *(
                (number, lambda reply, after=after, closed=closed: replace(reply, break_after=after, hang_up=closed))
                for number, after, closed in breaks
            )
        )
        writer = MemoryWriter()
        setting = Setting(
            workers=workers,
            part_bytes=part_bytes,
            chunk_bytes=chunk_bytes,
            compression=compression,
            trim=trim,
        )
        with serve(CONTENT, cuts, twist=spoil) as source:
            staged = setting.move(source, writer)
        staged.complete()
        assert writer.content == expected
        assert staged.counts.rows == 120
        assert staged.counts.rows_kept == (120 - 17 if trim else 120)
        assert staged.source_crc32c == google_crc32c.value(CONTENT)

    check()


def by_objects(content: bytes, object_bytes: int, *, trim: bool) -> dict[int, list[bytes]]:
    """What each object has to hold: the rows that start in its range of the source."""
    found: dict[int, list[bytes]] = {number: [] for number in range(-(-len(content) // object_bytes))}
    offset = 0
    for row in content.splitlines(keepends=True):
        if not (trim and row.strip() == MARGIN_ROW):
            found[offset // object_bytes].append(row)
        offset += len(row)
    return found


LONG = CONTENT.replace(b'"text":"', b'"text":"' + b"y" * 2500, 1)


@pytest.mark.parametrize("compression", ["gzip", None])
@pytest.mark.parametrize("trim", [True, False])
@pytest.mark.parametrize("object_bytes", [47, 600, 1000, 2048])
def test_each_row_lands_in_the_object_in_whose_range_of_the_source_it_starts(
    object_bytes: int, trim: bool, compression: Any
) -> None:
    """G8: objects depend on the export and `max_object_bytes` alone. A long row leaves objects without bytes."""
    content = LONG.replace(b"\xe2\x80\xa8", b"___")
    expected = by_objects(content, object_bytes, trim=trim)
    store = MemoryStore()
    setting = Setting(compression=compression, trim=trim, object_bytes=object_bytes)
    with serve(content, [object_bytes, 700, 701, 3 * object_bytes]) as source:
        staged = setting.move(source, store.open)
    written = staged.complete()
    assert [each.number for each in staged.objects] == list(expected)
    assert sorted(store.writers) == [number for number, rows in expected.items() if rows]
    assert len(written) == len(store.writers)
    for number, data in store.contents().items():
        assert data is not None
        assert (gzip.decompress(data) if compression else data) == b"".join(expected[number])
    assert [each.counts.rows_kept for each in staged.objects] == [len(rows) for rows in expected.values()]
    assert [each.counts.bytes_kept for each in staged.objects] == [sum(map(len, rows)) for rows in expected.values()]
    assert [each.size for each in staged.objects if not expected[each.number]] == [0] * sum(
        not rows for rows in expected.values()
    )
    assert staged.counts.rows == 120


def test_output_that_waits_is_bounded_although_nothing_is_compressed_and_the_store_is_slow() -> None:
    """G5: memory does not grow with the export."""

    class SlowWriter(MemoryWriter):
        def put_part(self, part: Part) -> None:
            threading.Event().wait(0.002)
            super().put_part(part)

    writer = SlowWriter()
    content = content_of(4000)
    setting = Setting(
        workers=6, compression=None, trim=False, part_bytes=2000, member_bytes=5000, chunk_bytes=500,
        held_bytes=2 * MIB + 12_000,
    )  # fmt: skip
    with serve(content) as source:
        staged = setting.move(source, writer)
    staged.complete()
    assert writer.content == content
    assert staged.most_held <= 2 * MIB + 12_000


def test_a_member_is_not_held_back_until_it_is_whole_when_it_is_larger_than_what_may_be_held() -> None:
    """G5: an uncompressed member does not have to fit."""
    content = content_of(60_000)
    writer = MemoryWriter()
    setting = Setting(
        workers=2, compression=None, part_bytes=MIB // 4, member_bytes=32 * MIB, chunk_bytes=65_536,
        held_bytes=MIB // 2 + 2 * MIB, trim=False,
    )  # fmt: skip
    with serve(content) as source:
        staged = setting.move(source, writer)
    staged.complete()
    assert writer.content == content
    assert staged.most_held < len(content)


# --- what fails


def spoil_all(change: Any) -> Any:
    def twist(number: int, request: Request, reply: Reply) -> Reply:
        changed: Reply = change(reply)
        return changed

    return twist


def other_byte(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[:-1] + bytes([reply.body[-1] ^ 2]))


FAILURES: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "other bytes": (spoil_all(other_byte), {}, IntegrityError, "CRC32C"),
    "ending early": (
        spoil_all(lambda reply: replace(reply, body=reply.body[:-1])),
        {},
        IntegrityError,
        "were announced",
    ),
    "refused": (lambda number, request, reply: Reply(403), {}, UnreachableError, "HTTP 403"),
    "one row more announced": (None, {"lines": 121}, IntegrityError, "120 rows; announced were 121"),
    "one row less announced": (None, {"lines": 119}, IntegrityError, "120 rows; announced were 119"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_stream_that_is_not_as_announced_is_aborted_and_never_completed(name: str, tmp_path: Path) -> None:
    """G2, G3: verified before visible, and nothing partial is ever visible."""
    twist, options, kind, message = FAILURES[name]
    sink = FileSink(tmp_path)
    with (
        serve(CONTENT, [500, 1000, 1700], twist=twist, **options) as source,
        pytest.raises(kind, match=message) as caught,
    ):
        Setting().move(source, lambda _: sink.begin(NewObject("rows.gz", "application/gzip")))
    assert files(tmp_path) == {}
    assert caught.value.__context__ is None


def test_a_total_of_bytes_that_differs_from_the_files_is_an_integrity_error() -> None:
    """G3: bytes match the server's own totals."""
    for size, message in (
        (len(CONTENT) - 1, f"beyond the announced total of {len(CONTENT) - 1} bytes"),
        (len(CONTENT) + 1, f"no file at {len(CONTENT)}"),
    ):
        with serve(CONTENT, [500], size=size) as source, pytest.raises(IntegrityError, match=message):
            Setting().move(source, MemoryWriter())


def test_the_first_error_stops_everything_and_is_the_one_that_is_raised() -> None:
    class FullStore(MemoryWriter):
        def put_part(self, part: Part) -> None:
            if part.number == 3:
                raise StorageError("no space in the store")
            super().put_part(part)

    writer = FullStore()
    before = threading.active_count()
    with (
        serve(content_of(3000), range(1000, 60_000, 1000)) as source,
        pytest.raises(StorageError, match="no space in the store"),
    ):
        Setting(compression=None).move(source, writer)
    assert writer.aborted >= 1
    assert writer.content is None
    assert threading.active_count() <= before + 2


def test_an_interruption_from_outside_aborts_the_object() -> None:
    """G2: whatever is killed and when. Airflow ends a task by an exception in its main thread."""

    class Interruption(BaseException):
        pass

    def interrupt(report: ProgressReport) -> None:
        raise Interruption

    store = MemoryStore()
    ticks = iter(range(0, 10**4, 1))
    with serve(CONTENT) as source, pytest.raises(Interruption):
        Setting(object_bytes=900).move(source, store.open, report=interrupt, clock=lambda: float(next(ticks)))
    assert store.writers
    assert all(writer.aborted == 1 and writer.content is None for writer in store.writers.values())


def test_progress_is_told_about_every_ten_seconds_with_true_numbers() -> None:
    reports: list[ProgressReport] = []
    now = iter(range(10**6))
    with serve(CONTENT, [400, 900]) as source:
        Setting(trim=False, compression=None).move(
            source, MemoryWriter(), report=reports.append, clock=lambda: float(next(now))
        )
    assert reports
    assert all(0 <= report.bytes_done <= report.bytes_total == len(CONTENT) for report in reports)
    assert [report.bytes_done for report in reports] == sorted(report.bytes_done for report in reports)
    gaps = [after.seconds - before.seconds for before, after in pairwise(reports)]
    assert all(gap >= 10 for gap in gaps)
    line = ProgressReport("export e1", 250, 1000, 7, 5.0).line()
    assert line == "export e1: 25 % (250 of 1000 bytes), 7 rows, 0.0 MB/s, about 15 s left"


# --- S3


def test_an_object_of_several_parts_arrives_in_s3_as_it_was_made(moto: str, new_bucket: Any) -> None:
    s3, bucket = new_bucket(moto)
    content = content_of(110_000)
    setting = Setting(
        part_bytes=5 * MIB, held_bytes=30 * MIB, member_bytes=MIB, chunk_bytes=MIB // 4, compression=None, trim=False
    )
    with serve(content, range(700_000, len(content), 700_000)) as source:
        staged = setting.move(source, lambda _: S3Sink(s3, bucket).begin(NewObject("rows", "text/plain")))
        assert objects(s3, bucket) == {}
        (written,) = staged.complete()
    assert objects(s3, bucket) == {"rows": content}
    assert len(content) > 5 * MIB
    assert written.etag is not None
    assert written.etag.endswith("-2")


def test_a_failing_stream_leaves_no_open_upload_in_s3(moto: str, new_bucket: Any) -> None:
    """G2: nothing partial is ever visible, and abort leaves no litter."""
    s3, bucket = new_bucket(moto)
    content = content_of(110_000)
    setting = Setting(
        part_bytes=5 * MIB, held_bytes=30 * MIB, member_bytes=MIB, chunk_bytes=MIB // 4, compression=None, trim=False
    )
    with serve(content, range(700_000, len(content), 700_000), lines=1) as source, pytest.raises(IntegrityError):
        setting.move(source, lambda _: S3Sink(s3, bucket).begin(NewObject("failing", "text/plain")))
    assert "failing" not in objects(s3, bucket)
    assert open_uploads(s3, bucket) == []
