"""One stream of an export task to iterate over: lazily, one file after another, in bounded memory, verified.

To land an export in a store there is `land_export`, which reads with several workers; this is for reading in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from labelbox_export_provider.cancellation import CancelToken, StoppedError
from labelbox_export_provider.client import flows
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.types import ExportFile, StreamTotals, StreamType
from labelbox_export_provider.errors import ConfigurationError, IntegrityError
from labelbox_export_provider.export_task.rows import UNTRUSTED, ExportRow, RowSplitter, WholeStream
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.download.file_index import FileIndex
from labelbox_export_provider.streaming.download.stream_reader import Piece, StreamReader, newline_is_missing

_NEWLINE = 0x0A


@dataclass(frozen=True, slots=True)
class StreamConnection:
    """What one iteration reads with: `ask` returns the file that holds an offset, `sleep` waits between tries."""

    ask: Callable[[int], ExportFile]
    host: FileHost
    sleep: Callable[[float], object]
    token: CancelToken


@dataclass(frozen=True, slots=True)
class StreamSource:
    """The source of a stream, which `label` names in errors. `connect` opens what one iteration reads with."""

    label: str
    totals: StreamTotals
    connect: Callable[[], AbstractContextManager[StreamConnection]]


@contextmanager
def connect(
    client: LabelboxClient, export_id: str, stream: StreamType, sleep: Callable[[float], object] | None = None
) -> Iterator[StreamConnection]:
    """Open connections to read a stream with; at the end of the block all that they do ends with them."""
    with CancelToken().part() as token, closing(client.bound_to(token)) as bound:
        host = FileHost(client.settings, user_agent=client.user_agent, connections=1, token=token)
        try:
            yield StreamConnection(
                lambda offset: bound.run(flows.file_at(export_id, stream, offset)), host, sleep or token.wait, token
            )
        finally:
            token.cancel(StoppedError())
            host.close()


class BufferedStream:
    """The rows of one stream, as `ExportRow` items with `.json` and `.raw`; each iteration reads the stream again.

    Memory is a few chunks of a file (256 KiB each) and twice the longest row, whatever the size of the export: nothing
    is written to disk. A download that breaks off is resumed at its byte, an expired address is renewed. Leaving the
    loop early ends all requests and closes the connections.

    A whole iteration is verified: each file's length, rows and announced checksum, and at the end both totals; a loop
    that ends without `IntegrityError` has seen exactly what Labelbox announced. Rows are yielded before their file is
    checked, so commit nothing before the loop's end. From `with_line` on the number of rows and each file's length are
    checked, from `with_offset` on the length alone.
    """

    def __init__(self, source: StreamSource, *, offset: int = 0, line: int = 0) -> None:
        self._source = source
        self._offset = offset
        self._line = line

    def with_offset(self, offset: int) -> BufferedStream:
        """Return this stream from byte `offset` on, counted from 0; in the middle of a row, its rest comes first.

        Raises `ConfigurationError`, which is a `ValueError`, from the total size on: there is no byte to start at.
        """
        _check("with_offset", offset, self._source.totals.size, "bytes, so the last offset is")
        return BufferedStream(self._source, offset=offset)

    def with_line(self, line: int) -> BufferedStream:
        """Return this stream from row `line` on, counted from 0: `with_line(3)` starts with the fourth row.

        The file that holds the row is found without reading those before it. Raises `ConfigurationError`, which is a
        `ValueError`, from the total number of lines on.
        """
        _check("with_line", line, self._source.totals.lines, "lines, so the last one is")
        return BufferedStream(self._source, line=line)

    def start(self, stream_handler: Callable[[ExportRow], object] | None = None) -> None:
        """Read the stream to its end and call `stream_handler` with each row; without one, only verify it."""
        with closing(iter(self)) as rows:
            for row in rows:
                if stream_handler is not None:
                    stream_handler(row)

    def lines(self) -> Generator[bytes, None, None]:
        """Yield the rows' bytes as Labelbox wrote them, each without its newline and unparsed."""
        with closing(iter(self)) as rows:
            for row in rows:
                yield row.raw

    def __iter__(self) -> Generator[ExportRow, None, None]:
        if not self._source.totals.size:
            return
        with self._source.connect() as connection:
            yield from _Reading(self._source, connection).rows(self._offset, self._line)

    def __repr__(self) -> str:
        return f"<BufferedStream of {self._source.label}, from offset {self._offset}, line {self._line}>"


class ParsedRows:
    """The parsed rows of a stream, for `list()` and loops; each iteration reads the stream again."""

    def __init__(self, stream: BufferedStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[Any]:
        with closing(iter(self._stream)) as rows:
            for row in rows:
                yield row.json


class _Reading:
    """One iteration over a stream."""

    def __init__(self, source: StreamSource, connection: StreamConnection) -> None:
        self._source = source
        self._connection = connection

    def rows(self, offset: int, line: int) -> Iterator[ExportRow]:
        totals, label = self._source.totals, self._source.label
        start, skip = self._start_of(line) if line else (offset, 0)

        def make(raw: bytes, at: int) -> ExportRow:
            return ExportRow(raw, at, label=label, may_be_cut=at == offset > 0)

        splitter = RowSplitter(make)
        index, reader = self._reader(start)
        whole = WholeStream(totals, reader.checksums, label) if not start and not line else None
        try:
            with closing(reader.pieces(start, totals.size)) as pieces:
                passed = self._forgetting(pieces, index, reader)
                rows = splitter.split(whole.verify_pieces(passed) if whole is not None else passed)
                yield from islice(rows, skip, None)
        finally:
            index.close()
        if whole is not None:
            whole.verify_totals(splitter.counts)
        elif line and (read := splitter.counts.rows - skip) != totals.lines - line:
            raise IntegrityError(
                f"{label}: from line {line} on, {read} rows were read; {totals.lines - line} (of {totals.lines} in "
                f"all) were announced. {UNTRUSTED}"
            )

    def _reader(self, start: int) -> tuple[FileIndex, StreamReader]:
        source, connection = self._source, self._connection
        index = FileIndex(
            connection.ask,
            source.totals,
            label=source.label,
            token=connection.token,
            # One file ahead hides the round trip between files; the URLs of more would only expire.
            ahead_files=1,
            first_offset=start,
        )
        reader = StreamReader(
            index, connection.host, size=source.totals.size, label=source.label, sleep=connection.sleep
        )
        return index, reader

    def _forgetting(self, pieces: Iterator[Piece], index: FileIndex, reader: StreamReader) -> Iterator[Piece]:
        """Yield the pieces, and drop what the index knows of files that were read."""
        before: ExportFile | None = None
        for piece in pieces:
            if before is not None and before.start != piece.file.start:
                index.forget_before(piece.offset)
                reader.checksums.pop(before)
            before = piece.file
            yield piece

    def _start_of(self, line: int) -> tuple[int, int]:
        """Return the start of a file, and how many rows to skip from there to the start of row `line`.

        A row that continues over a border may be counted in both files or in the first alone: that is not documented.
        So the byte before a file decides whether it starts in the middle of a row, not its numbers.
        """
        file = self._file_holding(line)
        while file.start > 0:
            before = self._connection.ask(file.start - 1)
            starts_row = self._starts_row(before, file)
            first = before.line_end + 1 if starts_row else before.line_end
            if file.line_start not in {first, before.line_end + 1}:
                raise IntegrityError(
                    f"{self._source.label}: the rows of its files do not join: rows {before.line_start} to "
                    f"{before.line_end}, then {file.line_start} to {file.line_end}."
                )
            if starts_row or first < line:
                return file.start, line - first
            file = before
        return 0, line

    def _starts_row(self, before: ExportFile, file: ExportFile) -> bool:
        last = self._byte(before, file.start - 1)
        return last == _NEWLINE or newline_is_missing(before, file, last, self._byte(file, file.start))

    def _byte(self, file: ExportFile, offset: int) -> int:
        index, reader = self._reader(file.start)
        try:
            return b"".join(reader.read(file, offset, offset + 1))[0]
        finally:
            index.close()

    def _file_holding(self, line: int) -> ExportFile:
        """Return a file that has bytes of a row.

        Searches in turn where it would be if all rows had one size, and by halving.
        """
        low_offset, low_line, high_offset, high_line = 0, 0, self._source.totals.size, self._source.totals.lines
        for by_share in cycle((True, False)):
            span = high_offset - low_offset
            if span <= 0:
                break
            guess = (line - low_line) * span // max(1, high_line - low_line) if by_share else span // 2
            file = self._connection.ask(low_offset + min(max(0, guess), span - 1))
            if line < file.line_start:
                high_offset, high_line = file.start, file.line_start
            elif line > file.line_end:
                low_offset, low_line = file.end + 1, file.line_end + 1
            else:
                return file
        raise IntegrityError(
            f"{self._source.label}: no file holds line {line}, though {self._source.totals.lines} lines are announced."
        )


def _check(name: str, value: int, total: int, unit: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{name}({value!r}): it must be a whole number, 0 or more.")
    if not 0 <= value < total:
        extent = f"the stream has {total} {unit} {total - 1}" if total else "the stream is empty"
        raise ConfigurationError(f"{name}({value}) is outside of the stream: {extent}.")
