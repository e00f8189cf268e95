"""What the pipeline remembers of the ranges of one object at an explicit key (G5)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.sinks.base import NDJSON, NewObject
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.streaming.pipeline.blocks import BlockPool, Output
from labelbox_export_provider.streaming.pipeline.call_pool import CallPool
from labelbox_export_provider.streaming.pipeline.ordered_buffer import OrderedBuffer
from labelbox_export_provider.streaming.pipeline.parts import UploadContext
from labelbox_export_provider.streaming.pipeline.ranges import RangeJoiner
from labelbox_export_provider.streaming.pipeline.staged import ObjectAccount

PART_BYTES = 100


class _Numbers:
    """Receipts of which only the numbers are kept."""

    range_bytes = PART_BYTES

    def __init__(self) -> None:
        self.written: list[int] = []

    def is_kept(self, number: int) -> bool:
        return number in self.written

    def read(self, number: int) -> ObjectAccount:
        raise AssertionError(f"range {number} is of this try, so its receipt is not read")

    def write(self, account: ObjectAccount) -> None:
        self.written.append(account.staged.number)

    def has(self, number: int) -> bool:
        return number in self.written


def test_a_range_that_is_recorded_leaves_no_future(tmp_path: Path) -> None:
    """One takes 1.5 KiB, and 10 TiB have 20,480 ranges."""
    token, receipts, ranges = CancelToken(), _Numbers(), 50
    with ThreadPoolExecutor(2) as uploaders, closing(CallPool(token)) as calls:
        buffer = OrderedBuffer(token, limit=1 << 20, reserve=0)
        context = UploadContext(calls, uploaders, buffer, BlockPool(1 << 20), PART_BYTES)
        joiner = RangeJoiner(lambda _: FileSink(tmp_path).begin(NewObject("rows", NDJSON)), context, receipts)
        for number in range(ranges):
            joiner.append_output(number, Output(b"x" * PART_BYTES))
            wait(joiner.uploads(), 30)
        assert len(receipts.written) >= ranges - 2
        assert len(joiner.uploads()) <= 3
        (whole,) = joiner.close_objects()
    assert receipts.written == [*range(ranges)]
    assert whole.size == ranges * PART_BYTES
