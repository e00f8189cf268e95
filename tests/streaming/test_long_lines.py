"""A row of 100 MB is a row like any other, wherever its timestamp stands, and memory has room for one of them (G5)."""

from __future__ import annotations

import base64
import gzip
import json
import random
from pathlib import Path

import pytest
from support.streaming.programs import run_program
from support.streaming.source import serve

from labelbox_export_provider.testing.object_store import strict_s3

MIB = 1024**2
LONG = 100 * 10**6
INSIDE = b'"details":{"last_activity_at":"2026-11-22T12:00:00.000+00:00"}'
MARGIN = b'"details":{"last_activity_at":"2026-11-21T23:59:59.500+00:00"}'
SHORT = b'{"data_row":{"id":"clx",%s,"row_data":"%s"}}\n' % (INSIDE, b"s" * 2000)
PROGRAM = """
    import json, resource, sys
    sys.path.insert(0, {tests!r})
    from bisect import bisect_right
    from datetime import datetime, timedelta, timezone
    import google_crc32c
    from labelbox_export_provider.client.types import ExportFile, StreamTotals
    from labelbox_export_provider.domain.windows.windows import TrimRule
    from labelbox_export_provider.streaming.pipeline.memory_plan import plan_memory
    from labelbox_export_provider.streaming.download.file_host import FileHost
    from labelbox_export_provider.streaming.pipeline.pipeline import Stream, OutputFormat, stage_stream
    from labelbox_export_provider.sinks.base import NewObject
    from labelbox_export_provider.sinks.file import FileSink
    from labelbox_export_provider.sinks.s3.sink import S3Sink
    from support.stores.servers import BUCKET, s3_client
    from support.streaming.source import SETTINGS

    borders = {borders!r}
    def ask(offset):
        number = bisect_right(borders, offset) - 1
        return ExportFile(borders[number], borders[number + 1] - 1, *{ranges!r}[number], f"{address}/f/{{number}}")
    start, second = datetime(2026, 11, 22, tzinfo=timezone.utc), timedelta(seconds=1)
    rule = TrimRule(start, start + timedelta(days=1), start - second, start + timedelta(days=1) + second)
    sink = S3Sink(s3_client({s3!r}), BUCKET) if {s3!r} else FileSink({root!r})
    host = FileHost(SETTINGS, user_agent="tests")
    google_crc32c.value(b"")
    before = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
    staged = stage_stream(
        Stream("export e1", StreamTotals({size}, {lines}), ask),
        host=host,
        open_object=lambda _: sink.begin(NewObject("rows", "text/plain")),
        output_format=OutputFormat({compression!r}, rule if {trim} else None),
        plan=plan_memory(size={size}, max_memory=128 * 1024**2, minimum_part_bytes=sink.minimum_part_bytes),
    )
    staged.complete()
    after = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
    counts = staged.counts
    print(json.dumps({{"grown": after * 1024 - before, "rows": counts.rows, "trimmed": counts.rows_trimmed,
                       "unknown": counts.rows_unknown, "longest": counts.max_row_bytes}}))
"""


def long_row(details: bytes, *, last: bool) -> bytes:
    text = b'"row_data":"%s"' % (b"long \xc3\xbc " * (LONG // 8))
    first, second = (text, details) if last else (details, text)
    return b'{"data_row":{"id":"clx",%s,%s}}\n' % (first, second)


def move(content: bytes, folder: Path, *, compression: str | None, trim: bool, s3: str | None = None) -> dict[str, int]:
    """Move rows in files of 16 MiB to a folder, or to a server for S3, in a process of its own; return its report."""
    with serve(content, range(16 * MIB, len(content), 16 * MIB)) as source:
        printed = run_program(
            PROGRAM,
            borders=source.borders,
            ranges=source.line_ranges,
            address=source.address,
            root=str(folder),
            s3=s3,
            size=len(content),
            lines=source.lines,
            compression=compression,
            trim=trim,
        )
    report: dict[str, int] = json.loads(printed)
    print(f"grown by {report['grown'] / MIB:.0f} MiB")
    return report


@pytest.mark.thorough
@pytest.mark.timeout(120)
@pytest.mark.parametrize("last", [False, True], ids=["time first", "time last"])
@pytest.mark.parametrize(("compression", "trim"), [(None, False), (None, True), ("gzip", False), ("gzip", True)])
def test_a_row_of_100_mb_passes(compression: str | None, trim: bool, last: bool, tmp_path: Path) -> None:
    """G5: any line length. When trimming, one long row is held besides what `max_memory` allows."""
    kept = SHORT * 3000 + long_row(INSIDE, last=last) + SHORT * 3000
    dropped = long_row(MARGIN, last=last)
    content = kept + dropped + SHORT
    result = move(content, tmp_path, compression=compression, trim=trim)
    landed = (tmp_path / "rows").read_bytes()
    assert (gzip.decompress(landed) if compression else landed) == (kept + SHORT if trim else content)
    assert (result["rows"], result["trimmed"], result["unknown"]) == (6003, int(trim), 0)
    assert result["longest"] == len(dropped)
    assert result["grown"] <= (128 * MIB + 1.15 * LONG if trim else 128 * MIB), result


@pytest.mark.thorough
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("compression", "mib", "rows", "store"),
    [
        (None, 8, 30, "directory"),
        (None, 30, 9, "directory"),
        ("gzip", 30, 9, "directory"),
        (None, 8, 30, "S3"),
        (None, 30, 9, "S3"),
    ],
)
def test_trimmed_rows_of_some_mib_leave_no_gaps(
    compression: str | None, mib: int, rows: int, store: str, tmp_path: Path
) -> None:
    """G5: beyond the bound there is one row, and not one for each worker, where nearly all rows are long."""
    text = base64.b64encode(random.Random(1).randbytes(mib * MIB * 3 // 4))
    row = b'{"data_row":{"id":"clx",%s,"row_data":"%s"}}\n' % (INSIDE, text)
    content = row * rows
    with strict_s3() as s3:
        address = s3.address if store == "S3" else None
        result = move(content, tmp_path, compression=compression, trim=True, s3=address)
    assert (result["rows"], result["longest"]) == (rows, len(row))
    assert result["grown"] <= 128 * MIB + 1.15 * len(row), result
