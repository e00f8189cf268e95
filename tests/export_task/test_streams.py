"""Streams of the export task against a fake Labelbox: every way to cut files, and files that misbehave."""

from __future__ import annotations

import json
import time

import pytest
from support.export_tasks import prompt
from support.streaming.stops import sockets_to, threads_left, until_none

from labelbox_export_provider import StreamType
from labelbox_export_provider.errors import IntegrityError
from labelbox_export_provider.testing import StreamLayout
from labelbox_export_provider.testing.faults import (
    BrokenFile,
    CorruptFile,
    DrippingFile,
    ErrorRows,
    ExpiredFile,
    SlowAnswer,
    TruncatedFile,
    WrongTotals,
)

LAYOUTS = {
    "whole lines": StreamLayout(file_bytes=20_000),
    "anywhere": StreamLayout(file_bytes=7_001, cut="anywhere"),
    "inside characters": StreamLayout(file_bytes=5_000, cut="character"),
    "no last newline": StreamLayout(file_bytes=20_000, last_newline=False),
    "no newline between files": StreamLayout(file_bytes=20_000, newline_between_files=False),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_rows_are_those_of_labelbox_however_files_are_cut(name: str) -> None:
    """Rows are byte for byte those of Labelbox, however files are cut."""
    with prompt(streams=LAYOUTS[name]) as someone:
        task = someone.start()
        expected_rows = someone.rows(task)
        stream = task.get_buffered_stream()
        assert list(stream.lines()) == expected_rows
        assert [row.json for row in stream] == [json.loads(row) for row in expected_rows]
        for line in (1, 20, 41, 59):
            assert list(stream.with_line(line).lines()) == expected_rows[line:], line
        for row in list(stream)[30:33]:
            assert next(iter(stream.with_offset(row.offset))).raw == row.raw
        assert not any(request.had_authorization or request.had_cookie for request in someone.fake.requests.files)


def test_unusual_forms_of_answers_are_read() -> None:
    """Numbers may come as numbers, files without ranges, and answers without length."""
    layout = StreamLayout(file_bytes=30_000, cut="anywhere")
    unusual = {"uint64_as_text": False, "file_ranges": False, "file_content_length": False, "file_hash": False}
    with prompt(streams=layout, **unusual) as someone:
        task = someone.start()
        expected_rows = someone.rows(task)
        assert list(task.get_buffered_stream().lines()) == expected_rows
        assert list(task.get_buffered_stream().with_line(30).lines()) == expected_rows[30:]


def test_both_streams_are_read_by_their_type() -> None:
    lines = ('{"error": "gone: d\u2028\u00e9j\u00e0"}', '{"error": "too large"}')
    with prompt() as someone:
        someone.fake.faults.add(ErrorRows(lines=lines))
        task = someone.start()
        seen: list[str] = []
        task.get_buffered_stream(stream_type=StreamType.ERRORS).start(stream_handler=lambda row: seen.append(str(row)))
        assert tuple(seen) == lines
        assert list(task.errors) == [json.loads(line) for line in lines]
        assert list(task.result) == [json.loads(row) for row in someone.rows(task)]


def test_a_broken_download_yields_every_row_once() -> None:
    """A download that breaks off or expires is resumed and yields every row once."""
    with prompt(streams=LAYOUTS["anywhere"]) as someone:
        task = someone.start()
        someone.fake.faults.add(BrokenFile(file_index=0, after_bytes=3000), ExpiredFile(file_index=1))
        assert list(task.get_buffered_stream().lines()) == someone.rows(task)
        assert len(someone.fake.faults.happened) == 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (CorruptFile(file_index=1, position=9), "CRC32C"),
        (TruncatedFile(file_index=1, keep=100, times=None), "100 bytes"),
        (WrongTotals(lines_by=1), "61 were announced"),
        (WrongTotals(bytes_by=-1), "beyond the announced total"),
    ],
)
def test_a_difference_from_the_totals_is_an_integrity_error(
    fault: CorruptFile | TruncatedFile | WrongTotals, message: str
) -> None:
    """A stream that differs from what was announced is an integrity error."""
    with prompt(streams=LAYOUTS["anywhere"]) as someone:
        someone.fake.faults.add(fault)
        task = someone.start()
        with pytest.raises(IntegrityError, match=message):
            task.get_buffered_stream().start()


def test_leaving_the_loop_early_ends_all_requests() -> None:
    """A question ahead does not outlive the loop: neither its thread nor a connection is left."""
    with prompt(streams=StreamLayout(file_bytes=5_000)) as someone:
        task = someone.start()
        someone.fake.faults.add(
            SlowAnswer(operation="exportFileFromOffset", seconds=20, times=None, after=1),
            DrippingFile(after_bytes=4_000, times=None),
        )
        begun = time.monotonic()
        for row in task.get_buffered_stream():
            assert row.json
            break
        assert time.monotonic() - begun < 5
        assert until_none(threads_left, 5 - (time.monotonic() - begun)) == []
        assert until_none(lambda: sockets_to(someone.fake) > 1, 5 - (time.monotonic() - begun)) is False
