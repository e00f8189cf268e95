"""Moves one stream from its files into one object, in bounded memory, verified, but not completed.

Workers make members (`members`), the calling thread joins them in order into parts (`parts`), which other threads send.
Everything that a worker finds out comes back as a value and is added up in one place (`ledger`). The first error stops
all, the object is aborted, and that error is raised, no other.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from labelbox_export_provider.labelbox.model import ExportFile, StreamTotals
from labelbox_export_provider.spec.errors import StorageError
from labelbox_export_provider.streaming.budget import SLACK_BYTES, MemoryPlan
from labelbox_export_provider.streaming.fetch import CHUNK_BYTES, Piece, StreamReader
from labelbox_export_provider.streaming.file_host import FileHost
from labelbox_export_provider.streaming.index import FileIndex
from labelbox_export_provider.streaming.ledger import Ledger
from labelbox_export_provider.streaming.lines import MAX_TRIM_LINE, RowCounter, RowCounts, RowFilter, RowTrimmer
from labelbox_export_provider.streaming.members import (
    BLOCK_BYTES,
    MEMBER_BYTES,
    Compression,
    Member,
    MemberAccount,
    make_member,
    members,
    packer,
)
from labelbox_export_provider.streaming.outputs import Outputs
from labelbox_export_provider.streaming.parts import PartGatherer
from labelbox_export_provider.streaming.progress import MemberProgress, Progress, ProgressReport, log_progress
from labelbox_export_provider.streaming.sinks.base import ExpectedObject, ObjectWriter, WrittenObject
from labelbox_export_provider.streaming.trim import Verdicts

logger = logging.getLogger(__name__)

_TICK = 1.0


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of one export: how to ask for its files, what was announced, and its name for logs and errors."""

    where: str
    totals: StreamTotals
    ask: Callable[[int], ExportFile]


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done to the rows. The two sizes in bytes decide the object's bytes and are constants but in tests."""

    compression: Compression | None
    rule: Verdicts | None = None
    max_trim_line: int = MAX_TRIM_LINE
    member_bytes: int = MEMBER_BYTES
    block_bytes: int = BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a transfer takes from outside: waiting, time, and where progress goes.

    `sleep` None means to wait in a way that ends when the transfer does. `watch` is given the progress to look into.
    """

    sleep: Callable[[float], object] | None = None
    clock: Callable[[], float] = time.monotonic
    report: Callable[[ProgressReport], None] = log_progress
    watch: Callable[[Progress], None] | None = None
    chunk_bytes: int = CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class StagedStream:
    """A stream that is read, verified and in the store, but not visible yet: `complete` or `abort` it.

    `crc32c` and `size` are of what is stored, `source_crc32c` of what was read. `kept_in_memory` is what the writer may
    hold until then.
    """

    counts: RowCounts
    source_crc32c: int
    size: int
    crc32c: int
    kept_in_memory: int
    most_held: int
    writer: ObjectWriter

    def complete(self) -> WrittenObject:
        """Make the object visible."""
        return self.writer.complete(ExpectedObject(self.size, self.crc32c))

    def abort(self) -> None:
        """Drop the object."""
        abort(self.writer)


def abort(writer: ObjectWriter) -> None:
    """Abort an object while another error is on its way, which counts more than a failure to clean up."""
    try:
        writer.abort()
    except StorageError as error:
        logger.warning("Could not clean up, the next try of this task does it: %s", error)


def stage_stream(
    stream: Stream,
    *,
    host: FileHost,
    writer: ObjectWriter,
    treatment: Treatment,
    plan: MemoryPlan,
    surroundings: Surroundings | None = None,
) -> StagedStream:
    """Move a stream into `writer`'s object and verify it; aborts the object and raises when anything fails."""
    run = _Run(stream, host=host, writer=writer, treatment=treatment, plan=plan, surroundings=surroundings)
    try:
        return run.run()
    except BaseException as error:
        run.stop(error)
        abort(writer)
        run.close()
        first = run.outputs.error
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
        writer: ObjectWriter,
        treatment: Treatment,
        plan: MemoryPlan,
        surroundings: Surroundings | None,
    ) -> None:
        surroundings = surroundings or Surroundings()
        size = stream.totals.size
        self.outputs = Outputs(limit=plan.held_bytes, reserve=plan.part_bytes + SLACK_BYTES)
        self._stream = stream
        self._treatment = treatment
        self._writer = writer
        self._plan = plan
        ahead = max(4 * plan.workers * treatment.member_bytes, 64 * 1024**2)
        self._index = FileIndex(stream.ask, stream.totals, where=stream.where, ahead_bytes=ahead)
        self._reader = StreamReader(
            self._index,
            host,
            size=size,
            where=stream.where,
            sleep=surroundings.sleep or self.outputs.wait,
            chunk_bytes=surroundings.chunk_bytes,
        )
        self._ledger = Ledger(stream.totals, self._reader.checksums, stream.where)
        self._progress = Progress(stream.where, size, report=surroundings.report, clock=surroundings.clock)
        if surroundings.watch is not None:
            surroundings.watch(self._progress)
        self._makers = ThreadPoolExecutor(plan.workers, thread_name_prefix="labelbox-member")
        self._uploaders = ThreadPoolExecutor(plan.workers, thread_name_prefix="labelbox-upload")

    def run(self) -> StagedStream:
        parts = PartGatherer(self._writer, self._uploaders, self.outputs, self._plan.part_bytes)
        running: deque[tuple[Member, Future[MemberAccount]]] = deque()
        coming = members(self._stream.totals.size, self._treatment.member_bytes)
        while True:
            while len(running) < 2 * self._plan.workers and (member := next(coming, None)) is not None:
                notes = self._progress.member(member.number)
                running.append((member, self._makers.submit(self._make, member, notes)))
            if not running:
                break
            self._join(*running.popleft(), parts)
        parts.finish()
        self._ledger.close()
        self.close()
        return StagedStream(
            self._ledger.counts,
            self._ledger.crc32c,
            parts.size,
            parts.crc32c,
            parts.kept_in_memory,
            self.outputs.most_held,
            self._writer,
        )

    def stop(self, error: BaseException) -> None:
        """Stop all threads, and wait for those that could still send something."""
        self.outputs.stop(error)
        self._index.close()
        self._makers.shutdown(wait=False, cancel_futures=True)
        self._uploaders.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        self._index.close()
        self._makers.shutdown(wait=True)
        self._uploaders.shutdown(wait=True)

    def _join(self, member: Member, future: Future[MemberAccount], parts: PartGatherer) -> None:
        while (data := self.outputs.take(member.number, every=_TICK, tick=self._progress.tick)) is not None:
            parts.add(data)
            self._progress.tick()
        self._ledger.add(future.result())
        self._progress.finish(member.number)
        self._index.forget_before(member.stop)

    def _make(self, member: Member, notes: MemberProgress) -> MemberAccount:
        try:
            rows = self._row_filter(member)
            pack = packer(
                self._treatment.compression,
                lambda data: self.outputs.put(member.number, data),
                self._treatment.block_bytes,
            )
            with closing(self._reader.pieces(member.start, member.stop)) as pieces:
                return make_member(member, self._watched(pieces, member, rows, notes), rows, pack)
        except BaseException as error:
            self.outputs.stop(error)
            raise
        finally:
            self.outputs.give_back_long_line(member.number)
            self.outputs.finish(member.number)

    def _watched(
        self, pieces: Iterator[Piece], member: Member, rows: RowFilter, notes: MemberProgress
    ) -> Iterator[Piece]:
        for piece in pieces:
            self.outputs.check()
            yield piece
            notes.bytes += max(0, min(len(piece.data), member.stop - piece.offset))
            notes.rows = rows.counts.rows

    def _row_filter(self, member: Member) -> RowFilter:
        if self._treatment.rule is None:
            return RowCounter()
        turns = _LongLineTurns(self.outputs, member.number)
        return RowTrimmer(self._treatment.rule, max_line=self._treatment.max_trim_line, long_lines=turns)


@dataclass(frozen=True, slots=True)
class _LongLineTurns:
    outputs: Outputs
    member: int

    def take(self) -> None:
        self.outputs.take_long_line(self.member)

    def give_back(self) -> None:
        self.outputs.give_back_long_line(self.member)
