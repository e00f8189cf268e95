"""One stream into one object: the same bytes however it is moved, verified, and nothing when anything fails."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.stores.servers import files, objects, open_uploads
from support.streaming.http import Reply, Request
from support.streaming.moves import CONTENT, MemoryStore, MemoryWriter, Setting, content_of
from support.streaming.source import serve

from labelbox_export_provider.errors import IntegrityError, StorageError, UnreachableError
from labelbox_export_provider.sinks.base import (
    NewObject,
    Part,
)
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.streaming.pipeline.memory_plan import MIB
from labelbox_export_provider.streaming.pipeline.progress import ProgressReport


def test_waiting_output_is_bounded_with_a_slow_store() -> None:
    """Output that waits is bounded, although nothing is compressed and the store is slow.

    G5: memory does not grow with the export.
    """

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
    assert staged.max_held <= 2 * MIB + 12_000


def test_a_member_larger_than_the_bound_passes() -> None:
    """A member that is larger than what may be held is passed on before it is whole.

    G5: an uncompressed member does not have to fit.
    """
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
    assert staged.max_held < len(content)


def test_files_beyond_those_of_the_workers_are_on_their_way() -> None:
    """While each worker waits for its file, the next ones are requested, also where every other member is empty."""
    workers, file_bytes, files = 4, 2000, 24
    content = (b'{"text":"%s"}\n' % (b"x" * 187)) * (files * file_bytes // 200)
    waiting: set[int] = set()
    missed: list[int] = []
    changed = threading.Condition()

    def twist(number: int, request: Request, reply: Reply) -> Reply:
        with changed:
            if number < 2 * workers:  # until all files are known
                while len(set(source.asked)) < files - 1 and not changed.wait(0.01):
                    pass
            else:
                waiting.add(number)
                changed.notify_all()
                if not changed.wait_for(lambda: len(waiting) >= 2 * workers - 1, timeout=2):
                    missed.append(number)
        return reply

    writer = MemoryWriter()
    setting = Setting(workers=workers, compression=None, trim=False, part_bytes=file_bytes, chunk_bytes=500)
    with serve(content, range(file_bytes, len(content), file_bytes), twist=twist) as source:
        setting.move(source, writer).complete()
    assert writer.content == content
    assert not missed


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
    "one row more announced": (None, {"lines": 121}, IntegrityError, "120 rows; 121 were announced"),
    "one row less announced": (None, {"lines": 119}, IntegrityError, "120 rows; 119 were announced"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_stream_that_differs_is_aborted(name: str, tmp_path: Path) -> None:
    """A stream that is not as announced is aborted and never completed.

    G2, G3: verified before visible, and nothing partial is ever visible.
    """
    twist, options, kind, message = FAILURES[name]
    sink = FileSink(tmp_path)
    with (
        serve(CONTENT, [500, 1000, 1700], twist=twist, **options) as source,
        pytest.raises(kind, match=message) as caught,
    ):
        Setting().move(source, lambda _: sink.begin(NewObject("rows.gz", "application/gzip")))
    assert files(tmp_path) == {}
    assert caught.value.__context__ is None


def test_a_wrong_total_of_bytes_is_an_integrity_error() -> None:
    """A total of bytes that differs from the files is an integrity error.

    G3: bytes match the server's own totals.
    """
    for size, message in (
        (len(CONTENT) - 1, f"beyond the announced total of {len(CONTENT) - 1} bytes"),
        (len(CONTENT) + 1, f"no file at {len(CONTENT)}"),
    ):
        with serve(CONTENT, [500], size=size) as source, pytest.raises(IntegrityError, match=message):
            Setting().move(source, MemoryWriter())


def test_the_first_error_stops_everything_and_is_raised() -> None:
    """The first error stops all threads and is the one that is raised."""

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


def test_progress_is_reported_every_ten_seconds() -> None:
    """Progress is reported about every ten seconds, with true numbers."""
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
    assert ": 99 % (999 of 1000 bytes)" in ProgressReport("export e1", 999, 1000, 7, 5.0).describe()
    line = ProgressReport("export e1", 250, 1000, 7, 5.0).describe()
    assert line == "export e1: 25 % (250 of 1000 bytes), 7 rows read, 0.0 MB/s, about 15 s left"


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
