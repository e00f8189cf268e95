"""What publishing takes of each object that other tasks have staged (G5)."""

from __future__ import annotations

import gc
import json
import tracemalloc
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from support.stores.servers import strict_store
from support.streaming.exports import landing_client
from support.streaming.programs import run_program
from support.streaming.small_parts import use_small_parts

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.domain.records.object_names import layout_names
from labelbox_export_provider.domain.records.receipt import Receipt, ReceiptPart, ReceiptSegment
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.base import JSON, NewObject
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.streaming.landing.job import Job, encoding
from labelbox_export_provider.streaming.landing.land import LandingOptions, plan_landing, stage_objects
from labelbox_export_provider.streaming.landing.options import DEFAULT_MAX_OBJECT_BYTES
from labelbox_export_provider.streaming.landing.progress import LandingProgress
from labelbox_export_provider.streaming.landing.receipts import Receipts
from labelbox_export_provider.streaming.pipeline.call_pool import CallPool
from labelbox_export_provider.streaming.pipeline.memory_plan import DEFAULT_MAX_MEMORY, MAX_PART
from labelbox_export_provider.streaming.pipeline.pipeline import TransferHooks
from labelbox_export_provider.testing import FakeLabelbox, generate_rows
from labelbox_export_provider.testing.object_store import strict_s3

OBJECT_BYTES = 64 * 1024
PARTS = 4
PART_BYTES = OBJECT_BYTES // PARTS
PER_PART = 44
OBJECTS = 10 * 1024**4 // DEFAULT_MAX_OBJECT_BYTES
"""Those of 10 TiB of result."""
PROGRAM = """
    import gc, json, sys, tracemalloc
    sys.path.insert(0, {tests!r})
    from types import SimpleNamespace
    from labelbox_export_provider.domain.records.handle import ExportHandle
    from labelbox_export_provider.domain.records.landing_plan import LandingPlan
    from labelbox_export_provider.domain.records.object_names import layout_names
    from labelbox_export_provider.sinks.s3.sink import S3Sink
    from labelbox_export_provider.streaming.landing.land import LandingOptions, publish
    from labelbox_export_provider.streaming.pipeline import memory_plan
    from support.stores.servers import BUCKET, s3_client
    from support.streaming.exports import NOW, VERSIONS, landing_client

    memory_plan.MIN_PART = memory_plan.MAX_PART = {part_bytes}
    options = LandingOptions(compression=None, max_object_bytes={object_bytes}, workers=2)
    tracemalloc.start()
    with landing_client(SimpleNamespace(api_key={key!r}, endpoint={endpoint!r})) as at:
        for plan, handle in json.loads({staged!r}):
            sink = S3Sink(s3_client({store!r}), BUCKET)
            sink.minimum_part_bytes = 1
            handle = ExportHandle.parse(handle)
            held = []
            def now():  # when all objects are complete, and the manifest is made
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
                return NOW
            now()
            landed = publish(
                LandingPlan.model_validate(plan), client=at.client, handle=handle, sink=sink, options=options,
                names=layout_names(handle, "lake", None), versions=VERSIONS, now=now,
            )
            manifest = len(landed.manifest.model_dump_json(indent=1))
            print(json.dumps([len(landed.manifest.objects), held[1] - held[0], manifest]))
"""


@pytest.mark.thorough
@pytest.mark.timeout(240)
def test_publishing_10_tib_stays_within_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each object so little is held that those of 10 TiB take less than `max_memory` and 64 MiB."""
    use_small_parts(monkeypatch, PART_BYTES)
    projects = {"clprojectwarm": 500, "clprojectfew": 1500, "clprojectmany": 9000}
    rows = [row for project_id, number in projects.items() for row in generate_rows(number, project_id=project_id)]
    with (
        FakeLabelbox(rows) as fake,
        landing_client(fake) as at,
        strict_s3(minimum_part_bytes=1) as server,
    ):
        staged: list[Any] = []
        for project_id in projects:
            handle = at.export(project_id=project_id)
            common: Any = {"client": at.client, "handle": handle, "names": layout_names(handle, "lake", None)}
            common |= {"options": LandingOptions(compression=None, max_object_bytes=OBJECT_BYTES, workers=2)}
            plan = plan_landing(**common, sink=strict_store(server).sink, max_shards=2, shard_bytes=1)
            for first, last in plan.shards:
                stage_objects(plan, first, last, **common, sink=strict_store(server).sink)
            staged.append([plan.model_dump(mode="json"), handle.to_json()])
        printed = run_program(
            PROGRAM,
            part_bytes=PART_BYTES,
            object_bytes=OBJECT_BYTES,
            key=fake.api_key,
            endpoint=fake.endpoint,
            store=server.address,
            staged=json.dumps(staged),
        )
    _, (few, small, _), (many, large, manifest) = map(json.loads, printed.splitlines())
    assert many > 3 * few > 0
    per_object = (large - small) / (many - few) + (DEFAULT_MAX_OBJECT_BYTES / MAX_PART - PARTS) * PER_PART
    per_object += 3 * manifest / many  # its text, encoded, and as it is sent
    print(f"{per_object:.0f} bytes an object, {OBJECTS * per_object / 1024**2:.0f} MiB in all")
    assert OBJECTS * per_object < DEFAULT_MAX_MEMORY + 64 * 1024**2


def test_receipts_are_read_one_by_one(tmp_path: Path) -> None:
    """A receipt with the parts and files of 512 MiB takes 17 KB when it is read; of those of 10 TiB little stays."""
    number = 400
    each = DEFAULT_MAX_OBJECT_BYTES // MAX_PART
    with FakeLabelbox(generate_rows(1)) as fake, landing_client(fake) as at:
        handle, sink = at.export(), FileSink(tmp_path)
        names, options, calls = (
            layout_names(handle, "lake", None),
            LandingOptions(compression=None),
            CallPool(CancelToken()),
        )
        job = Job(at.client, handle, names, sink, options, LandingProgress(), TransferHooks(), calls)
        for object_number in range(number):
            receipt = Receipt(
                export_id=handle.export_id,
                generation=names.generation,
                encoding=encoding(handle, options, options.max_object_bytes),
                source_bytes=number * each,
                source_rows=number * each,
                number=object_number,
                key=names.data(object_number),
                size=each,
                crc32c=checksum.text(google_crc32c.value(b"x" * each)),
                upload=f"upload-{object_number}",
                parts=tuple(
                    ReceiptPart(1, checksum.text(google_crc32c.value(b"x")), f"etag-{part}") for part in range(each)
                ),
                counts={},
                segments=tuple(
                    ReceiptSegment(file, file, file, file, file, True, 1, 1, "00000000", 10, "00000000")
                    for file in range(object_number * each, (object_number + 1) * each)
                ),
            )
            sink.put(NewObject(names.receipt(object_number), JSON), receipt.to_json())
        receipts = Receipts(job)
        gc.collect()
        tracemalloc.start()
        try:
            assert receipts.name_upload("upload-7")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            calls.close()
    assert receipts.faults == []
    print(f"{peak / number:.0f} bytes a receipt, {OBJECTS * peak / number / 1024**2:.0f} MiB in all")
    assert OBJECTS * peak / number < 32 * 1024**2
