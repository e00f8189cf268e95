"""What is known of a stream's files, as a value: answers in any order make one chain without holes."""

from __future__ import annotations

import random
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.errors import IntegrityError
from labelbox_export_provider.streaming.download.file_chain import FileChain


def files_of(sizes: list[int]) -> list[ExportFile]:
    borders = [0, *accumulate(sizes)]
    return [ExportFile(start, end - 1, start, end - 1, f"u{start}") for start, end in pairwise(borders)]


def chain_of(files: list[ExportFile]) -> FileChain:
    return FileChain(files[-1].end + 1, label="export e1")


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_guesses_in_any_order_make_one_chain(sizes: list[int], chance: random.Random) -> None:
    """G3: the files tile the stream. Each link is followed once, or its guess was right and it is not followed."""
    files = files_of(sizes)
    chain = chain_of(files)
    asked: set[int] = set()
    while chain.end <= files[-1].end:
        guess = chain.next_guess(asked, chain.end + 500)
        if guess is not None and len(asked) < 8:
            asked.add(guess)
        elif asked and chance.random() < 0.7:
            offset = chance.choice(sorted(asked))
            asked.discard(offset)
            chain.add_guess(offset, next(file for file in files if file.start <= offset <= file.end))
        else:
            chain.append(chain.end, next(file for file in files if file.start == chain.end))
    assert [chain.file_holding(file.end) for file in files] == files
    assert chain.file_holding(files[-1].end + 1) is None


def test_a_failed_guess_is_not_repeated_before_the_chain_grew() -> None:
    """An answer that does not fit, or an error, ends guessing until the next file is known by the chain."""
    files = files_of([10] * 9)
    chain = chain_of(files)
    chain.append(0, files[0])
    assert chain.next_guess((), 90) == 10
    chain.add_guess(10, None)
    assert chain.next_guess((), 90) is None
    chain.append(10, files[1])
    assert chain.next_guess((), 90) == 20
    chain.add_guess(20, ExportFile(15, 25, 0, 0, "u"))
    assert chain.next_guess((), 90) is None


def test_a_late_answer_for_a_known_file_is_dropped() -> None:
    """A guess that the chain has passed meanwhile changes nothing."""
    files = files_of([10] * 4)
    chain = chain_of(files)
    for file in files[:3]:
        chain.append(chain.end, file)
    chain.add_guess(15, files[1])
    assert chain.end == 30
    assert chain.next_guess((), 40) == 30
    with pytest.raises(IntegrityError, match="hole"):
        chain.append(30, ExportFile(31, 39, 0, 0, "u"))
