"""The files of a stream have to tile it, and are asked for a little ahead."""

from __future__ import annotations

import random
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelbox_export_provider.cancellation import CancelToken, StoppedError
from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.errors import IntegrityError
from labelbox_export_provider.streaming.download.file_index import FileIndex

FILES = [ExportFile(start, start + 99, start // 10, start // 10 + 9, f"u{start}") for start in range(0, 1000, 100)]


class Labelbox:
    def __init__(self, files: list[ExportFile]) -> None:
        self.files = files
        self.asked: list[int] = []

    def ask(self, offset: int) -> ExportFile:
        self.asked.append(offset)
        return next(file for file in self.files if file.start <= offset <= file.end)


def index_of(labelbox: Labelbox, size: int = 1000, **options: Any) -> FileIndex:
    return FileIndex(labelbox.ask, StreamTotals(size, 100), label="export e1, RESULT stream", **options)


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
    assert sorted(offset // 100 for offset in labelbox.asked) == [0, 1, 2, 3, 4]
    index.close()


def test_each_file_is_requested_once_for_all_threads() -> None:
    """Each file is requested once, however many threads need it."""
    labelbox = Labelbox(FILES)
    index = index_of(labelbox)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(index.file_holding, list(range(0, 1000, 7)) * 4))
    assert all(
        file.start <= offset <= file.end for file, offset in zip(found, list(range(0, 1000, 7)) * 4, strict=True)
    )
    assert sorted(offset // 100 for offset in labelbox.asked) == list(range(10))


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
def test_files_must_tile_the_stream(name: str) -> None:
    """Files that do not tile the stream are an integrity error with the numbers.

    G3: verified before visible.
    """
    files, message = WRONG[name]
    answers = iter(files)
    index = FileIndex(lambda offset: next(answers), StreamTotals(200, 20), label="export e1", ahead_files=0)
    with pytest.raises(IntegrityError, match=message):
        index.file_holding(150)


def test_an_error_ahead_is_raised_to_who_needs_the_file() -> None:
    """An error of a request ahead is raised to the thread that needs that file."""
    labelbox = Labelbox([*FILES[:2], ExportFile(0, 999, 0, 9, "u")])
    index = index_of(labelbox)
    assert index.file_holding(0).end == 99
    until(lambda: len(labelbox.asked) >= 3)
    assert index.file_holding(150).end == 199
    with pytest.raises(IntegrityError, match="overlap"):
        index.file_holding(200)


def test_files_that_were_read_are_dropped() -> None:
    """Files that were read are dropped, and the others are still found."""
    labelbox = Labelbox(FILES)
    index = index_of(labelbox, ahead_files=0)
    index.file_holding(999)
    index.forget_before(450)
    assert index.file_holding(450).start == 400
    assert index.file_holding(999).start == 900
    assert len(labelbox.asked) == 10


def files_of(sizes: Sequence[int]) -> list[ExportFile]:
    borders = [0, *accumulate(sizes)]
    return [ExportFile(start, end - 1, start, end - 1, f"u{start}") for start, end in pairwise(borders)]


class Chain:
    """Answers for files of any sizes, and notes how many calls are under way at once."""

    def __init__(self, sizes: Sequence[int], meet: Callable[[], object] = lambda: None) -> None:
        self.files = files_of(sizes)
        self.starts = [file.start for file in self.files]
        self.size = self.files[-1].end + 1
        self.calls = self.under_way = self.most_under_way = 0
        self._meet = meet
        self._lock = threading.Lock()

    def ask(self, offset: int) -> ExportFile:
        with self._lock:
            self.calls += 1
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        self._meet()
        with self._lock:
            self.under_way -= 1
        return self.files[bisect_right(self.starts, offset) - 1]

    def index(self, **options: Any) -> FileIndex:
        return FileIndex(self.ask, StreamTotals(self.size, self.size), label="export e1, RESULT stream", **options)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(0, 12), st.randoms(use_true_random=False))
def test_files_of_any_sizes_are_found_in_a_chain_without_holes(
    sizes: list[int], ahead: int, chance: random.Random
) -> None:
    """G3: the files tile the stream, whatever was asked for ahead."""
    chain = Chain(sizes)
    index = chain.index(ahead_files=ahead)
    offsets = [chance.randrange(chain.size) for _ in range(20)]
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(index.file_holding, offsets))
    assert all(file.start <= offset <= file.end for file, offset in zip(found, offsets, strict=True))
    position = 0
    while position < chain.size:
        file = index.file_holding(position)
        assert file.start == position
        position = file.end + 1
    index.close()


def test_eight_requests_run_at_once() -> None:
    """Eight requests run at once, so that not every file costs a round trip."""
    together = threading.Barrier(8)
    calls = iter(range(1000))

    def meet() -> None:
        if 1 <= next(calls) <= 8:
            together.wait(10)

    chance = random.Random(1)
    chain = Chain([chance.randrange(15_900, 16_100) for _ in range(64)], meet)
    index = chain.index()
    assert index.file_holding(0).start == 0
    until(lambda: not together.n_waiting and chain.calls > 20)
    assert index.file_holding(chain.size - 1).end == chain.size - 1
    assert chain.most_under_way == 8
    assert chain.calls <= 64 * 1.2
    index.close()


@pytest.mark.timeout(20)
def test_guesses_end_for_files_of_one_byte() -> None:
    """Files of a single byte do not make the guessing endless while requests run."""
    chain = Chain([1] * 40, lambda: time.sleep(0.002))
    index = chain.index()
    assert [index.file_holding(offset).start for offset in range(40)] == list(range(40))
    index.close()


@pytest.mark.parametrize("files", [1_000, pytest.param(100_000, marks=pytest.mark.thorough)])
def test_an_index_of_300_gib_stays_within_its_window(files: int) -> None:
    """G5: memory does not grow with the export; signed URLs do not grow old."""
    chance = random.Random(2)
    usual = 300 * 1024**3 // files
    chain = Chain([chance.randrange(usual // 3, 2 * usual) for _ in range(files)])
    assert chain.size > 300 * 1024**3
    index = chain.index(ahead_files=16, ahead_bytes=64 * usual)
    position = most = 0
    while position < chain.size:
        file = index.file_holding(position)
        assert file.start == position
        position = file.end + 1
        index.forget_before(position)
        most = max(most, index._chain.files_beyond(-1))
    assert most <= 16 + 8 + 1
    assert chain.most_under_way <= 8
    assert chain.calls <= 1.5 * files
    index.close()


@pytest.mark.parametrize("by_token", [True, False], ids=["cancelled", "closed"])
def test_a_stopped_index_asks_nothing_more(by_token: bool) -> None:
    """Whoever waits for a file is woken, and neither a thread that needs one nor a look-ahead asks again."""
    held = threading.Event()
    calls = iter(range(1000))
    chain = Chain([10] * 100, lambda: held.wait(10) if 1 <= next(calls) <= 8 else None)
    token = CancelToken()
    index = chain.index(ahead_files=90, token=token)
    file = index.file_holding(0)
    until(lambda: chain.under_way == 8)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(index.file_holding, 15)
        if by_token:
            token.cancel(ValueError("over"))
        else:
            index.close()
        try:
            with pytest.raises(StoppedError):
                waiting.result(5)
        finally:
            held.set()
        with pytest.raises(StoppedError):
            index.file_holding(500)
        with pytest.raises(StoppedError):
            index.renew(file)
    until(lambda: chain.under_way == 0)
    time.sleep(0.05)
    assert chain.calls == 9
    assert index.file_holding(0) is file
    index.close()
