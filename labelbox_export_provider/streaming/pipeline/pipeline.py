"""Moves one stream from its files into its objects, in bounded memory, verified, but not completed.

Workers make tasks (`tasks`), the calling thread joins what they leave, in order, into objects (`objects`) and their
parts, which other threads send. Everything that a worker finds out comes back as a value and is added up in one place
(`verifier`). The first error stops all, the objects are aborted, and that error is raised, no other.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.sinks.base import ObjectWriter
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.download.file_index import FileIndex
from labelbox_export_provider.streaming.download.stream_reader import CHUNK_BYTES, StreamReader
from labelbox_export_provider.streaming.pipeline.blocks import BLOCK_BYTES, BlockPool, BlockWriter
from labelbox_export_provider.streaming.pipeline.members import Member
from labelbox_export_provider.streaming.pipeline.memory_plan import SLACK_BYTES, MemoryPlan
from labelbox_export_provider.streaming.pipeline.objects import ObjectSplitter
from labelbox_export_provider.streaming.pipeline.ordered_buffer import OrderedBuffer
from labelbox_export_provider.streaming.pipeline.progress import MemberProgress, Progress, ProgressReport, log_progress
from labelbox_export_provider.streaming.pipeline.spans import Span
from labelbox_export_provider.streaming.pipeline.staged import StagedObject, StagedStream
from labelbox_export_provider.streaming.pipeline.work import MemberWork, OutputFormat, SpanWork, StreamContext, Work
from labelbox_export_provider.streaming.rows.verification import StreamVerifier

__all__ = ["OutputFormat", "StagedObject", "StagedStream", "Stream", "TransferHooks", "stage_stream"]

_TICK = 1.0


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of one export: how to ask for its files, what was announced, and its name for logs and errors."""

    label: str
    totals: StreamTotals
    ask: Callable[[int], ExportFile]


@dataclass(frozen=True, slots=True)
class TransferHooks:
    """What a transfer takes from outside: waiting, time, and where progress goes.

    `sleep` None means to wait in a way that ends when the transfer does. `watch` is given the progress to look into.
    """

    sleep: Callable[[float], object] | None = None
    clock: Callable[[], float] = time.monotonic
    report: Callable[[ProgressReport], None] = log_progress
    watch: Callable[[Progress], None] | None = None
    chunk_bytes: int = CHUNK_BYTES


def stage_stream(
    stream: Stream,
    *,
    host: FileHost,
    open_object: Callable[[int], ObjectWriter],
    output_format: OutputFormat,
    plan: MemoryPlan,
    transfer_hooks: TransferHooks | None = None,
) -> StagedStream:
    """Move a stream into its objects and verify it; aborts all of them and raises when anything fails.

    `open_object` begins the object with a number, counted from 0; it is called by this thread, when an object's first
    bytes come, and never for one without bytes.
    """
    run = _Run(
        stream,
        host=host,
        open_object=open_object,
        output_format=output_format,
        plan=plan,
        transfer_hooks=transfer_hooks,
    )
    try:
        return run.run()
    except BaseException as error:
        run.stop(error)
        run.abort()
        run.close()
        first = run.output_buffer.error
        if first is None or first is error:
            raise
    # Outside of the handler: what a stopped thread raised says nothing.
    raise first


class _Run:
    def __init__(
        self,
        stream: Stream,
        *,
        host: FileHost,
        open_object: Callable[[int], ObjectWriter],
        output_format: OutputFormat,
        plan: MemoryPlan,
        transfer_hooks: TransferHooks | None,
    ) -> None:
        transfer_hooks = transfer_hooks or TransferHooks()
        size = stream.totals.size
        self.output_buffer = OrderedBuffer(limit=plan.held_bytes, reserve=plan.part_bytes + SLACK_BYTES)
        self._stream = stream
        self._plan = plan
        ahead = max(4 * plan.workers * output_format.member_bytes, 64 * 1024**2)
        self._index = FileIndex(stream.ask, stream.totals, label=stream.label, ahead_bytes=ahead)
        self._reader = StreamReader(
            self._index,
            host,
            size=size,
            label=stream.label,
            sleep=transfer_hooks.sleep or self.output_buffer.wait,
            chunk_bytes=transfer_hooks.chunk_bytes,
        )
        self._verifier = StreamVerifier(stream.totals, self._reader.checksums, stream.label)
        self._progress = Progress(stream.label, size, report=transfer_hooks.report, clock=transfer_hooks.clock)
        if transfer_hooks.watch is not None:
            transfer_hooks.watch(self._progress)
        self._makers = ThreadPoolExecutor(plan.workers, thread_name_prefix="labelbox-member")
        self._uploaders = ThreadPoolExecutor(plan.workers, thread_name_prefix="labelbox-upload")
        # Small plans, as in tests, have to leave room for some blocks besides the part that is being gathered.
        self._pool = BlockPool(max(1, min(BLOCK_BYTES, (plan.held_bytes - plan.part_bytes) // 4)))
        self._objects = ObjectSplitter(open_object, self._uploaders, self.output_buffer, self._pool, plan.part_bytes)
        stream_context = StreamContext(
            stream.totals,
            output_format,
            plan.part_bytes,
            self._index,
            self._reader,
            self.output_buffer,
            self._objects,
            self._verifier,
        )
        self._tasks: Work[Any, Any] = (
            SpanWork(stream_context) if output_format.passthrough else MemberWork(stream_context)
        )

    def run(self) -> StagedStream:
        running: deque[tuple[Member | Span, Future[Any]]] = deque()
        coming = self._tasks.coming()
        while True:
            while len(running) < 2 * self._plan.workers and (task := next(coming, None)) is not None:
                notes = self._progress.member(task.number)
                running.append((task, self._makers.submit(self._make, task, notes)))
            if not running:
                break
            self._join(*running.popleft())
        self._tasks.finish()
        self._objects.finish()
        self._verifier.close()
        self.close()
        return StagedStream(
            self._verifier.counts,
            self._verifier.crc32c,
            self._objects.staged(),
            self._objects.kept_in_memory,
            self.output_buffer.most_held,
        )

    def stop(self, error: BaseException) -> None:
        """Stop all threads, and wait for those that could still send something."""
        self.output_buffer.stop(error)
        self._index.close()
        self._makers.shutdown(wait=False, cancel_futures=True)
        self._uploaders.shutdown(wait=True, cancel_futures=True)

    def abort(self) -> None:
        self._objects.abort()

    def close(self) -> None:
        self._index.close()
        self._makers.shutdown(wait=True)
        self._uploaders.shutdown(wait=True)

    def _join(self, task: Member | Span, future: Future[Any]) -> None:
        while (data := self.output_buffer.take(task.number, every=_TICK, tick=self._progress.tick)) is not None:
            self._tasks.join(task, data)
            self._progress.tick()
        self._tasks.end(task, future.result())
        self._progress.finish(task.number)
        self._index.forget_before(task.stop)

    def _make(self, task: Member | Span, notes: MemberProgress) -> Any:
        try:
            blocks = BlockWriter(self._pool, lambda output: self.output_buffer.put(task.number, output))
            account = self._tasks.make(task, blocks.write, notes)
            blocks.finish()
        except BaseException as error:
            self.output_buffer.stop(error)
            raise
        else:
            return account
        finally:
            self.output_buffer.finish(task.number)
