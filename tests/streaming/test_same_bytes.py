"""Same export, same bytes (G8): whatever workers, part size, requests, resumed downloads and file layout."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import google_crc32c
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.streaming.http import Reply
from support.streaming.moves import (
    CONTENT,
    MARGIN_ROW,
    MemoryStore,
    Setting,
    by_objects,
    content_of,
)
from support.streaming.source import Source, Twist, faults, serve

pytestmark = pytest.mark.thorough

LONG = CONTENT.replace(b'"text":"', b'"text":"' + b"y" * 2500, 1).replace(b"\xe2\x80\xa8", b"___")
LAST_CUT = content_of(60, last_newline=False).replace(b"\xe2\x80\xa8", b"___")
WAYS = [1, 4, 16]

in_every_treatment = pytest.mark.parametrize(
    ("compression", "trim", "object_bytes"),
    [
        (compression, trim, size)
        for compression in (None, "gzip", "zstd")
        for trim in (False, True)
        for size in (None, 700)
    ],
)


def unpacked(compression: str | None, data: bytes | None) -> bytes:
    assert data is not None
    if compression == "gzip":
        return gzip.decompress(data)
    if compression == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    return data


def land(setting: Setting, source: Source) -> dict[int, bytes | None]:
    store = MemoryStore()
    staged = setting.move(source, store.open)
    staged.complete()
    assert staged.counts.rows == source.lines
    assert sum(each.counts.rows for each in staged.objects) == source.lines
    assert staged.source_crc32c == google_crc32c.value(source.content)
    return store.contents()


def reference(setting: Setting, content: bytes) -> dict[int, bytes | None]:
    """One worker, one file, one part for each object."""
    with serve(content) as source:
        return land(replace(setting, workers=1, part_bytes=10**6, chunk_bytes=10**6, held_bytes=10**8), source)


def broken(places: Sequence[tuple[int, int, bool]]) -> Twist:
    """Break downloads off: number of the file, bytes that still come, whether the host hangs up or resets."""

    def breaking(after: int, closed: bool) -> Any:
        def change(reply: Reply) -> Reply:
            return replace(reply, break_after=after, hang_up=closed)

        return change

    return faults(*((number, breaking(after, closed)) for number, after, closed in places))


def hold_against_reference(setting: Setting, content: bytes, examples: int) -> None:
    expected = reference(setting, content)
    ranges = by_objects(content, setting.object_bytes or len(content), trim=setting.trim)
    assert {number: unpacked(setting.compression, data) for number, data in expected.items()} == {
        number: b"".join(rows) for number, rows in ranges.items() if rows
    }

    @settings(deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.integers(1, len(content) - 1), max_size=12),
        st.sampled_from(WAYS),
        st.integers(20, 3000),
        st.integers(1, 4000),
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300), st.booleans()), max_size=4),
    )
    def check(
        cuts: list[int], workers: int, part_bytes: int, chunk_bytes: int, breaks: list[tuple[int, int, bool]]
    ) -> None:
        moved = replace(setting, workers=workers, part_bytes=part_bytes, chunk_bytes=chunk_bytes)
        with serve(content, cuts, twist=broken(breaks)) as source:
            assert land(moved, source) == expected

    check()


@in_every_treatment
def test_the_same_export_makes_the_same_bytes(compression: Any, trim: bool, object_bytes: int | None) -> None:
    """The same export makes the same bytes, however it is moved.

    G8: same export, same bytes. Files are cut anywhere, in the middle of rows and of characters, too.
    """
    setting = Setting(compression=compression, trim=trim, object_bytes=object_bytes)
    content = LAST_CUT if object_bytes else LAST_CUT.replace(b"___", b"\xe2\x80\xa8")
    hold_against_reference(setting, content, 2)


@pytest.mark.thorough
@pytest.mark.timeout(300)
@pytest.mark.parametrize("content", [CONTENT.replace(b"\xe2\x80\xa8", b"\xc3\xbc"), LONG], ids=["usual", "long row"])
@in_every_treatment
def test_many_ways_to_move_an_export_give_the_same_bytes(
    compression: Any, trim: bool, object_bytes: int | None, content: bytes
) -> None:
    """G8: same export, same bytes. A row may be longer than members, spans, parts and objects."""
    hold_against_reference(Setting(compression=compression, trim=trim, object_bytes=object_bytes), content, 25)


@pytest.mark.parametrize("compression", ["gzip", None])
@pytest.mark.parametrize("trim", [True, False])
@pytest.mark.parametrize("object_bytes", [1, 47, 600, 1000, 2048])
def test_each_row_lands_in_the_object_of_its_start(object_bytes: int, trim: bool, compression: Any) -> None:
    """Each row lands in the object in whose range of the source it starts.

    G8: objects depend on the export and `max_object_bytes` alone. A long row leaves objects without bytes.
    """
    content = LONG if object_bytes > 1 else LONG[:200] + b"\n\n" + LONG[-200:]
    expected = by_objects(content, object_bytes, trim=trim)
    store = MemoryStore()
    setting = Setting(compression=compression, trim=trim, object_bytes=object_bytes)
    with serve(content, [object_bytes, 700, 701, 3 * object_bytes]) as source:
        staged = setting.move(source, store.open)
    written = staged.complete()
    assert [each.number for each in staged.objects] == list(expected)
    assert sorted(store.writers) == [number for number, rows in expected.items() if rows]
    assert len(written) == len(store.writers)
    for number, data in store.contents().items():
        assert unpacked(compression, data) == b"".join(expected[number])
    assert [each.counts.rows_kept for each in staged.objects] == [len(rows) for rows in expected.values()]
    assert [each.counts.bytes_kept for each in staged.objects] == [sum(map(len, rows)) for rows in expected.values()]
    assert all((each.size == 0) == (not expected[each.number]) for each in staged.objects)
    assert staged.counts.rows == source.lines


@pytest.mark.parametrize("compression", ["zstd", None])
@pytest.mark.parametrize("object_bytes", [None, 7, 30, 90])
def test_missing_newlines_between_files_are_added(compression: Any, object_bytes: int | None) -> None:
    """Newlines that are missing between files are added, whatever else is cut there.

    G3, G8: no row is glued to the next. The added bytes move no row into another object.
    """

    @settings(deadline=None, max_examples=6, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.integers(1, 4), min_size=2, max_size=9), st.sampled_from(WAYS), st.integers(20, 200))
    def check(rows_of_files: list[int], workers: int, part_bytes: int) -> None:
        rows = [[b'{"file":%d,"row":%d}' % (f, row) for row in range(n)] for f, n in enumerate(rows_of_files)]
        texts = [b"\n".join(each) for each in rows]
        content = b"".join(texts)
        lines = list(accumulate(rows_of_files, initial=0))
        with serve(
            content,
            list(accumulate(map(len, texts))),
            lines=lines[-1],
            line_ranges=[(first, first + n - 1) for first, n in zip(lines, rows_of_files, strict=False)],
        ) as source:
            setting = Setting(
                compression=compression,
                trim=False,
                object_bytes=object_bytes,
                workers=workers,
                part_bytes=part_bytes,
                member_bytes=50,
            )
            landed = land(setting, source)
        size = object_bytes or len(content)
        expected: dict[int, bytes] = {}
        for offset, row in starts(rows):
            last = row is rows[-1][-1]
            expected[offset // size] = expected.get(offset // size, b"") + row + (b"" if last else b"\n")
        assert {number: unpacked(compression, data) for number, data in landed.items()} == expected

    check()


def starts(rows: list[list[bytes]]) -> Iterator[tuple[int, bytes]]:
    """Each row with its offset in the source, where the last of a file has no newline."""
    offset = 0
    for file in rows:
        for number, row in enumerate(file):
            yield offset, row
            offset += len(row) + (number < len(file) - 1)


@pytest.mark.parametrize(("compression", "trim"), [(None, False), ("gzip", True)])
def test_no_count_is_lost_between_many_threads(compression: Any, trim: bool) -> None:
    """G3: counts are added up in one place; adding from several threads would lose some now and then."""
    content = content_of(4000).replace(b"\xe2\x80\xa8", b"___")
    store = MemoryStore()
    setting = Setting(
        workers=16,
        compression=compression,
        trim=trim,
        part_bytes=500,
        member_bytes=900,
        object_bytes=40_000,
        chunk_bytes=100,
    )
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with serve(content, range(1111, len(content), 1111)) as source:
            staged = setting.move(source, store.open)
    finally:
        sys.setswitchinterval(before)
    staged.complete()
    rows = content.splitlines(keepends=True)
    kept = [row for row in rows if not trim or row.strip() != MARGIN_ROW]
    counts = staged.counts
    assert (counts.rows, counts.bytes) == (len(rows), len(content))
    assert (counts.rows_kept, counts.bytes_kept) == (len(kept), sum(map(len, kept)))
    assert counts.max_row_bytes == max(map(len, rows))
    assert counts.rows_unknown == (len(kept) if trim else 0)
    assert sum(each.counts.rows for each in staged.objects) == len(rows)
    assert sum(each.counts.bytes_kept for each in staged.objects) == counts.bytes_kept
    assert sum(each.size for each in staged.objects) == sum(len(data or b"") for data in store.contents().values())
