"""Spans: units of work of streams that are stored unchanged, neither compressed nor trimmed, cut at file borders.

What is stored does not depend on where spans are cut, so they are cut where it is cheapest: a file is one request, a
large file several, and small files share a span. A worker emits the bytes unchanged and measures the rows in them. What
depends on the bytes before (a row that continues over a cut, a newline that is missing between two files, the first row
of an object) is decided by the thread that joins the spans in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.streaming.download.file_index import FileIndex
from labelbox_export_provider.streaming.download.stream_reader import Piece
from labelbox_export_provider.streaming.pipeline.blocks import Output
from labelbox_export_provider.streaming.pipeline.members import object_ranges
from labelbox_export_provider.streaming.pipeline.objects import ObjectSplitter
from labelbox_export_provider.streaming.rows.counts import RowCounter, RowCounts, newline_is_missing
from labelbox_export_provider.streaming.rows.segments import Segment, Segments
from labelbox_export_provider.streaming.rows.verification import StreamVerifier

_MAX_FILES = 32
"""Files that share a span at most, so that planning one waits for no more answers."""


@dataclass(frozen=True, slots=True)
class Span:
    """Source bytes `start` to `stop` (not included), of which the first is in `file`.

    Rows that start in it, behind its first newline, go into the object of number `object`.
    """

    number: int
    start: int
    stop: int
    object: int
    file: ExportFile


@dataclass(frozen=True, slots=True)
class SpanAccount:
    """The account of a span: the end of a row that began before it (`head`), the rows behind that, the source bytes.

    A span without a newline is all head. `open` bytes are behind the last newline; `rest` alone has a longest row.
    """

    head: RowCounts
    rest: RowCounts
    open: int
    segments: tuple[Segment, ...]


def spans(index: FileIndex, size: int, span_bytes: int, object_bytes: int | None = None) -> Iterator[Span]:
    """Cut a stream of `size` bytes into spans of about `span_bytes`; wait for the index where needed."""
    number = start = 0
    for object_number, _, end in object_ranges(size, object_bytes):
        while start < end:
            file = index.file_holding(start)
            stop = _cut(index, file, start, end, span_bytes)
            yield Span(number, start, stop, object_number, file)
            number, start = number + 1, stop


def _cut(index: FileIndex, file: ExportFile, start: int, end: int, span_bytes: int) -> int:
    for _ in range(_MAX_FILES):
        stop = min(file.end + 1, end)
        if stop - start > span_bytes + span_bytes // 2:
            return start + span_bytes
        if stop == end or stop - start >= span_bytes // 2:
            return stop
        file = index.file_holding(stop)
    return stop


def read_span(pieces: Iterable[Piece], emit: Callable[[bytes], None]) -> SpanAccount:
    """Emit the bytes of a span and account for them."""
    reading = _Reading()
    before: Piece | None = None
    segments = Segments()
    for piece in pieces:
        if (
            before is not None
            and before.file.start != piece.file.start
            and newline_is_missing(before.file, piece.file, before.data[-1], piece.data[0])
        ):
            reading.add_newline()
            emit(b"\n")
        newlines = reading.count_bytes(piece.data)
        segments.add_piece(piece, piece.data, newlines)
        emit(piece.data)
        before = piece
    rest = reading.rest
    return SpanAccount(reading.head, rest.counts, rest.open if reading.head.rows else reading.head.bytes, segments.all)


class _Reading:
    def __init__(self) -> None:
        self.head = RowCounts()
        self.rest = RowCounter()

    def count_bytes(self, data: bytes) -> int:
        """Count the rows in some bytes; return the number of newlines."""
        if self.head.rows:
            return self.rest.count(data)
        end = data.find(b"\n") + 1
        self.head.bytes += end or len(data)
        if not end:
            return 0
        self.head.rows = 1
        return 1 + self.rest.count(data[end:])

    def add_newline(self) -> None:
        """End a row with a newline that the stream lacks."""
        counts = self.rest.counts if self.head.rows else self.head
        counts.newlines_added += 1
        self.count_bytes(b"\n")


class SpanJoiner:
    """Joins spans in order and adds their counts up. For one thread."""

    def __init__(self, objects: ObjectSplitter, verifier: StreamVerifier) -> None:
        self._objects = objects
        self._verifier = verifier
        self._joining: Span | None = None
        self._object = 0
        self._object_at_start = 0
        self._next_object = 0
        self._open = 0
        self._before: Segment | None = None

    def append_output(self, span: Span, data: Output) -> None:
        """Append the next bytes of a span to the object that they belong to."""
        if self._joining is not span:
            self._begin_span(span, data.first_byte)
        if self._object != self._next_object and (end := data.end_of_row()):
            head, data = data.split(end)
            self._objects.append_output(self._object, head)
            self._object = self._next_object
        if len(data):
            self._objects.append_output(self._object, data)

    def close_span(self, account: SpanAccount) -> None:
        """Add up the account of the span whose bytes are all appended."""
        self._verifier.add_segments(account.segments)
        if account.head.rows:
            account.head.max_row_bytes = self._open + account.head.bytes
            self._open = account.open
        else:
            self._open += account.open
        self._add_counts(self._object_at_start, account.head)
        self._add_counts(self._object, account.rest)
        self._before = account.segments[-1]

    def count_last_row(self) -> None:
        """Count a last row without newline."""
        if self._open:
            self._add_counts(self._object, RowCounts(rows=1, max_row_bytes=self._open))

    def _begin_span(self, span: Span, first_byte: int) -> None:
        before = self._before
        if (
            before is not None
            and before.file.start != span.file.start
            and newline_is_missing(before.file, span.file, before.last_byte, first_byte)
        ):
            self._objects.append_bytes(self._object, b"\n")
            ended = RowCounts(rows=1, bytes=1, max_row_bytes=self._open + 1, newlines_added=1)
            self._add_counts(self._object, ended)
            self._open = 0
            self._object = self._next_object
        self._joining = span
        self._next_object = span.object
        self._object_at_start = self._object

    def _add_counts(self, number: int, counts: RowCounts) -> None:
        self._verifier.add_counts(counts)
        self._objects.add_counts(number, counts)
