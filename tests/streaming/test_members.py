"""Members tile a stream: each row is in exactly one, and nothing but the rows decides their bytes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.domain.records.object_names import Compression
from labelbox_export_provider.domain.windows.windows import TrimRule
from labelbox_export_provider.errors import IntegrityError
from labelbox_export_provider.streaming.download.file_answer import AnnouncedChecksums
from labelbox_export_provider.streaming.download.stream_reader import Piece, newline_is_missing
from labelbox_export_provider.streaming.landing.options import DEFAULT_MAX_OBJECT_BYTES
from labelbox_export_provider.streaming.pipeline.compression import Packer
from labelbox_export_provider.streaming.pipeline.members import MEMBER_BYTES, MemberAccount, encode_member, members
from labelbox_export_provider.streaming.rows.counts import RowCounter
from labelbox_export_provider.streaming.rows.trimming import RowTrimmer
from labelbox_export_provider.streaming.rows.verification import StreamVerifier

START = datetime(2026, 11, 22, 2, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
RULE = TrimRule(START, START + 60 * SECOND, START - SECOND, START + 61 * SECOND)
MARGIN_ROW = b'{"data_row":{"details":{"last_activity_at":"2026-11-22T01:59:59.5Z"}}}'


@dataclass
class Source:
    """A stream without a network: whole content, files, and the size of the pieces that are read."""

    content: bytes
    files: list[ExportFile]
    lines: int

    @classmethod
    def of(cls, content: bytes, cuts: list[int]) -> Source:
        borders = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
        files = [
            ExportFile(start, end - 1, content.count(b"\n", 0, start), content.count(b"\n", 0, end - 1), "u")
            for start, end in pairwise(borders)
        ]
        return cls(content, files, content.count(b"\n") + (not content.endswith(b"\n")))

    def pieces(self, start: int, piece_bytes: int) -> Iterator[Piece]:
        for before, file in zip([None, *self.files], self.files, strict=False):
            for offset in range(max(start, file.start), file.end + 1, piece_bytes):
                data = self.content[offset : min(offset + piece_bytes, file.end + 1)]
                joins = before is not None and start < offset == file.start
                last_byte = self.content[offset - 1]
                starts_row = joins and before is not None and newline_is_missing(before, file, last_byte, data[0])
                yield Piece(file, offset, data, starts_row)


def take(verifier: StreamVerifier, account: MemberAccount) -> None:
    verifier.add_segments(account.segments)
    verifier.add_counts(account.counts)


def pack(
    source: Source,
    member_bytes: int,
    piece_bytes: int,
    *,
    trim: bool = False,
    compression: Compression | None = None,
) -> tuple[list[bytes], StreamVerifier]:
    verifier = StreamVerifier(StreamTotals(len(source.content), source.lines), AnnouncedChecksums(), "export e1")
    packed = []
    for member in members(len(source.content), member_bytes):
        out: list[bytes] = []
        rows = RowTrimmer(RULE, hold=lambda _: None) if trim else RowCounter()
        packing = Packer(compression, out.append, block_bytes=16)
        take(verifier, encode_member(member, source.pieces(member.start, piece_bytes), rows, packing))
        packed.append(b"".join(out))
    verifier.verify_totals()
    return packed, verifier


LINES = st.lists(
    st.one_of(st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"\xe2\x80\xa8")), st.just(MARGIN_ROW)),
    min_size=1,
    max_size=14,
)
CUTS = st.lists(st.integers(0, 500), max_size=6)


@given(LINES, CUTS, st.tuples(st.integers(1, 80), st.integers(1, 50)), st.booleans(), st.booleans())
def test_every_row_is_in_exactly_one_member(
    lines: list[bytes], cuts: list[int], sizes: tuple[int, int], last_newline: bool, trim: bool
) -> None:
    """G3, G8: no row is lost or doubled, and files, pieces and requests do not decide the bytes."""
    member_bytes, piece_bytes = sizes
    content = b"\n".join(lines) + (b"\n" if last_newline or not lines[-1] else b"")
    packed, verifier = pack(Source.of(content, cuts), member_bytes, piece_bytes, trim=trim)
    reference, _ = pack(Source.of(content, []), member_bytes, len(content), trim=trim)
    assert packed == reference
    *ended, last = content.split(b"\n")
    rows = [line + b"\n" for line in ended] + ([last] if last else [])
    kept = [row for row in rows if not (trim and row.strip() == MARGIN_ROW)]
    assert b"".join(packed) == b"".join(kept)
    assert (verifier.counts.rows, verifier.counts.rows_kept) == (len(rows), len(kept))
    assert verifier.counts.max_row_bytes == max(map(len, rows))
    assert verifier.crc32c == google_crc32c.value(content)


@given(LINES, CUTS, st.integers(1, 80), st.integers(1, 50))
def test_each_member_with_rows_is_one_gzip_member(
    lines: list[bytes], cuts: list[int], member_bytes: int, piece_bytes: int
) -> None:
    """Each member with rows is one gzip member, and the others have no bytes."""
    content = b"\n".join(lines) + b"\n"
    plain, _ = pack(Source.of(content, []), member_bytes, len(content), trim=True)
    packed, _ = pack(Source.of(content, cuts), member_bytes, piece_bytes, trim=True, compression="gzip")
    assert [gzip.decompress(each) if each else b"" for each in packed] == plain
    again, _ = pack(Source.of(content, []), member_bytes, len(content), trim=True, compression="gzip")
    assert packed == again


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(1, 60), st.integers(1, 30))
def test_a_missing_newline_between_files_is_added(
    rows_per_file: list[int], member_bytes: int, piece_bytes: int
) -> None:
    """A newline that is missing between two files is added."""
    files: list[ExportFile] = []
    content, line, expected = b"", 0, b""
    for number, rows in enumerate(rows_per_file):
        text = b"\n".join(b'{"file":%d,"row":%d}' % (number, row) for row in range(rows))
        files.append(ExportFile(len(content), len(content) + len(text) - 1, line, line + rows - 1, "u"))
        content += text
        line += rows
        expected += text + (b"\n" if number < len(rows_per_file) - 1 else b"")
    packed, verifier = pack(Source(content, files, line), member_bytes, piece_bytes)
    assert b"".join(packed) == expected
    assert verifier.counts.newlines_added == len(rows_per_file) - 1
    reference, _ = pack(Source(content, files, line), member_bytes, 1)
    assert packed == reference


@pytest.mark.parametrize("size", [1, 31, 32, 33, 64, 65, 100])
def test_ranges_of_one_object_change_no_member(size: int) -> None:
    """Where a range is a multiple of a member, receipts decide no byte of the object."""
    assert DEFAULT_MAX_OBJECT_BYTES % MEMBER_BYTES == 0
    cuts = [(each.number, each.start, each.stop) for each in members(size, 8)]
    ranges = list(members(size, 8, range_bytes=32))
    assert [(each.number, each.start, each.stop) for each in ranges] == cuts
    assert all(each.object == each.start // 32 for each in ranges)
    assert all((each.first, each.last) == (32 * each.object, min(size, 32 * each.object + 32)) for each in ranges)


def test_a_row_longer_than_several_members_leaves_them_empty() -> None:
    content = b"a\n" + b"x" * 100 + b"\nb\n"
    packed, _ = pack(Source.of(content, [50]), 10, 7)
    assert [len(each) for each in packed] == [103, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]


# --- the ledger


def spoiled(source: Source, member_bytes: int = 40) -> StreamVerifier:
    return pack(source, member_bytes, 16)[1]


CONTENT = b"".join(b'{"row":%d}\n' % number for number in range(20))
SOUND = Source.of(CONTENT, [50, 120])


def with_file(number: int, **changes: Any) -> list[ExportFile]:
    files = list(SOUND.files)
    files[number] = replace(files[number], **changes)
    return files


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (replace(SOUND, lines=21), "20 rows; 21 were announced"),
        (replace(SOUND, lines=19), "20 rows; 19 were announced"),
        (
            replace(Source.of(CONTENT, [50]), files=[ExportFile(0, 49, 0, 4, "u"), ExportFile(50, 209, 5, 17, "u")]),
            "bytes 50 to 209 has 15 rows of its own; 13 were announced",
        ),
    ],
)
def test_rows_that_differ_are_an_integrity_error(source: Source, message: str) -> None:
    """Rows that differ from what was announced are an integrity error with both numbers.

    G3: bytes and rows match the server's own totals, file by file and in all.
    """
    with pytest.raises(IntegrityError, match=message):
        spoiled(source)


def test_a_short_stream_is_an_integrity_error() -> None:
    """A stream that is shorter than announced is an integrity error with both numbers.

    G3: bytes and rows match the server's own totals, file by file and in all.
    """
    verifier = StreamVerifier(StreamTotals(500, 20), AnnouncedChecksums(), "export e1")
    for member in members(len(CONTENT), 40):
        take(
            verifier,
            encode_member(member, SOUND.pieces(member.start, 16), RowCounter(), Packer(None, lambda data: None)),
        )
    with pytest.raises(IntegrityError, match=f"{len(CONTENT)} bytes; 500 were announced"):
        verifier.verify_totals()


def test_a_member_that_is_left_out_is_noticed() -> None:
    """G3: bytes and rows match the server's own totals, file by file and in all."""
    verifier = StreamVerifier(StreamTotals(len(CONTENT), 20), AnnouncedChecksums(), "export e1")

    def add_all_but_one() -> None:
        for member in members(len(CONTENT), 40):
            if member.number != 2:
                rows = RowCounter()
                pieces = SOUND.pieces(member.start, 16)
                take(verifier, encode_member(member, pieces, rows, Packer(None, lambda data: None)))
        verifier.verify_totals()

    with pytest.raises(IntegrityError, match="the next bytes have 120 bytes before them"):
        add_all_but_one()


def test_a_changed_file_is_caught_by_its_checksum() -> None:
    """A file of the right length with other bytes is caught by its checksum, however many members read it.

    G3: verified before visible.
    """
    checksums = AnnouncedChecksums()
    file = SOUND.files[1]
    checksums.record(file, google_crc32c.value(CONTENT[file.start : file.end + 1]), "export e1")
    wrong = bytearray(CONTENT)
    wrong[60] ^= 1
    source = replace(SOUND, content=bytes(wrong))
    verifier = StreamVerifier(StreamTotals(len(CONTENT), 20), checksums, "export e1")

    def add_all() -> None:
        for member in members(len(CONTENT), 25):
            rows = RowCounter()
            take(verifier, encode_member(member, source.pieces(member.start, 7), rows, Packer(None, lambda data: None)))

    with pytest.raises(IntegrityError, match=r"bytes 50 to 119 has CRC32C [0-9a-f]{8}, its host announced [0-9a-f]{8}"):
        add_all()
