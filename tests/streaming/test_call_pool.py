"""The calls of one landing: one that runs beside others ends with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.errors import StorageUnavailableError
from labelbox_export_provider.streaming.pipeline.call_pool import CallPool


@pytest.fixture
def calls() -> Iterator[CallPool]:
    pool = CallPool(CancelToken())
    yield pool
    pool.close()


def test_a_call_beside_a_block_returns_its_result(calls: CallPool) -> None:
    """It has begun while the block runs."""
    begun = threading.Event()

    def call() -> str:
        begun.set()
        return "done"

    with calls.beside(call) as beside:
        assert begun.wait(20)
    assert calls.results(beside) == ["done"]


def test_a_block_that_fails_waits_for_the_call_beside_it(calls: CallPool) -> None:
    """So nothing changes in the store once the failure is known; it is that of the block."""
    begun, over, ended = threading.Event(), threading.Event(), list[str]()

    def remove() -> None:
        begun.set()
        over.wait(0.2)
        ended.append("removed")

    def block() -> None:
        with calls.beside(remove):
            assert begun.wait(20)
            raise StorageUnavailableError("the block's own")

    with pytest.raises(StorageUnavailableError, match="the block's own"):
        block()
    assert ended == ["removed"]
