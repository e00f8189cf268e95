"""The pipeline that moves one stream from its files into its objects: in bounded memory, verified, not completed.

Threads: workers process units of work (`work`); the calling thread joins their output, in order, into objects
(`objects`) and parts; uploaders send the parts. A worker returns its counts as a value, and the calling thread adds
them up in one place (`verifier`). The first error stops all threads, the objects are aborted, and that error is raised.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from labelbox_export_provider.cancellation import CancelToken, StoppedError
from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.sinks.base import ObjectWriter
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.download.file_index import FileIndex
from labelbox_export_provider.streaming.download.stream_reader import CHUNK_BYTES, StreamReader
from labelbox_export_provider.streaming.pipeline.blocks import BLOCK_BYTES, BlockPool, BlockWriter
from labelbox_export_provider.streaming.pipeline.call_pool import CallPool, end_calls
from labelbox_export_provider.streaming.pipeline.members import Member
from labelbox_export_provider.streaming.pipeline.memory_plan import SLACK_BYTES, MemoryPlan
from labelbox_export_provider.streaming.pipeline.objects import ObjectSplitter
from labelbox_export_provider.streaming.pipeline.ordered_buffer import OrderedBuffer
from labelbox_export_provider.streaming.pipeline.parts import UploadContext
from labelbox_export_provider.streaming.pipeline.progress import Progress, ProgressReport, UnitProgress, log_progress
from labelbox_export_provider.streaming.pipeline.spans import Span
from labelbox_export_provider.streaming.pipeline.staged import StagedObject, StagedStream
from labelbox_export_provider.streaming.pipeline.work import MemberWork, OutputFormat, SpanWork, StreamContext, Work
from labelbox_export_provider.streaming.rows.verification import StreamVerifier

__all__ = ["OutputFormat", "StagedObject", "StagedStream", "Stream", "TransferHooks", "stage_stream"]

_TICK = 1.0


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of one export: its totals, its name for logs and errors, and the call that returns its files."""

    label: str
    totals: StreamTotals
    ask: Callable[[int], ExportFile]


@dataclass(frozen=True, slots=True)
class TransferHooks:
    """Functions that a transfer calls: to wait, to read the time, and to report progress.

    With `sleep` None, waits end when the transfer stops. `watch` receives the progress object when a stream starts.
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
    calls: CallPool | None = None,
    transfer_hooks: TransferHooks | None = None,
) -> StagedStream:
    """Move a stream into its objects and verify it; abort all of them and raise when anything fails.

    `open_object` begins the object with a number, counted from 0. It is called when the object's first bytes are ready,
    and never for an object without bytes. Cancelling the token of `calls` ends all of it with the
    token's error; a failure cancels the token.
    """
    calls = calls or CallPool(CancelToken())
    run = _Run(
        stream,
        host=host,
        open_object=open_object,
        output_format=output_format,
        plan=plan,
        calls=calls,
        transfer_hooks=transfer_hooks,
    )
    try:
        return run.run()
    except BaseException as error:
        calls.token.cancel(error)
        run.abort()
        if calls.token.error is error:
            raise
    finally:
        run.close()
    # Outside of the handler: the error of a stopped thread does not help.
    raise calls.token.error or StoppedError


class _Run:
    def __init__(
        self,
        stream: Stream,
        *,
        host: FileHost,
        open_object: Callable[[int], ObjectWriter],
        output_format: OutputFormat,
        plan: MemoryPlan,
        calls: CallPool,
        transfer_hooks: TransferHooks | None,
    ) -> None:
        transfer_hooks = transfer_hooks or TransferHooks()
        size = stream.totals.size
        token = calls.token
        self.output_buffer = OrderedBuffer(token, limit=plan.held_bytes, reserve=plan.part_bytes + SLACK_BYTES)
        self._calls = calls
        self._forget: Callable[[], object] = lambda: None
        self._stream = stream
        self._plan = plan
        ahead = max(4 * plan.workers * output_format.member_bytes, 64 * 1024**2)
        self._index = FileIndex(stream.ask, stream.totals, label=stream.label, token=token, ahead_bytes=ahead)
        self._reader = StreamReader(
            self._index,
            host,
            size=size,
            label=stream.label,
            sleep=transfer_hooks.sleep or token.wait,
            chunk_bytes=transfer_hooks.chunk_bytes,
            ahead=True,
        )
        self._verifier = StreamVerifier(stream.totals, self._reader.checksums, stream.label)
        self._progress = Progress(stream.label, size, report=transfer_hooks.report, clock=transfer_hooks.clock)
        if transfer_hooks.watch is not None:
            transfer_hooks.watch(self._progress)
        self._workers = ThreadPoolExecutor(plan.workers, thread_name_prefix="labelbox-member")
        self._uploaders = ThreadPoolExecutor(plan.workers, thread_name_prefix="labelbox-upload")
        # Small plans, as in tests, must leave room for some blocks besides the part that is being filled.
        self._pool = BlockPool(max(1, min(BLOCK_BYTES, (plan.held_bytes - plan.part_bytes) // 4)))
        self._objects = ObjectSplitter(
            open_object, UploadContext(calls, self._uploaders, self.output_buffer, self._pool, plan.part_bytes)
        )
        stream_context = StreamContext(
            token,
            stream.totals,
            output_format,
            plan.part_bytes,
            self._index,
            self._reader,
            self.output_buffer,
            self._objects,
            self._verifier,
        )
        self._work: Work[Any, Any] = (
            SpanWork(stream_context) if output_format.passthrough else MemberWork(stream_context)
        )

    def run(self) -> StagedStream:
        # A signal handler may cancel: of all queues and semaphores, it may put into this kind only.
        planned: SimpleQueue[tuple[Member | Span, Future[Any]] | None] = SimpleQueue()
        free: SimpleQueue[None] = SimpleQueue()
        self._forget = self._calls.token.call_on_cancel(lambda: [each.put(None) for each in (planned, free)])
        for _ in range(2 * self._plan.workers):
            free.put(None)
        planning = self._calls.submit(lambda: self._plan_units(planned, free))
        while (unit := planned.get()) is not None:
            self._join_unit(*unit)
            free.put(None)
        self._calls.results(planning)
        self._work.close_stream()
        objects = self._objects.close_objects()
        self._verifier.verify_totals()
        return StagedStream(
            self._verifier.counts,
            self._verifier.crc32c,
            objects,
            self._objects.kept_in_memory,
            self.output_buffer.max_held,
        )

    def abort(self) -> None:
        """Abort all objects, after the uploads that have begun: none of them may arrive later."""
        end_calls(self._objects.uploads())
        self._calls.abort(self._objects.writers())

    def close(self) -> None:
        """End all threads. Workers end at once, an upload that its store keeps waiting when its client gives it up."""
        self._forget()
        self._index.close()
        self.output_buffer.close()
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._reader.close()
        self._uploaders.shutdown(wait=False, cancel_futures=True)

    def _plan_units(
        self, planned: SimpleQueue[tuple[Member | Span, Future[Any]] | None], free: SimpleQueue[None]
    ) -> None:
        """Start workers on the units; not in the task's thread, since spans wait for the files that Labelbox names."""
        try:
            for unit in self._work.units():
                free.get()
                self._calls.token.check()
                progress = self._progress.start_unit(unit.number)
                if isinstance(unit, Member):
                    self._reader.request_ahead(unit.start, unit.stop)
                planned.put((unit, self._workers.submit(self._process, unit, progress)))
        except BaseException as error:
            self._calls.token.cancel(error)
            raise
        finally:
            planned.put(None)

    def _join_unit(self, unit: Member | Span, future: Future[Any]) -> None:
        report = self._progress.report_if_due
        while (data := self.output_buffer.next_output(unit.number, every=_TICK, tick=report)) is not None:
            self._work.append_output(unit, data)
            report()
        self._work.close_unit(unit, future.result())
        self._progress.finish_unit(unit.number)
        self._index.forget_before(unit.stop)

    def _process(self, unit: Member | Span, progress: UnitProgress) -> Any:
        try:
            blocks = BlockWriter(self._pool, lambda output: self.output_buffer.append_output(unit.number, output))
            account = self._work.process(unit, blocks.write, progress)
            blocks.flush()
        except BaseException as error:
            self._calls.token.cancel(error)
            raise
        else:
            return account
        finally:
            self.output_buffer.close_unit(unit.number)
