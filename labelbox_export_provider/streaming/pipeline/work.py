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
    make_member,
    members,
)
from labelbox_export_provider.streaming.pipeline.objects import ObjectGatherer
from labelbox_export_provider.streaming.pipeline.ordered_buffer import Outputs
from labelbox_export_provider.streaming.pipeline.progress import MemberProgress
from labelbox_export_provider.streaming.pipeline.spans import Span, SpanAccount, SpanJoiner, read_span, spans
from labelbox_export_provider.streaming.rows.counts import MAX_TRIM_LINE, RowCounter, RowFilter, RowTrimmer
from labelbox_export_provider.streaming.rows.timestamps import Verdicts
from labelbox_export_provider.streaming.rows.verification import Ledger

TaskT = TypeVar("TaskT", Member, Span)
AccountT = TypeVar("AccountT", MemberAccount, SpanAccount)


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done to the rows. All of it decides the bytes of the objects; the last two are constants but in tests.

    `object_bytes` is how many bytes of the source go into one object, as exactly as rows allow; None makes one object.
    """

    compression: Compression | None
    rule: Verdicts | None = None
    max_trim_line: int = MAX_TRIM_LINE
    object_bytes: int | None = None
    member_bytes: int = MEMBER_BYTES
    block_bytes: int = BLOCK_BYTES

    @property
    def keeps_all(self) -> bool:
        """Whether bytes are stored as they come."""
        return self.compression is None and self.rule is None


@dataclass(frozen=True, slots=True)
class Bench:
    """What the tasks of one stream share."""

    totals: StreamTotals
    treatment: Treatment
    span_bytes: int
    index: FileIndex
    reader: StreamReader
    outputs: Outputs
    objects: ObjectGatherer
    ledger: Ledger


class Tasks(ABC, Generic[TaskT, AccountT]):
    """The tasks of a stream, in order: `make` is called by workers, the rest by the joining thread."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

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
            self.bench.outputs.check()
            yield piece
            notes.bytes += max(0, min(len(piece.data), task.stop - piece.offset))


class MemberTasks(Tasks[Member, MemberAccount]):
    """Members, read a little beyond their ends, trimmed and compressed."""

    def coming(self) -> Iterator[Member]:
        """Cut by source offsets alone."""
        treatment = self.bench.treatment
        return members(self.bench.totals.size, treatment.member_bytes, treatment.object_bytes)

    def make(self, task: Member, put: Callable[[bytes], None], notes: MemberProgress) -> MemberAccount:
        """Read, trim and compress a member."""
        bench, treatment = self.bench, self.bench.treatment
        rows: RowFilter = RowCounter()
        if treatment.rule is not None:
            turns = _LongLineTurns(bench.outputs, task.number)
            rows = RowTrimmer(treatment.rule, max_line=treatment.max_trim_line, long_lines=turns)
        pack = packer(treatment.compression, put, treatment.block_bytes)
        try:
            with closing(bench.reader.pieces(task.start, task.stop)) as pieces:
                return make_member(task, self._counted(self._watched(pieces, task, notes), rows, notes), rows, pack)
        finally:
            bench.outputs.give_back_long_line(task.number)

    def join(self, task: Member, data: Output) -> None:
        """Pass the bytes on to the member's object."""
        self.bench.objects.add(task.object, data)

    def end(self, task: Member, account: MemberAccount) -> None:
        """Add the account up."""
        self.bench.ledger.add(account.segments)
        self.bench.ledger.count(account.counts)
        self.bench.objects.count(task.object, account.counts)

    def _counted(self, pieces: Iterator[Piece], rows: RowFilter, notes: MemberProgress) -> Iterator[Piece]:
        for piece in pieces:
            yield piece
            notes.rows = rows.counts.rows


class SpanTasks(Tasks[Span, SpanAccount]):
    """Spans, read exactly and passed on as they are."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._joiner = SpanJoiner(bench.objects, bench.ledger)

    def coming(self) -> Iterator[Span]:
        """Cut at file borders as the index finds them."""
        bench = self.bench
        return spans(bench.index, bench.totals.size, bench.span_bytes, bench.treatment.object_bytes)

    def make(self, task: Span, put: Callable[[bytes], None], notes: MemberProgress) -> SpanAccount:
        """Read a span."""
        with closing(self.bench.reader.exactly(task.start, task.stop)) as pieces:
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
    outputs: Outputs
    member: int

    def take(self) -> None:
        self.outputs.take_long_line(self.member)

    def give_back(self) -> None:
        self.outputs.give_back_long_line(self.member)
