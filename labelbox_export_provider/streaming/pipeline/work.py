"""The two ways of moving a stream, in tasks that a worker makes and one thread joins in order.

Compressed or trimmed, a task is a member, whose cuts decide the bytes. Otherwise it is a span, whose cuts do not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

from labelbox_export_provider.client.types import StreamTotals
from labelbox_export_provider.domain.records.object_names import Compression
from labelbox_export_provider.streaming.download.file_index import FileIndex
from labelbox_export_provider.streaming.download.stream_reader import Piece, StreamReader
from labelbox_export_provider.streaming.pipeline.blocks import Output
from labelbox_export_provider.streaming.pipeline.compression import BLOCK_BYTES, packer
from labelbox_export_provider.streaming.pipeline.members import (
    MEMBER_BYTES,
    Member,
    MemberAccount,
    encode_member,
    members,
)
from labelbox_export_provider.streaming.pipeline.objects import ObjectSplitter
from labelbox_export_provider.streaming.pipeline.ordered_buffer import OrderedBuffer
from labelbox_export_provider.streaming.pipeline.progress import MemberProgress
from labelbox_export_provider.streaming.pipeline.spans import Span, SpanAccount, SpanJoiner, read_span, spans
from labelbox_export_provider.streaming.rows.counts import MAX_TRIM_LINE, RowCounter, RowFilter, RowTrimmer
from labelbox_export_provider.streaming.rows.timestamps import RowPositions
from labelbox_export_provider.streaming.rows.verification import StreamVerifier

TaskT = TypeVar("TaskT", Member, Span)
AccountT = TypeVar("AccountT", MemberAccount, SpanAccount)


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """What is done to the rows. All of it decides the bytes of the objects; the last two are constants but in tests.

    `object_bytes` is how many bytes of the source go into one object, as exactly as rows allow; None makes one object.
    """

    compression: Compression | None
    rule: RowPositions | None = None
    max_trim_line: int = MAX_TRIM_LINE
    object_bytes: int | None = None
    member_bytes: int = MEMBER_BYTES
    block_bytes: int = BLOCK_BYTES

    @property
    def passthrough(self) -> bool:
        """Whether bytes are stored as they come."""
        return self.compression is None and self.rule is None


@dataclass(frozen=True, slots=True)
class StreamContext:
    """What the tasks of one stream share."""

    totals: StreamTotals
    output_format: OutputFormat
    span_bytes: int
    index: FileIndex
    reader: StreamReader
    output_buffer: OrderedBuffer
    objects: ObjectSplitter
    verifier: StreamVerifier


class Work(ABC, Generic[TaskT, AccountT]):
    """The tasks of a stream, in order: `make` is called by workers, the rest by the joining thread."""

    def __init__(self, stream_context: StreamContext) -> None:
        self.stream_context = stream_context

    @abstractmethod
    def coming(self) -> Iterator[TaskT]:
        """Give the tasks."""

    @abstractmethod
    def make(self, task: TaskT, put: Callable[[bytes], None], notes: MemberProgress) -> AccountT:
        """Read what the task needs and leave what is to be stored with `put`."""

    @abstractmethod
    def join(self, task: TaskT, data: Output) -> None:
        """Take the next bytes of the task whose turn it is."""

    @abstractmethod
    def end(self, task: TaskT, account: AccountT) -> None:
        """Take in what came of a task, after its bytes."""

    def finish(self) -> None:
        """Take note that there are no further tasks."""

    def _watched(self, pieces: Iterator[Piece], task: TaskT, notes: MemberProgress) -> Iterator[Piece]:
        for piece in pieces:
            self.stream_context.output_buffer.check()
            yield piece
            notes.bytes += max(0, min(len(piece.data), task.stop - piece.offset))


class MemberWork(Work[Member, MemberAccount]):
    """Members, read a little beyond their ends, trimmed and compressed."""

    def coming(self) -> Iterator[Member]:
        """Cut by source offsets alone."""
        output_format = self.stream_context.output_format
        return members(self.stream_context.totals.size, output_format.member_bytes, output_format.object_bytes)

    def make(self, task: Member, put: Callable[[bytes], None], notes: MemberProgress) -> MemberAccount:
        """Read, trim and compress a member."""
        stream_context, output_format = self.stream_context, self.stream_context.output_format
        rows: RowFilter = RowCounter()
        if output_format.rule is not None:
            turns = _LongLineTurns(stream_context.output_buffer, task.number)
            rows = RowTrimmer(output_format.rule, max_line=output_format.max_trim_line, long_lines=turns)
        pack = packer(output_format.compression, put, output_format.block_bytes)
        try:
            with closing(stream_context.reader.pieces(task.start, task.stop)) as pieces:
                return encode_member(task, self._counted(self._watched(pieces, task, notes), rows, notes), rows, pack)
        finally:
            stream_context.output_buffer.give_back_long_line(task.number)

    def join(self, task: Member, data: Output) -> None:
        """Pass the bytes on to the member's object."""
        self.stream_context.objects.add(task.object, data)

    def end(self, task: Member, account: MemberAccount) -> None:
        """Add the account up."""
        self.stream_context.verifier.add(account.segments)
        self.stream_context.verifier.count(account.counts)
        self.stream_context.objects.count(task.object, account.counts)

    def _counted(self, pieces: Iterator[Piece], rows: RowFilter, notes: MemberProgress) -> Iterator[Piece]:
        for piece in pieces:
            yield piece
            notes.rows = rows.counts.rows


class SpanWork(Work[Span, SpanAccount]):
    """Spans, read exactly and passed on as they are."""

    def __init__(self, stream_context: StreamContext) -> None:
        super().__init__(stream_context)
        self._joiner = SpanJoiner(stream_context.objects, stream_context.verifier)

    def coming(self) -> Iterator[Span]:
        """Cut at file borders as the index finds them."""
        stream_context = self.stream_context
        return spans(
            stream_context.index,
            stream_context.totals.size,
            stream_context.span_bytes,
            stream_context.output_format.object_bytes,
        )

    def make(self, task: Span, put: Callable[[bytes], None], notes: MemberProgress) -> SpanAccount:
        """Read a span."""
        with closing(self.stream_context.reader.exactly(task.start, task.stop)) as pieces:
            account = read_span(self._watched(pieces, task, notes), put)
        notes.rows = account.head.rows + account.rest.rows
        return account

    def join(self, task: Span, data: Output) -> None:
        """Pass the bytes on to the object whose turn it is."""
        self._joiner.add(task, data)

    def end(self, task: Span, account: SpanAccount) -> None:  # noqa: ARG002  a span's object is known to its joiner
        """Add the account up."""
        self._joiner.end(account)

    def finish(self) -> None:
        """Count the last row."""
        self._joiner.finish()


@dataclass(frozen=True, slots=True)
class _LongLineTurns:
    output_buffer: OrderedBuffer
    member: int

    def take(self) -> None:
        self.output_buffer.take_long_line(self.member)

    def give_back(self) -> None:
        self.output_buffer.give_back_long_line(self.member)
