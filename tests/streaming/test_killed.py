"""A process that is killed in the middle of an upload leaves nothing visible, and the next try cleans up (G2)."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.stores.servers import files, objects, open_uploads
from support.streaming.http import Reply, Request
from support.streaming.programs import command_of
from support.streaming.source import SETTINGS, Source, serve

from labelbox_export_provider.sinks.base import NewObject, Sink
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.pipeline.memory_plan import MemoryPlan
from labelbox_export_provider.streaming.pipeline.pipeline import OutputFormat, Stream, stage_stream

MIB = 1024**2
CONTENT = b'{"data_row":{"id":"clx1","row_data":"%s"}}\n' % (b"x" * 1000) * 7_000
CUTS = range(MIB, len(CONTENT), MIB)
PROGRAM = """
    import sys
    sys.path.insert(0, {tests!r})
    from labelbox_export_provider.client.types import ExportFile, StreamTotals
    from labelbox_export_provider.streaming.pipeline.memory_plan import MemoryPlan
    from labelbox_export_provider.streaming.download.file_host import FileHost
    from labelbox_export_provider.streaming.pipeline.pipeline import Stream, OutputFormat, stage_stream
    from labelbox_export_provider.sinks.base import NewObject
    from labelbox_export_provider.sinks.file import FileSink
    from labelbox_export_provider.sinks.s3.sink import S3Sink
    from support.streaming.source import SETTINGS, SIGNATURE
    from support.stores.servers import s3_client

    borders = {borders!r}
    def ask(offset):
        number = next(n for n, end in enumerate(borders[1:]) if offset < end)
        start, end = borders[number], borders[number + 1]
        return ExportFile(start, end - 1, *{ranges!r}[number], f"{address}/secret-path/{{number}}?{{SIGNATURE}}")

    sink = {sink}
    staged = stage_stream(
        Stream("export e1", StreamTotals({size}, {lines}), ask),
        host=FileHost(SETTINGS, user_agent="tests"),
        open_object=lambda _: sink.begin(NewObject("data/rows", "text/plain")),
        output_format=OutputFormat(None, member_bytes={mib}),
        plan=MemoryPlan(2, 5 * {mib}, 40 * {mib}),
    )
    staged.complete()
"""


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def source(gate: threading.Event) -> Iterator[Source]:
    """The last files come only when the gate is opened."""

    def hold(number: int, request: Request, reply: Reply) -> Reply:
        if number >= 6:
            gate.wait(60)
        return reply

    with serve(CONTENT, CUTS, twist=hold) as served:
        yield served


def start(source: Source, sink: str) -> subprocess.Popen[str]:
    command = command_of(
        PROGRAM,
        borders=source.borders,
        ranges=source.line_ranges,
        address=source.address,
        sink=sink,
        size=len(CONTENT),
        lines=source.lines,
        mib=MIB,
    )
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE)


def kill_when(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    for _ in range(1500):
        assert process.poll() is None, "it ended before it was killed"
        if condition():
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    process.communicate()


def land_again(source: Source, sink: Sink, gate: threading.Event) -> None:
    gate.set()
    assert sink.abort_open_uploads("data/rows") == 1
    host = FileHost(SETTINGS, user_agent="tests")
    staged = stage_stream(
        Stream("export e1", source.totals, source.ask),
        host=host,
        open_object=lambda _: sink.begin(NewObject("data/rows", "text/plain")),
        output_format=OutputFormat(None, member_bytes=MIB),
        plan=MemoryPlan(2, 5 * MIB, 40 * MIB),
    )
    staged.complete()
    host.close()


def test_killed_in_the_middle_of_a_file(source: Source, gate: threading.Event, tmp_path: Path) -> None:
    """G2: nothing partial is ever visible, whatever is killed and when."""
    text = f"FileSink({str(tmp_path)!r})"
    kill_when(start(source, text), lambda: sum(map(len, files(tmp_path).values())) >= 5 * MIB)
    assert all(name.startswith("data/.labelbox-") for name in files(tmp_path))
    land_again(source, FileSink(tmp_path), gate)
    assert files(tmp_path) == {"data/rows": CONTENT}


def test_killed_in_the_middle_of_a_multipart_upload(
    source: Source, gate: threading.Event, moto: str, new_bucket: Any
) -> None:
    """G2: nothing partial is ever visible, whatever is killed and when."""
    client, bucket = new_bucket(moto)
    text = f"S3Sink(s3_client({moto!r}), {bucket!r})"

    def part_is_there() -> bool:
        uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        return any(
            client.list_parts(Bucket=bucket, Key="data/rows", UploadId=upload["UploadId"]).get("Parts")
            for upload in uploads
        )

    kill_when(start(source, text), part_is_there)
    assert objects(client, bucket) == {}
    assert open_uploads(client, bucket) == ["data/rows"]
    S3Sink(client, bucket).put(NewObject("data/rows.2", "text/plain"), b"a neighbour")
    land_again(source, S3Sink(client, bucket), gate)
    assert objects(client, bucket) == {"data/rows": CONTENT, "data/rows.2": b"a neighbour"}
    assert open_uploads(client, bucket) == []
