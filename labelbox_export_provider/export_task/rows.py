"""Rows of a stream one by one, for reading in Python.

A row ends at byte 0x0A and nowhere else, so U+2028 and similar characters stay inside rows, and a row or a character
that is cut by the border of a file is joined. No byte is decoded before `json` is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

from labelbox_export_provider.client.types import StreamTotals
from labelbox_export_provider.errors import ProtocolError
from labelbox_export_provider.streaming.download.file_answer import AnnouncedChecksums
from labelbox_export_provider.streaming.download.stream_reader import Piece
from labelbox_export_provider.streaming.rows.counts import RowCounts
from labelbox_export_provider.streaming.rows.verification import Segment, StreamVerifier, add_piece

UNTRUSTED = "Do not rely on the rows that were read so far; a new iteration reads them again."


class ExportRow:
    """One row of a stream: its bytes without the newline (`raw`), and where in the stream they start (`offset`).

    `json` is the parsed row, `bytes(row)` the same as `raw`, `str(row)` its text.
    """

    def __init__(self, raw: bytes, offset: int, *, label: str, may_be_cut: bool = False) -> None:
        self.raw = raw
        self.offset = offset
        self._label = label
        self._may_be_cut = may_be_cut

    @cached_property
    def json(self) -> Any:
        """The row, parsed on first use. Raises `ProtocolError` when it is not valid JSON.

        Numbers are parsed as Python does: a float may lose digits that are in `raw`.
        """
        try:
            return json.loads(self.raw.decode())
        except ValueError as error:
            reason = error.reason if isinstance(error, UnicodeDecodeError) else getattr(error, "msg", str(error))
        # Outside of the handler: the library's error holds the whole row.
        cut = " with_offset() may have started in the middle of it: read `raw`." if self._may_be_cut else ""
        raise ProtocolError(
            f"{self._label}: the row at byte {self.offset} ({len(self.raw)} bytes) is not valid JSON: {reason}.{cut}"
        )

    def __bytes__(self) -> bytes:
        return self.raw

    def __str__(self) -> str:
        return self.raw.decode(errors="backslashreplace")

    def __repr__(self) -> str:
        return f"<ExportRow at byte {self.offset}, {len(self.raw)} bytes>"


class RowSplitter:
    """Splits pieces into rows. Holds one piece and one unfinished row, which is copied once when it ends."""

    def __init__(self, make: Callable[[bytes, int], ExportRow]) -> None:
        self.counts = RowCounts()
        self._make = make
        self._unfinished = bytearray()
        self._offset = 0

    def split(self, pieces: Iterable[Piece]) -> Iterator[ExportRow]:
        """Yield the rows of consecutive pieces; the last row may be without newline."""
        for piece in pieces:
            if piece.starts_row:
                self.counts.newlines_added += 1
                self.counts.bytes += 1
                yield self._end(b"", piece.offset)
            position = 0
            while (end := piece.data.find(b"\n", position)) >= 0:
                self.counts.bytes += 1
                yield self._end(piece.data[position:end], piece.offset + position)
                position = end + 1
            if position < len(piece.data):
                if not self._unfinished:
                    self._offset = piece.offset + position
                self._unfinished += piece.data[position:]
        if self._unfinished:
            yield self._end(b"", 0)

    def _end(self, data: bytes, offset: int) -> ExportRow:
        if self._unfinished:
            self._unfinished += data
            data, offset = bytes(self._unfinished), self._offset
            self._unfinished = bytearray()
        self.counts.rows += 1
        self.counts.bytes += len(data)
        return self._make(data, offset)


class WholeStream:
    """Compares what is read with everything that Labelbox and the file hosts announced: totals, files, checksums.

    A file that differs raises `IntegrityError` before its last piece is yielded; totals that differ do so in
    `verify_totals`. Only a stream that is read from its first byte on can be verified like this.
    """

    def __init__(self, totals: StreamTotals, checksums: AnnouncedChecksums, label: str) -> None:
        self._verifier = StreamVerifier(totals, checksums, label, advice=UNTRUSTED)

    def verify_pieces(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Account for pieces and yield them."""
        for piece in pieces:
            segments: list[Segment] = []
            add_piece(segments, piece, piece.data)
            self._verifier.add_segments(segments)
            yield piece

    def verify_totals(self, counts: RowCounts) -> None:
        """Compare the counted rows and all bytes with the totals."""
        self._verifier.add_counts(counts)
        self._verifier.verify_totals()
