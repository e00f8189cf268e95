"""The pipeline that moves one stream from its files into its objects: in bounded memory, verified, not completed.

Threads: workers read, trim and pack members; the calling thread joins their output, in order, into objects (`objects`)
and parts; uploaders send the parts. A worker returns its counts as a value, and the calling thread adds them up in one
place (`verifier`). The first error stops all threads, the objects are aborted, and that error is raised.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial

from labelbox_export_provider.cancellation import CancelToken, StoppedError
from labelbox_export_provider.sinks.base import ObjectWriter
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.download.file_index import FileIndex
from labelbox_export_provider.streaming.download.stream_reader import Piece, StreamReader
from labelbox_export_provider.streaming.pipeline import blocks
from labelbox_export_provider.streaming.pipeline.blocks import BlockPool, BlockWriter
from labelbox_export_provider.streaming.pipeline.call_pool import CallPool, end_calls
from labelbox_export_provider.streaming.pipeline.compression import Packer
from labelbox_export_provider.streaming.pipeline.inputs import OutputFormat, Stream, TransferHooks
from labelbox_export_provider.streaming.pipeline.members import (
    Member,
    MemberAccount,
    cut_at_files,
    encode_member,
    members,
)
from labelbox_export_provider.streaming.pipeline.memory_plan import SLACK_BYTES, MemoryPlan
from labelbox_export_provider.streaming.pipeline.objects import ObjectSplitter
from labelbox_export_provider.streaming.pipeline.ordered_buffer import OrderedBuffer
from labelbox_export_provider.streaming.pipeline.parts import UploadContext
from labelbox_export_provider.streaming.pipeline.progress import Progress
from labelbox_export_provider.streaming.pipeline.ranges import RangeJoiner
from labelbox_export_provider.streaming.pipeline.staged import (
    ObjectAccount,
    ObjectReceipts,
    StagedObject,
    StagedStream,
)
from labelbox_export_provider.streaming.rows.counts import RowCounter
from labelbox_export_provider.streaming.rows.trimming import RowFilter, RowTrimmer
from labelbox_export_provider.streaming.rows.verification import StreamVerifier

__all__ = ["OutputFormat", "StagedObject", "StagedStream", "Stream", "TransferHooks", "stage_stream"]

_TICK = 1.0


def stage_stream(
    stream: Stream,
    *,
    host: FileHost,
    open_object: Callable[[int], ObjectWriter],
    output_format: OutputFormat,
    plan: MemoryPlan,
    calls: CallPool | None = None,
    transfer_hooks: TransferHooks | None = None,
    receipts: ObjectReceipts | None = None,
    objects: range | None = None,
) -> StagedStream:
    """Move a stream into its objects and verify it; abort all of them and raise when anything fails.

    `open_object` begins the object with a number, counted from 0. It is called when the object's first bytes are ready,
    and never for an object without bytes. Cancelling the token of `calls` ends all of it with the
    token's error; a failure cancels the token. Objects that `receipts` keeps are not moved, and those that it names are
    not aborted. With `objects` only these are staged, and the totals of the stream are not verified.
    """
    calls = calls or CallPool(CancelToken())
    hooks = transfer_hooks or TransferHooks()
    run = _Run(
        *(stream, plan, calls, receipts, objects),
        host=host,
        open_object=open_object,
        output_format=output_format,
        hooks=hooks,
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
        plan: MemoryPlan,
        calls: CallPool,
        receipts: ObjectReceipts | None,
        objects: range | None,
        *,
        host: FileHost,
        open_object: Callable[[int], ObjectWriter],
        output_format: OutputFormat,
        hooks: TransferHooks,
    ) -> None:
        size = stream.totals.size
        self._token = calls.token
        self._calls = calls
        self._size = size
        self._format = output_format
        self._receipts = receipts
        self._range_bytes = receipts.range_bytes if receipts is not None else None
        split = output_format.object_bytes or self._range_bytes or max(1, size)
        every = range(max(1, -(-size // split)))
        self._numbers = every if objects is None else objects
        self._is_whole = self._numbers == every
        missing = next((each for each in self._numbers if not self._is_kept(each)), 0)
        # Where no byte depends on it, members are short, so that less output waits for its turn.
        self._member_bytes = plan.part_bytes // 2 if output_format.passthrough else output_format.member_bytes
        # Every other one may be empty where it is moved to the border of a file.
        self._ahead = (4 if output_format.passthrough else 2) * plan.workers
        self._output_buffer = OrderedBuffer(self._token, limit=plan.held_bytes, reserve=plan.part_bytes + SLACK_BYTES)
        ahead = max(4 * plan.workers * output_format.member_bytes, 64 * 1024**2)
        self._index = FileIndex(
            *(stream.ask, stream.totals),
            label=stream.label,
            token=self._token,
            ahead_bytes=ahead,
            first_offset=max(0, missing * split - 1),
        )
        self._reader = StreamReader(
            self._index,
            host,
            size=size,
            label=stream.label,
            sleep=hooks.sleep or self._token.wait,
            chunk_bytes=hooks.chunk_bytes,
            ahead=True,
        )
        self._verifier = StreamVerifier(
            *(stream.totals, self._reader.checksums, stream.label),
            first_offset=max(0, self._numbers.start * split - 1),
        )
        self._progress = Progress(stream.label, size, report=hooks.report, clock=hooks.clock)
        if hooks.watch is not None:
            hooks.watch(self._progress)
        self._workers = ThreadPoolExecutor(plan.workers, thread_name_prefix="labelbox-member")
        self._uploaders = ThreadPoolExecutor(plan.workers, thread_name_prefix="labelbox-upload")
        # Small plans, as in tests, must leave room for some blocks besides the part that is being filled.
        self._pool = BlockPool(max(1, min(blocks.BLOCK_BYTES, (plan.held_bytes - plan.part_bytes) // 4)))
        context = UploadContext(calls, self._uploaders, self._output_buffer, self._pool, plan.part_bytes)
        if receipts is not None and self._range_bytes is not None:
            self._objects: ObjectSplitter = RangeJoiner(open_object, context, receipts)
        else:
            self._objects = ObjectSplitter(open_object, context, receipts, self._numbers.start)

    def run(self) -> StagedStream:
        running: deque[Callable[[], None]] = deque()
        for member in members(self._size, self._member_bytes, self._format.object_bytes, self._range_bytes):
            if member.object not in self._numbers:
                continue
            if len(running) == self._ahead:
                running.popleft()()
            if self._receipts is not None and self._is_kept(member.object):
                if member.start == member.first:
                    read = self._calls.submit(partial(self._receipts.read, member.object))
                    running.append(partial(self._join_kept, member, read))
                continue
            self._request_ahead(member)
            running.append(partial(self._join, member, self._workers.submit(self._encode, member)))
        while running:
            running.popleft()()
        objects = self._objects.close_objects()
        if self._is_whole:
            self._verifier.verify_totals()
        return StagedStream(
            self._verifier.counts,
            self._verifier.crc32c,
            objects,
            self._objects.kept_in_memory,
            self._output_buffer.max_held,
        )

    def abort(self) -> None:
        """Abort all objects but recorded ones, after the uploads that have begun: none of them may arrive later."""
        end_calls(self._objects.uploads())
        self._calls.abort(self._objects.unrecorded_writers())

    def close(self) -> None:
        """End all threads. Workers end at once, an upload that its store keeps waiting when its client gives it up."""
        self._index.close()
        self._output_buffer.close()
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._reader.close()
        self._uploaders.shutdown(wait=False, cancel_futures=True)

    def _join(self, member: Member, encoding: Future[MemberAccount]) -> None:
        """Append the output of the next member to its object, and add up its account."""
        report = self._progress.report_if_due
        while (data := self._output_buffer.next_output(member.number, every=_TICK, tick=report)) is not None:
            self._objects.append_output(member.object, data)
            report()
        account = encoding.result()
        if self._receipts is not None:
            for segment in account.segments:
                segment.announced = self._reader.checksums.find(segment.file)
        self._verifier.add_segments(account.segments)
        self._verifier.add_counts(account.counts)
        self._objects.add_account(member.object, account)
        self._progress.finish_member(member.number, member.stop - member.start, account.counts.rows)
        self._reader.forget_before(member.stop)

    def _join_kept(self, first: Member, read: Future[ObjectAccount]) -> None:
        """Add up the account of an object that an earlier try has staged, whose first member this is."""
        (account,) = self._calls.results(read)
        self._verifier.add_segments(account.segments)
        self._verifier.add_counts(account.staged.counts)
        self._objects.add_kept(account.staged)
        self._progress.add_kept(first.last - first.first, account.staged.counts.rows)
        self._reader.forget_before(first.last)

    def _is_kept(self, number: int) -> bool:
        return self._receipts is not None and self._receipts.is_kept(number)

    def _request_ahead(self, member: Member) -> None:
        """Send the first request of a member, unless the files are not known yet by which its worker will cut it."""
        if self._format.passthrough:
            ends = {member.start, member.stop} - {member.first, member.last}
            if any(self._index.known_file(end) is None for end in ends):
                return
            member = cut_at_files(member, self._index, self._member_bytes)
        if member.start < member.stop:
            self._reader.request_ahead(member.start, member.stop)

    def _encode(self, member: Member) -> MemberAccount:
        """Read, trim and pack one member, in a worker."""
        number, output_format = member.number, self._format
        rows: RowFilter = RowCounter()
        if output_format.rule is not None:
            hold = partial(self._hold_row, number)
            rows = RowTrimmer(output_format.rule, max_row=output_format.max_trim_row, hold=hold)
        output = BlockWriter(self._pool, partial(self._output_buffer.append_output, number))
        pack = Packer(output_format.compression, output.write, output_format.block_bytes, verify=output_format.verify)
        try:
            if output_format.passthrough:
                member = cut_at_files(member, self._index, self._member_bytes)
            with closing(self._reader.pieces(member.start, member.stop)) as pieces:
                account = encode_member(member, self._watched(pieces, member, rows), rows, pack)
            output.flush()
        except BaseException as error:
            self._token.cancel(error)
            raise
        else:
            return account
        finally:
            self._output_buffer.close_member(number)

    def _hold_row(self, number: int, size: int) -> None:
        left = self._output_buffer.hold_row(number, size)
        # The memory of output that is stored already must not stay mapped beside the row.
        self._pool.keep_within(left)

    def _watched(self, pieces: Iterator[Piece], member: Member, rows: RowFilter) -> Iterator[Piece]:
        for piece in pieces:
            self._token.check()
            yield piece
            read = min(piece.offset + len(piece.data), member.stop) - member.start
            self._progress.update_member(member.number, read, rows.counts.rows)
