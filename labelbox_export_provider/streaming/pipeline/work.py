"""Units of work: what a worker processes and one thread joins in order, in the two ways to move a stream.

A compressed or trimmed stream is processed in members, whose cuts decide the bytes of the objects. Otherwise the units
are spans, whose cuts do not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

from labelbox_export_provider.cancellation import CancelToken
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
from labelbox_export_provider.streaming.pipeline.progress import UnitProgress
from labelbox_export_provider.streaming.pipeline.spans import Span, SpanAccount, SpanJoiner, read_span, spans
from labelbox_export_provider.streaming.rows.counts import RowCounter
from labelbox_export_provider.streaming.rows.timestamps import RowPositions
from labelbox_export_provider.streaming.rows.trimming import MAX_TRIM_ROW, RowFilter, RowTrimmer
from labelbox_export_provider.streaming.rows.verification import StreamVerifier

UnitT = TypeVar("UnitT", Member, Span)
AccountT = TypeVar("AccountT", MemberAccount, SpanAccount)


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """How rows are stored. Every field but `verify` decides the bytes of the objects; only tests change the last two.

    `object_bytes` is how many bytes of the source go into one object, as exactly as rows allow; None makes one object.
    With `verify` what is compressed is unpacked again and compared.
    """

    compression: Compression | None
    rule: RowPositions | None = None
    max_trim_row: int = MAX_TRIM_ROW
    object_bytes: int | None = None
    verify: bool = False
    member_bytes: int = MEMBER_BYTES
    block_bytes: int = BLOCK_BYTES

    @property
    def passthrough(self) -> bool:
        """Whether bytes are stored unchanged."""
        return self.compression is None and self.rule is None


@dataclass(frozen=True, slots=True)
class StreamContext:
    """What the units of work of one stream share."""

    token: CancelToken
    totals: StreamTotals
    output_format: OutputFormat
    span_bytes: int
    index: FileIndex
    reader: StreamReader
    output_buffer: OrderedBuffer
    objects: ObjectSplitter
    verifier: StreamVerifier


class Work(ABC, Generic[UnitT, AccountT]):
    """The units of work of a stream, in order. Workers call `process`; the joining thread calls the other methods."""

    def __init__(self, stream_context: StreamContext) -> None:
        self.stream_context = stream_context

    @abstractmethod
    def units(self) -> Iterator[UnitT]:
        """Yield the units in order."""

    @abstractmethod
    def process(self, unit: UnitT, emit: Callable[[bytes], None], progress: UnitProgress) -> AccountT:
        """Read the unit's bytes and pass what is to be stored to `emit`."""

    @abstractmethod
    def append_output(self, unit: UnitT, data: Output) -> None:
        """Append the next bytes of the unit whose turn it is."""

    @abstractmethod
    def close_unit(self, unit: UnitT, account: AccountT) -> None:
        """Add up the account of a unit, after its bytes."""

    def close_stream(self) -> None:
        """Finish after the last unit."""

    def _with_progress(self, pieces: Iterator[Piece], unit: UnitT, progress: UnitProgress) -> Iterator[Piece]:
        for piece in pieces:
            self.stream_context.token.check()
            yield piece
            progress.bytes += max(0, min(len(piece.data), unit.stop - piece.offset))


class MemberWork(Work[Member, MemberAccount]):
    """Members: read a little beyond their ends, trimmed and compressed."""

    def units(self) -> Iterator[Member]:
        """Yield members, which are cut by source offsets alone."""
        output_format = self.stream_context.output_format
        return members(self.stream_context.totals.size, output_format.member_bytes, output_format.object_bytes)

    def process(self, unit: Member, emit: Callable[[bytes], None], progress: UnitProgress) -> MemberAccount:
        """Read, trim and compress a member."""
        stream_context, output_format = self.stream_context, self.stream_context.output_format
        rows: RowFilter = RowCounter()
        if output_format.rule is not None:
            memory = _RowMemory(stream_context.output_buffer, unit.number)
            rows = RowTrimmer(output_format.rule, max_row=output_format.max_trim_row, row_memory=memory)
        pack = packer(output_format.compression, emit, output_format.block_bytes, verify=output_format.verify)
        try:
            with closing(stream_context.reader.pieces(unit.start, unit.stop)) as pieces:
                counted = self._counted(self._with_progress(pieces, unit, progress), rows, progress)
                return encode_member(unit, counted, rows, pack)
        finally:
            stream_context.output_buffer.release_row(unit.number)

    def append_output(self, unit: Member, data: Output) -> None:
        """Append the bytes to the member's object."""
        self.stream_context.objects.append_output(unit.object, data)

    def close_unit(self, unit: Member, account: MemberAccount) -> None:
        """Add the member's account to those of the stream and of its object."""
        self.stream_context.verifier.add_segments(account.segments)
        self.stream_context.verifier.add_counts(account.counts)
        self.stream_context.objects.add_counts(unit.object, account.counts)

    def _counted(self, pieces: Iterator[Piece], rows: RowFilter, progress: UnitProgress) -> Iterator[Piece]:
        for piece in pieces:
            yield piece
            progress.rows = rows.counts.rows


class SpanWork(Work[Span, SpanAccount]):
    """Spans: read exactly and stored unchanged."""

    def __init__(self, stream_context: StreamContext) -> None:
        super().__init__(stream_context)
        self._joiner = SpanJoiner(stream_context.objects, stream_context.verifier)

    def units(self) -> Iterator[Span]:
        """Yield spans, which are cut at the file borders that the index finds."""
        stream_context = self.stream_context
        return spans(
            stream_context.index,
            stream_context.totals.size,
            stream_context.span_bytes,
            stream_context.output_format.object_bytes,
        )

    def process(self, unit: Span, emit: Callable[[bytes], None], progress: UnitProgress) -> SpanAccount:
        """Read a span."""
        with closing(self.stream_context.reader.exactly(unit.start, unit.stop)) as pieces:
            account = read_span(self._with_progress(pieces, unit, progress), emit)
        progress.rows = account.head.rows + account.rest.rows
        return account

    def append_output(self, unit: Span, data: Output) -> None:
        """Append the bytes to the object whose turn it is."""
        self._joiner.append_output(unit, data)

    def close_unit(self, unit: Span, account: SpanAccount) -> None:  # noqa: ARG002  a span's object is known to its joiner
        """Add the span's account up."""
        self._joiner.close_span(account)

    def close_stream(self) -> None:
        """Count the last row."""
        self._joiner.count_last_row()


@dataclass(frozen=True, slots=True)
class _RowMemory:
    output_buffer: OrderedBuffer
    unit: int

    def reserve(self, size: int) -> None:
        self.output_buffer.reserve_row(self.unit, size)

    def release(self) -> None:
        self.output_buffer.release_row(self.unit)
