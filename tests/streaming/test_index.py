"""The files of a stream have to tile it, and are asked for a little ahead."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from labelbox_export_provider.labelbox.model import ExportFile, StreamTotals
from labelbox_export_provider.spec.errors import IntegrityError
from labelbox_export_provider.streaming.index import FileIndex

FILES = [ExportFile(start, start + 99, start // 10, start // 10 + 9, f"u{start}") for start in range(0, 1000, 100)]


class Labelbox:
    def __init__(self, files: list[ExportFile]) -> None:
        self.files = files
        self.asked: list[int] = []

    def ask(self, offset: int) -> ExportFile:
        self.asked.append(offset)
        return next(file for file in self.files if file.start <= offset <= file.end)


def index_of(labelbox: Labelbox, size: int = 1000, **options: int) -> FileIndex:
    return FileIndex(labelbox.ask, StreamTotals(size, 100), where="export e1, RESULT stream", **options)


def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError


def test_the_file_of_every_byte_is_found_by_following_the_chain() -> None:
    labelbox = Labelbox(FILES)
    index = index_of(labelbox, ahead_files=0)
    for offset in (550, 0, 99, 100, 999):
        file = index.file_holding(offset)
        assert file.start <= offset <= file.end
    assert labelbox.asked == list(range(0, 1000, 100))


def test_a_few_files_are_asked_for_ahead_and_no_more() -> None:
    labelbox = Labelbox(FILES)
    index = index_of(labelbox, ahead_files=3)
    index.file_holding(0)
    until(lambda: len(labelbox.asked) == 4)
    index.file_holding(150)
    until(lambda: len(labelbox.asked) == 5)
    time.sleep(0.05)
    assert labelbox.asked == [0, 100, 200, 300, 400]
    index.close()


def test_each_file_is_asked_for_once_however_many_threads_want_it() -> None:
    labelbox = Labelbox(FILES)
    index = index_of(labelbox)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(index.file_holding, list(range(0, 1000, 7)) * 4))
    assert all(
        file.start <= offset <= file.end for file, offset in zip(found, list(range(0, 1000, 7)) * 4, strict=True)
    )
    assert sorted(labelbox.asked) == list(range(0, 1000, 100))


WRONG = {
    "hole": ([ExportFile(0, 99, 0, 9, "u"), ExportFile(101, 199, 10, 19, "u")], r"hole.*byte 100;.*bytes 101 to 199"),
    "overlap": (
        [ExportFile(0, 99, 0, 9, "u"), ExportFile(90, 199, 9, 19, "u")],
        r"overlap.*byte 100;.*bytes 90 to 199",
    ),
    "beyond": ([ExportFile(0, 99, 0, 9, "u"), ExportFile(100, 200, 10, 19, "u")], r"bytes 100 to 200.*total of 200"),
    "backwards": (
        [ExportFile(0, 99, 0, 9, "u"), ExportFile(100, 99, 10, 19, "u")],
        r"bytes 100 to 99.*before it starts",
    ),
    "not from 0": ([ExportFile(5, 99, 0, 9, "u")], r"hole.*byte 0;.*bytes 5 to 99"),
}


@pytest.mark.parametrize("name", WRONG)
def test_files_that_do_not_tile_the_stream_are_an_integrity_error_with_the_numbers(name: str) -> None:
    """G3: verified before visible."""
    files, message = WRONG[name]
    answers = iter(files)
    index = FileIndex(lambda offset: next(answers), StreamTotals(200, 20), where="export e1", ahead_files=0)
    with pytest.raises(IntegrityError, match=message):
        index.file_holding(150)


def test_an_error_met_while_asking_ahead_is_raised_to_whoever_needs_that_file() -> None:
    labelbox = Labelbox([*FILES[:2], ExportFile(0, 999, 0, 9, "u")])
    index = index_of(labelbox)
    assert index.file_holding(0).end == 99
    until(lambda: len(labelbox.asked) >= 3)
    assert index.file_holding(150).end == 199
    with pytest.raises(IntegrityError, match="overlap"):
        index.file_holding(200)


def test_files_that_are_done_are_forgotten_and_the_rest_still_found() -> None:
    labelbox = Labelbox(FILES)
    index = index_of(labelbox, ahead_files=0)
    index.file_holding(999)
    index.forget_before(450)
    assert index.file_holding(450).start == 400
    assert index.file_holding(999).start == 900
    assert len(labelbox.asked) == 10
