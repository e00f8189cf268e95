"""The calls that one landing makes at once: one bounded executor, and one rule for how they end."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

from labelbox_export_provider.cancellation import CancelToken, StoppedError
from labelbox_export_provider.errors import StorageError
from labelbox_export_provider.sinks.base import ObjectWriter

logger = logging.getLogger(__name__)

T = TypeVar("T")
ItemT = TypeVar("ItemT")

MAX_CALLS = 8
MAX_WAITING = 4 * MAX_CALLS
STOP_SECONDS = 2.0
"""How long a landing that stops waits for calls to the store that have begun, which only its client could end."""


class CallPool:
    """Runs calls of one landing, to the store or to Labelbox, until `token` is cancelled; close it."""

    def __init__(self, token: CancelToken) -> None:
        self.token = token
        self._executor = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="labelbox-call")

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Call `function` beside its caller, unless the landing is over by then. `results` waits for it."""

        def run() -> T:
            self.token.check()
            return function()

        return self._executor.submit(run)

    @contextmanager
    def beside(self, function: Callable[[], T]) -> Iterator[Future[T]]:
        """Call `function` while the block runs; if that fails, end the call as `results` ends others."""
        call = self.submit(function)
        try:
            yield call
        except BaseException:
            end_calls([call])
            raise

    def map(self, function: Callable[[ItemT], T], items: Iterable[ItemT]) -> list[T]:
        """Call `function` with each item, several at once, and return the `results` in the order of the items.

        Calls that have not begun are few: an export of 10 TiB has 20,480 objects, and a call that waits takes 3 KiB.
        """
        found: list[T] = []
        waiting: deque[Future[T]] = deque()
        try:
            for item in items:
                if len(waiting) == MAX_WAITING:
                    found += self.results(waiting.popleft())
                waiting.append(self.submit(partial(function, item)))
        except BaseException:
            end_calls(waiting)
            raise
        return found + self.results(*waiting)

    def results(self, *calls: Future[T]) -> list[T]:
        """Wait for calls and return what they return.

        With the first failure, calls that have not begun are left out, those that have are waited for, but no longer
        than `STOP_SECONDS`, and that failure is raised. When the landing is over, `StoppedError` is.
        """
        ended: SimpleQueue[Future[T] | None] = SimpleQueue()
        for call in calls:
            call.add_done_callback(ended.put)
        forget = self.token.call_on_cancel(lambda: ended.put(None))
        try:
            for _ in calls:
                done = ended.get()
                if done is None:
                    raise StoppedError
                done.result()
            return [call.result() for call in calls]
        except BaseException:
            end_calls(calls)
            raise
        finally:
            forget()

    def abort(self, writers: Iterable[ObjectWriter]) -> None:
        """Abort objects, also when the landing is over; log what fails or takes longer than `STOP_SECONDS`."""
        self.clean_up(
            [writer.abort for writer in writers], "abort %d open upload(s); the next try of this task does it"
        )

    def clean_up(self, actions: Iterable[Callable[[], object]], what: str) -> None:
        """Do what has to be done also when the landing is over; log `what` of it fails or takes too long."""
        calls = [self._executor.submit(action) for action in actions]
        wait(calls, STOP_SECONDS)
        failures = [call.exception() for call in calls if not call.cancel() and call.done()]
        for failure in failures:
            if failure is not None and not isinstance(failure, StorageError):
                raise failure
        failed = [failure for failure in failures if failure is not None]
        if left := len(calls) - len(failures) + len(failed):
            why = failed[0] if failed else "The store does not answer."
            logger.warning(f"Could not {what}: %s", left, why)  # noqa: G004  the text is the caller's own

    def close(self) -> None:
        """Leave out what has not begun, and let the rest end by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def end_calls(calls: Iterable[Future[T]]) -> None:
    """Leave out calls that have not begun, and wait for the others, for `STOP_SECONDS` at most."""
    wait([call for call in calls if not call.cancel()], STOP_SECONDS)
