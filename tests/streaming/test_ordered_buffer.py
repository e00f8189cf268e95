"""Workers get ahead only as far as memory allows, and the member whose turn it is always gets through."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelbox_export_provider.cancellation import CancelToken, StoppedError
from labelbox_export_provider.streaming.pipeline.blocks import Output
from labelbox_export_provider.streaming.pipeline.ordered_buffer import OrderedBuffer


def nothing() -> None: ...


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.lists(st.integers(1, 20), max_size=12), min_size=1, max_size=12), st.integers(1, 6), st.integers(0, 60)
)
def test_output_comes_in_order_whole_and_within_the_bound(members: list[list[int]], workers: int, extra: int) -> None:
    """G5: one bound at any size. `reserve` is a part of 40 and one output of 20."""
    outputs = OrderedBuffer(CancelToken(), limit=100 + extra, reserve=60)

    def make(number: int) -> None:
        chance = random.Random(number)
        for size in members[number]:
            if chance.random() < 0.2:
                time.sleep(0.0002)
            outputs.append_output(number, Output(bytes([number]) * size))
        outputs.close_member(number)

    def send(size: int) -> None:
        outputs.release_bytes(size)

    received: list[bytes] = []
    gathered = 0
    with ThreadPoolExecutor(workers) as makers, ThreadPoolExecutor(1) as senders:
        for number in range(len(members)):
            makers.submit(make, number)
        for number in range(len(members)):
            while (data := outputs.next_output(number, every=1.0, tick=nothing)) is not None:
                received.append(bytes(data.view))
                gathered += len(data)
                if gathered > 40:
                    senders.submit(send, 40)
                    gathered -= 40
    assert b"".join(received) == b"".join(bytes([number]) * sum(sizes) for number, sizes in enumerate(members))
    assert outputs.max_held <= 100 + extra


def test_the_reason_is_raised_and_all_threads_wake() -> None:
    """Cancelling wakes every waiting worker, and the joining thread raises the reason."""
    token = CancelToken()
    outputs = OrderedBuffer(token, limit=10, reserve=5)
    outputs.append_output(0, Output(b"x" * 10))
    ended: list[str] = []

    def put() -> None:
        try:
            outputs.append_output(1, Output(b"yyy"))
        except StoppedError:
            ended.append("put")

    def hold() -> None:
        try:
            outputs.hold_row(8, 6)
        except StoppedError:
            ended.append("hold")

    threads = [threading.Thread(target=put), threading.Thread(target=hold)]
    for thread in threads:
        thread.start()
    token.cancel(ValueError("the first"))
    for thread in threads:
        thread.join(5)
    assert sorted(ended) == ["hold", "put"]
    with pytest.raises(ValueError, match="the first"):
        outputs.next_output(0, every=1.0, tick=nothing)


def test_long_rows_count_but_that_of_the_turn() -> None:
    """Rows that units ahead hold count against the bound; the unit whose turn it is never waits for its own.

    G5: memory does not grow with the length of rows, except by one of them.
    """
    outputs = OrderedBuffer(CancelToken(), limit=10, reserve=4)
    outputs.hold_row(3, 5)
    got = threading.Event()

    def ahead() -> None:
        outputs.hold_row(1, 2)
        got.set()

    thread = threading.Thread(target=ahead)
    thread.start()
    outputs.hold_row(0, 100)
    outputs.append_output(0, Output(b"four"))
    assert not got.wait(0.05)
    outputs.hold_row(3, 0)
    assert got.wait(5)
    thread.join()
    outputs.close_member(0)
    assert outputs.next_output(0, every=1.0, tick=nothing) is not None
    assert outputs.next_output(0, every=1.0, tick=nothing) is None
    outputs.close_member(1)
    assert outputs.next_output(1, every=1.0, tick=nothing) is None
    outputs.hold_row(2, 6)  # that of unit 1 does not count any more
