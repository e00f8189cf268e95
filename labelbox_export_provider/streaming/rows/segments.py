"""Segments: the bytes of a range of an export, accounted file by file, so that two accounts can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import google_crc32c

from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.streaming.download.stream_reader import Piece


@dataclass(slots=True)
class Segment:
    """Account of the bytes that one unit of work has in common with one file."""

    file: ExportFile
    offset: int
    size: int
    newlines: int
    crc32c: int
    first_byte: int
    last_byte: int


class Segments:
    """Adds pieces up to segments, one for each file."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []

    def add_piece(self, piece: Piece, data: bytes, newlines: int | None = None) -> None:
        """Account for `data`, with which the piece starts; count its newlines where they are not passed."""
        if not data:
            return
        if not self._segments or self._segments[-1].file.start != piece.file.start:
            self._segments.append(Segment(piece.file, piece.offset, 0, 0, 0, data[0], data[0]))
        segment = self._segments[-1]
        segment.size += len(data)
        segment.newlines += data.count(b"\n") if newlines is None else newlines
        segment.crc32c = google_crc32c.extend(segment.crc32c, data)
        segment.last_byte = data[-1]

    @property
    def all(self) -> tuple[Segment, ...]:
        """The segments so far."""
        return tuple(self._segments)
