"""What stays in memory of each object and part until the burst of completions (G5)."""

from __future__ import annotations

import json

import pytest
from support.streaming.programs import run_program
from support.streaming.source import serve

from labelbox_export_provider.streaming.landing.options import DEFAULT_MAX_OBJECT_BYTES
from labelbox_export_provider.streaming.pipeline.memory_plan import MAX_PART
from labelbox_export_provider.testing.object_store import strict_s3

OBJECTS, PARTS, PART_BYTES = 90, 20, 1024
PER_OBJECT, PER_PART = 1843, 44
TIB = 1024**4
PROGRAM = """
    import gc, json, sys, tracemalloc
    sys.path.insert(0, {tests!r})
    from labelbox_export_provider.client.types import ExportFile, StreamTotals
    from labelbox_export_provider.sinks.base import EXPORT_ID, NewObject
    from labelbox_export_provider.sinks.s3.sink import S3Sink
    from labelbox_export_provider.streaming.download.file_host import FileHost
    from labelbox_export_provider.streaming.pipeline.memory_plan import MemoryPlan
    from labelbox_export_provider.streaming.pipeline.pipeline import OutputFormat, Stream, stage_stream
    from support.stores.servers import BUCKET, s3_client
    from support.streaming.source import SETTINGS

    sink = S3Sink(s3_client({store!r}), BUCKET)
    def stage(objects):
        host = FileHost(SETTINGS, user_agent="tests")
        staged = stage_stream(
            Stream("export e1", StreamTotals({size}, {lines}),
                   lambda offset: ExportFile(0, {size} - 1, 0, {lines} - 1, {address!r} + "/secret-path/0")),
            host=host,
            open_object=lambda number: sink.begin(
                NewObject(f"data/source=project/id=clp1/{{number:05}}.ndjson", "text/plain", {{EXPORT_ID: "e1"}},
                          hold_small=False)),
            output_format=OutputFormat(None, None, object_bytes=-(-{size} // objects)),
            plan=MemoryPlan(2, {part_bytes}, 1 << 20),
        )
        host.close()
        gc.collect()
        return staged
    for each in stage({objects}).objects:  # what is kept once, whatever the number of objects
        each.writer.abort()
    tracemalloc.start()
    staged = stage({objects})
    ours = [tracemalloc.Filter(True, pattern) for pattern in ("*labelbox_export_provider*", "<string>")]
    kept = tracemalloc.take_snapshot().filter_traces(ours).statistics("filename")
    print(json.dumps({{"kept": sum(each.size for each in kept), "objects": len(staged.objects)}}))
"""


@pytest.mark.thorough
@pytest.mark.timeout(120)
def test_a_closed_object_keeps_what_completion_needs() -> None:
    """An object takes 1.8 KiB to the end and a part 44 bytes, so that 10 TiB of result take less than 64 MiB."""
    objects, parts = 10 * TIB // DEFAULT_MAX_OBJECT_BYTES, 10 * TIB // MAX_PART
    assert objects * PER_OBJECT + parts * PER_PART <= 64 * 1024**2
    content = b'{"a":"%s"}\n' % (b"x" * 500)
    content *= OBJECTS * PARTS * PART_BYTES // len(content)
    with serve(content, []) as source, strict_s3(minimum_part_bytes=1) as store:
        printed = run_program(
            PROGRAM,
            store=store.address,
            address=source.address,
            size=len(content),
            lines=source.lines,
            objects=OBJECTS,
            part_bytes=PART_BYTES,
        )
    result = json.loads(printed)
    assert result["objects"] == OBJECTS
    print(f"{result['kept'] / OBJECTS:.0f} bytes an object of {PARTS} parts")
    assert result["kept"] / OBJECTS < PER_OBJECT + PER_PART * PARTS, result
