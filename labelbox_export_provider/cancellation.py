"""Cancellation: one token per piece of work, known to every thread and every wait that belongs to it.

Whoever finds the work over (a failure in another thread, a task that Airflow stops, Ctrl-C) cancels the token once.
Waits end at once, threads end at their next check, and callbacks end what neither of them reaches, such as a read from
a socket. What was cancelled stays so: new work gets a new token.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import contextmanager, suppress
from typing import TypeVar

T = TypeVar("T")


class StoppedError(Exception):
    """The work of this thread was cancelled elsewhere. `CancelToken.error` is the reason, which its owner raises."""


class CancelToken:
    """Shared by all threads of one piece of work. Every method may be called from a signal handler."""

    def __init__(self) -> None:
        # A signal handler interrupts the thread that holds the lock, so that thread must be able to take it again.
        self._changed = threading.Condition(threading.RLock())
        self._cancelled = False
        self._error: BaseException | None = None
        self._callbacks: dict[object, Callable[[], object]] = {}
        self._deadline = math.inf
        self._overdue: BaseException | None = None

    def cancel(self, error: BaseException) -> None:
        """End the work because of `error`; the first one counts.

        Returns when all callbacks have run. A `StoppedError` only repeats the reason of another thread, so it is not
        kept.
        """
        with self._changed:
            if self._error is None and not isinstance(error, StoppedError):
                self._error = error
            if self._cancelled:
                return
            self._cancelled = True
            callbacks, self._callbacks = list(self._callbacks.values()), {}
            self._changed.notify_all()
        for callback in callbacks:
            callback()

    @property
    def cancelled(self) -> bool:
        """Whether the work is over."""
        return self._cancelled

    @property
    def error(self) -> BaseException | None:
        """Why the work was cancelled; None while it runs."""
        return self._error

    def cancel_after(self, seconds: float, error: BaseException) -> None:
        """Cancel the work because of `error` if it is not over by then: in the first `check` or `wait` after it.

        No thread waits for that moment, and the token of a part of the work knows nothing of it.
        """
        self._deadline, self._overdue = time.monotonic() + seconds, error

    def check(self) -> None:
        """Raise `StoppedError` when the work was cancelled."""
        self._cancel_overdue()
        if self._cancelled:
            raise StoppedError

    def raise_error(self) -> None:
        """Raise the error that cancelled the work, for its owner; do nothing while it runs."""
        self._cancel_overdue()
        if self._error is not None:
            raise self._error
        self.check()

    def wait(self, seconds: float) -> None:
        """Sleep; raise `StoppedError` as soon as the work is cancelled."""
        deadline = min(time.monotonic() + seconds, self._deadline)
        with self._changed:
            while not self._cancelled and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
        self.check()

    def call(self, function: Callable[[], T]) -> T:
        """Call `function` in a thread of its own; raise `StoppedError` as soon as the work is cancelled.

        For calls that nothing can wake, such as the look-up of an address. The thread is left to end by itself.
        """
        return self.begin(function)()

    def begin(self, function: Callable[[], T]) -> Callable[[], T]:
        """Begin such a call, and return what waits for its end and returns its result; to be called once."""
        result: Future[T] = Future()

        def run() -> None:
            with suppress(InvalidStateError):  # nobody waits for it any more
                try:
                    result.set_result(function())
                except BaseException as error:  # noqa: BLE001  raised in the thread that waits
                    result.set_exception(error)

        self.check()
        forget = self.call_on_cancel(result.cancel)
        threading.Thread(target=run, name="labelbox-call", daemon=True).start()

        def wait() -> T:
            try:
                return result.result()
            except CancelledError:
                raise StoppedError from None
            finally:
                forget()

        return wait

    @contextmanager
    def part(self) -> Iterator[CancelToken]:
        """Yield a token for a part of the work: it is cancelled with this one, and at the end of the block."""
        part = CancelToken()
        forget = self.call_on_cancel(lambda: part.cancel(self._error or StoppedError()))
        try:
            yield part
        except BaseException as error:
            part.cancel(error)
            raise
        finally:
            forget()
            part.cancel(StoppedError())

    def call_on_cancel(self, callback: Callable[[], object]) -> Callable[[], object]:
        """Call `callback` once when the work is cancelled, at once if it was; return what takes that back.

        It must be quick and must not fail: it runs in the thread that cancels.
        """
        place = object()
        with self._changed:
            self._callbacks[place] = callback
        # Looked at afterwards: a signal handler may have cancelled between the two.
        if self._cancelled and self._forget(place):
            callback()
        return lambda: self._forget(place)

    def _cancel_overdue(self) -> None:
        if self._overdue is not None and time.monotonic() >= self._deadline:
            self.cancel(self._overdue)

    def _forget(self, place: object) -> bool:
        with self._changed:
            return self._callbacks.pop(place, None) is not None
