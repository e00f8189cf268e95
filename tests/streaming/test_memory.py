"""The stated bound of memory, measured on a stream that is larger than it (G5)."""

from __future__ import annotations

import base64
import json
import random
import struct

import google_crc32c
import pytest
from support.streaming.http import Reply, Request, http_server
from support.streaming.programs import run_program

from labelbox_export_provider.sinks import checksum

MIB = 1024**2
FILES = 70
ROW = '{"data_row":{"id":"%d","details":{"last_activity_at":"2026-11-22T12:00:00.000+00:00"},"row_data":"%s"}}\n'
PROGRAM = """
    import json, resource, sys, time
    sys.path.insert(0, {tests!r})
    from datetime import datetime, timedelta, timezone
    import google_crc32c
    from labelbox_export_provider.client.types import ExportFile, StreamTotals
    from labelbox_export_provider.domain.windows.windows import TrimRule
    from labelbox_export_provider.streaming.pipeline.memory_plan import plan_memory
    from labelbox_export_provider.streaming.download.file_host import FileHost
    from labelbox_export_provider.streaming.pipeline.pipeline import Stream, OutputFormat, stage_stream
    from labelbox_export_provider.sinks.base import ObjectWriter
    from support.streaming.source import SETTINGS

    class Discard(ObjectWriter):
        def put_part(self, part):
            while part.body.read(1 << 20):
                pass
            if {slow} and part.number < 3:
                time.sleep(6)
        def complete(self, expected): ...
        def abort(self): ...

    size, rows, files = {size}, {rows}, {files}
    def ask(offset):
        number = offset // size
        return ExportFile(number * size, (number + 1) * size - 1, number * rows, (number + 1) * rows - 1,
                          f"{address}/{{number}}")
    start, second = datetime(2026, 11, 22, tzinfo=timezone.utc), timedelta(seconds=1)
    rule = TrimRule(start, start + timedelta(days=1), start - second, start + timedelta(days=1) + second)
    output_format = OutputFormat({compression!r}, rule if {trim} else None)
    plan = plan_memory(size=size * files, max_memory={max_memory}, members=100)
    host = FileHost(SETTINGS, user_agent="tests")
    google_crc32c.value(b"")
    before = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
    staged = stage_stream(
        Stream("export e1", StreamTotals(size * files, rows * files), ask),
        host=host,
        open_object=lambda _: Discard(),
        output_format=output_format,
        plan=plan,
    )
    # Not ru_maxrss, which counts what the process was before it became this program: a copy of all of pytest.
    after = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(json.dumps({{"grown": after * 1024 - before, "rows": staged.counts.rows, "workers": plan.workers}}))
"""


@pytest.mark.thorough
@pytest.mark.timeout(120)
@pytest.mark.parametrize("max_memory", [48 * MIB, 128 * MIB])
@pytest.mark.parametrize(("compression", "trim"), [("gzip", True), ("zstd", False), (None, False), (None, True)])
def test_a_stream_of_300_mib_stays_within_max_memory(compression: str | None, trim: bool, max_memory: int) -> None:
    """Memory does not grow with the export."""
    result = moved(FILES, 1, compression=compression, trim=trim, max_memory=max_memory)
    assert result["bytes"] > 280 * MIB
    print(
        f"grown by {result['grown'] / MIB:.1f} MiB of {max_memory / MIB:.0f} MiB allowed, {result['workers']} workers"
    )
    assert result["grown"] <= max_memory, result


@pytest.mark.thorough
@pytest.mark.timeout(120)
def test_rows_that_pack_well_stay_within_max_memory() -> None:
    """Memory is counted as it is taken: the last block of each member is full, or no block."""
    result = moved(300, 1, compression="gzip", trim=False, max_memory=64 * MIB, padding=3000, slow=True)
    print(f"grown by {result['grown'] / MIB:.1f} MiB")
    assert result["bytes"] > 2000 * MIB
    assert result["grown"] <= 64 * MIB, result


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_a_single_file_of_10_gib_stays_within_max_memory() -> None:
    """Memory does not grow with a file."""
    result = moved(1, 2450, compression=None, trim=False, max_memory=128 * MIB)
    assert result["bytes"] > 10 * 1024 * MIB
    assert result["grown"] <= 128 * MIB, result


def moved(
    files: int,
    repeats: int,
    *,
    compression: str | None,
    trim: bool,
    max_memory: int,
    padding: int = 0,
    slow: bool = False,
) -> dict[str, int]:
    """Move `files` files, each of the same rows `repeats` times, in a process of its own; return its report.

    All rows have to be counted, and the CRC32C that the host announces for each file has to be found.
    """
    chance = random.Random(1)
    random_bytes = (chance.randbytes(18 if padding else number % 3600) for number in range(2500))
    texts = ("x" * padding + base64.b64encode(each).decode() for each in random_bytes)
    rows = b"".join((ROW % (number, text)).encode() for number, text in enumerate(texts))
    size = len(rows) * repeats
    digest = base64.b64encode(struct.pack(">I", repeated_crc32c(rows, repeats))).decode()
    stock = rows * min(repeats, 8)

    def respond(request: Request) -> Reply:
        headers = {"x-goog-hash": f"crc32c={digest}"}
        asked = request.headers.get("range")
        if asked is None:
            return Reply(200, rows * repeats, headers)
        first, last = (int(part) for part in asked.removeprefix("bytes=").split("-"))
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        begin = first % len(rows)
        assert begin + last - first < len(stock)
        return Reply(206, stock[begin : begin + last + 1 - first], headers)

    with http_server(respond) as address:
        printed = run_program(
            PROGRAM,
            size=size,
            rows=2500 * repeats,
            files=files,
            address=address,
            max_memory=max_memory,
            compression=compression,
            trim=trim,
            slow=slow,
        )
    result: dict[str, int] = json.loads(printed)
    assert result["rows"] == 2500 * repeats * files
    return {**result, "bytes": size * files}


def repeated_crc32c(content: bytes, repeats: int) -> int:
    """Return the CRC32C of content that is repeated, without making it."""
    one, whole = google_crc32c.value(content), 0
    for _ in range(repeats):
        whole = checksum.combine(whole, one, len(content))
    return whole
