"""Rows end at newlines only, counted exactly, and dropped only for a time that was really read."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.domain.windows.windows import TrimRule
from labelbox_export_provider.streaming.download.stream_reader import newline_is_missing
from labelbox_export_provider.streaming.rows.counts import RowCounter
from labelbox_export_provider.streaming.rows.timestamps import last_activity_at, parse_instant, peek_timestamp
from labelbox_export_provider.streaming.rows.trimming import RowFilter, RowTrimmer

UTC = timezone.utc
START = datetime(2026, 11, 22, 2, tzinfo=UTC)
END = datetime(2026, 11, 23, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RULE = TrimRule(START, END, START - SECOND, END + SECOND)


class Memory:
    """Counts the bytes of long rows that are held now, and at most."""

    def __init__(self) -> None:
        self.held = self.most = 0

    def hold(self, size: int) -> None:
        self.held = size
        self.most = max(self.most, size)


def run(rows: RowFilter, content: bytes, cuts: list[int]) -> bytes:
    borders = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    kept = b""
    for start, end in pairwise(borders):
        for data in rows.feed(content[start:end]):
            kept += data
    for data in rows.end_stream():
        kept += data
    return kept


def rows_of(content: bytes) -> list[bytes]:
    *whole, last = content.split(b"\n")
    return [line + b"\n" for line in whole] + ([last] if last else [])


def row(moment: object, size: int = 0) -> bytes:
    details = {"details": {"last_activity_at": moment}}
    return json.dumps({"data_row": {"id": "clx", "row_data": "x" * size, **details}, "projects": {}}).encode()


LINES = st.lists(st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"\x85")), max_size=12)


@given(LINES, st.booleans(), st.lists(st.integers(0, 200), max_size=6))
def test_counting_is_exact_however_the_bytes_are_cut(lines: list[bytes], last_newline: bool, cuts: list[int]) -> None:
    content = b"\n".join(lines) + (b"\n" if last_newline and lines else b"")
    rows = RowCounter()
    assert run(rows, content, cuts) == content
    ended = rows_of(content)
    assert rows.counts.rows == len(ended)
    assert rows.counts.bytes == len(content)
    assert rows.counts.max_row_bytes == max(map(len, ended), default=0)


MOMENTS = {
    "inside": START,
    "last inside": END - timedelta(microseconds=1),
    "margin before": START - timedelta(milliseconds=1),
    "margin after": END,
    "moved on": END + timedelta(hours=1),
    "earlier": START - timedelta(hours=1),
}


def test_only_rows_whose_own_time_lies_in_a_margin_are_dropped() -> None:
    """G4: a row that is not modified again lands in exactly one window."""
    unreadable = [
        *(row(moment) for moment in (None, 17, "2026-11-22T01:59:59.5", "yesterday")),
        *(b"{}", b"[]", b"not json", b"", b'{"data_row": "\xff"}'),
        b'{"data_row": {"details": {"last_activity_at": "2026-11-22T01:59:59.5Z"',
    ]
    lines = [row(moment.isoformat()) for moment in MOMENTS.values()] + unreadable
    rows = RowTrimmer(RULE, hold=Memory().hold)
    kept = run(rows, b"\n".join(lines) + b"\n", []).split(b"\n")[:-1]
    assert [line for line in lines if line not in kept] == [lines[2], lines[3]]
    counts = rows.counts
    assert (counts.rows, counts.rows_trimmed, counts.rows_after_end, counts.rows_before_start) == (16, 2, 1, 1)
    assert counts.rows_unknown == len(unreadable)


ROWS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(list(MOMENTS.values())), st.integers(0, 60)).map(
            lambda p: row(p[0].isoformat(timespec="milliseconds"), p[1])
        ),
        st.binary(max_size=30).map(lambda data: data.replace(b"\n", b" ")),
    ),
    max_size=8,
)


@given(ROWS, st.booleans(), st.lists(st.integers(0, 2000), max_size=8), st.integers(1, 260))
def test_trimming_gives_the_same_bytes_however_they_are_cut(
    lines: list[bytes], last_newline: bool, cuts: list[int], max_row: int
) -> None:
    """G8: same export, same bytes."""
    content = b"\n".join(lines) + (b"\n" if last_newline and lines else b"")
    ended = rows_of(content)

    def kept(line: bytes) -> bool:
        return len(line) > max_row or RULE.position(last_activity_at(line)) != "margin"

    memory = Memory()
    rows = RowTrimmer(RULE, max_row=max_row, hold=memory.hold, long_row=16)
    assert run(rows, content, cuts) == b"".join(line for line in ended if kept(line))
    assert rows.counts.rows == len(ended)
    assert rows.counts.rows_kept == sum(map(kept, ended))
    assert rows.counts.bytes == len(content)
    assert rows.counts.bytes_kept == sum(len(line) for line in ended if kept(line))
    assert rows.counts.max_row_bytes == max(map(len, ended), default=0)
    assert memory.held == 0
    assert memory.most <= max_row


def test_a_row_above_the_limit_is_kept_and_never_held() -> None:
    """A row that is longer than the limit is kept unchanged and never held whole.

    G5: memory does not grow with the export.
    """
    memory = Memory()
    rows = RowTrimmer(RULE, max_row=1000, hold=memory.hold, long_row=100)
    long = row((START - SECOND / 2).isoformat(), size=50_000)
    kept = b"".join(
        data for start in range(0, len(long), 300) for data in map(bytes, rows.feed(long[start : start + 300]))
    )
    kept += b"".join(rows.feed(b"\n"))
    assert kept == long + b"\n"
    assert 300 < memory.most <= 1000
    assert memory.held == 0
    assert (rows.counts.rows_unknown, rows.counts.rows_trimmed) == (1, 0)


USUAL = b'{"data_row": {"id": "clx", "details": {"last_activity_at": "2026-11-22T01:59:59.500+00:00"}}}'
TRICKY = [
    USUAL.replace(b'": ', b'":'),
    USUAL.replace(b'"details"', b'"other"'),
    USUAL.replace(b'"details": {', b'"details": {"a": {"last_activity_at": "2026-11-22T09:00:00.000+00:00"}, '),
    USUAL.replace(b'"details"', b'"last_activity_at": "2026-11-22T09:00:00.000+00:00", "details"'),
    USUAL.replace(b'"id"', b'"row_data": {"details": {"last_activity_at": "2026-11-22T09:00:00.000+00:00"}}, "id"'),
    USUAL.replace(b'"clx"', b'"\\"last_activity_at\\": {\\"2026\\"}"'),
    b'{"projects": {"details": {"last_activity_at": "2026-11-22T09:00:00.000+00:00"}}, ' + USUAL[1:],
    USUAL.replace(b"59.500+00:00", b"59.5Z"),
    USUAL.replace(b"+00:00", b"-00:00"),
    USUAL.replace(b"+00:00", b"+01:00"),
    USUAL.replace(b"2026-11-22", b"2026-W47-7"),
    USUAL.replace(b'"2026-11-22T01:59:59.500+00:00"', b"null"),
    USUAL.replace(b"last_", b"last\\u005f"),
    USUAL[:-3],
    b'"last_activity_at"',
    USUAL[: USUAL.index(b"2026")],
]


@pytest.mark.parametrize("line", [USUAL, *TRICKY])
def test_a_peek_reads_what_a_full_parse_reads_or_none(line: bytes) -> None:
    """G4: the peek decides only that a row is kept, so it must not read another field as its time."""
    seen = peek_timestamp(b"xx" + line + b"\n" + USUAL, 2, 2 + len(line))
    assert seen is None or line == USUAL[:-3] or seen == last_activity_at(line)


def test_a_peek_is_enough_for_rows_of_labelbox() -> None:
    for line in (USUAL, TRICKY[0], USUAL[:-2] + b', "created_by": "a@b.example"}}, "projects": {}}'):
        assert peek_timestamp(line, 0, len(line)) == START - SECOND / 2


def test_a_row_that_is_not_valid_json_is_kept() -> None:
    """A row that its timestamp alone would drop, but that is not valid JSON, is kept.

    G4: a row is dropped only if its own timestamp was really parsed.
    """
    rows = RowTrimmer(RULE, hold=Memory().hold)
    content = USUAL + b"\n" + USUAL[:-3] + b"\n"
    assert run(rows, content, []) == USUAL[:-3] + b"\n"
    assert (rows.counts.rows_trimmed, rows.counts.rows_unknown) == (1, 1)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-04-08T16:21:26.000+00:00", datetime(2024, 4, 8, 16, 21, 26, tzinfo=UTC)),
        ("2024-04-08T16:21:26Z", datetime(2024, 4, 8, 16, 21, 26, tzinfo=UTC)),
        ("2024-04-08 16:21:26+0000", datetime(2024, 4, 8, 16, 21, 26, tzinfo=UTC)),
        ("2024-04-08T16:21:26.1234567Z", datetime(2024, 4, 8, 16, 21, 26, 123456, tzinfo=UTC)),
        ("2024-04-08T21:51:26.5+05:30", datetime(2024, 4, 8, 16, 21, 26, 500000, tzinfo=UTC)),
        ("2024-04-08T11:21:26-0500", datetime(2024, 4, 8, 16, 21, 26, tzinfo=UTC)),
        ("2024-04-08T16:21:26", None),
        ("2024-04-08", None),
        ("2024-13-08T16:21:26Z", None),
        ("2024-04-08T24:00:00Z", None),
        ("2024-04-08T16:21:60Z", None),
        ("0001-01-01T00:00:00+10:00", None),
        ("2024-04-08T16:21:26+99:00", None),
        ("٢٠٢٤-04-08T16:21:26Z", None),
        ("1712593286", None),
        ("", None),
    ],
)
def test_the_forms_of_an_instant(text: str, moment: datetime | None) -> None:
    assert parse_instant(text) == moment


def test_a_row_nested_absurdly_deep_is_unknown_and_not_an_error() -> None:
    assert last_activity_at(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}") is None


@pytest.mark.parametrize(
    ("last", "first", "next_line", "missing"),
    [
        (b"}", b"{", 10, True),
        (b"}", b"{", 9, False),
        (b"}", b",", 10, False),
        (b"}", b"\n", 10, False),
        (b"\n", b"{", 10, False),
        (b'"', b"{", 10, False),
    ],
)
def test_a_newline_is_added_only_where_a_row_surely_ended(
    last: bytes, first: bytes, next_line: int, missing: bool
) -> None:
    """A newline is added between files only where a row surely ended."""
    before, after = ExportFile(0, 99, 0, 9, "u"), ExportFile(100, 199, next_line, 19, "u")
    assert newline_is_missing(before, after, last[0], first[0]) is missing
