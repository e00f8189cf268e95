"""The cancel token: who is woken, which error is kept, and that a signal handler may use it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

import pytest

from labelbox_export_provider.cancellation import CancelToken, StoppedError


def test_the_first_error_is_the_reason() -> None:
    """The first error is kept, and a `StoppedError`, which only repeats it, never is."""
    token = CancelToken()
    first = ValueError("first")
    token.cancel(StoppedError())
    assert token.cancelled
    assert token.error is None
    token.cancel(first)
    token.cancel(ValueError("second"))
    assert token.error is first


def test_check_and_wait_raise_once_cancelled() -> None:
    """A check passes until the token is cancelled; then it and every wait raise at once."""
    token = CancelToken()
    token.check()
    token.wait(0)
    token.cancel(ValueError())
    with pytest.raises(StoppedError):
        token.check()
    begun = time.monotonic()
    with pytest.raises(StoppedError):
        token.wait(60)
    assert time.monotonic() - begun < 5


def test_work_that_takes_too_long_is_cancelled_by_its_next_wait_or_check() -> None:
    """A wait ends at that moment, a check after it fails, and the error is the one that was given; not before."""
    token, late = CancelToken(), ValueError("too long")
    token.cancel_after(60, late)
    token.check()
    token.wait(0)
    token.cancel_after(0.05, late)
    begun = time.monotonic()
    with pytest.raises(StoppedError):
        token.wait(60)
    assert 0.05 <= time.monotonic() - begun < 5
    assert token.error is late
    token = CancelToken()
    token.cancel_after(0, late)
    with pytest.raises(StoppedError):
        token.check()


def test_cancelling_wakes_a_wait() -> None:
    """A thread that waits raises as soon as another one cancels."""
    token = CancelToken()
    waits, woken = threading.Event(), threading.Event()

    def sleep() -> None:
        waits.set()
        with pytest.raises(StoppedError):
            token.wait(60)
        woken.set()

    thread = threading.Thread(target=sleep)
    thread.start()
    assert waits.wait(5)
    token.cancel(ValueError())
    assert woken.wait(5)
    thread.join()


def test_callbacks_run_once() -> None:
    """A callback runs once, at once where the token is cancelled already, and not after it was taken back."""
    token, called = CancelToken(), list[str]()

    def note(name: str) -> Callable[[], None]:
        return lambda: called.append(name)

    token.call_on_cancel(note("kept"))
    take_back = token.call_on_cancel(note("taken back"))
    take_back()
    token.cancel(ValueError())
    token.cancel(ValueError())
    token.call_on_cancel(note("late"))
    assert called == ["kept", "late"]


@pytest.mark.timeout(60, method="thread")  # its own alarm takes the place of that of pytest-timeout
def test_a_signal_handler_may_cancel_while_its_thread_waits() -> None:
    """A handler that interrupts a wait, or code under the token's lock, cancels without a deadlock."""
    token, error = CancelToken(), ValueError("stopped by a signal")

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        token.cancel(error)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(StoppedError):
            token.wait(60)
        assert token.error is error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_call_ends_with_its_result_or_as_soon_as_it_is_cancelled() -> None:
    """A call that nothing can wake is left behind; its own error is raised where it fails."""
    token, held = CancelToken(), threading.Event()
    assert token.call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        token.call(lambda: 1 // 0)
    threading.Timer(0.05, lambda: token.cancel(ValueError())).start()
    begun = time.monotonic()
    with pytest.raises(StoppedError):
        token.call(lambda: held.wait(10))
    assert time.monotonic() - begun < 2
    held.set()
    with pytest.raises(StoppedError):
        token.call(lambda: 7)


def test_a_part_ends_with_the_whole_and_with_its_block() -> None:
    """A part is cancelled with the reason of the whole; its own end or failure does not cancel the whole."""
    whole, error = CancelToken(), ValueError("all of it")
    with whole.part() as part:
        part.check()
    with pytest.raises(StoppedError):
        part.check()
    with pytest.raises(ZeroDivisionError), whole.part() as part:
        part.wait(1 // 0)
    assert isinstance(part.error, ZeroDivisionError)
    assert not whole.cancelled
    with whole.part() as part:
        whole.cancel(error)
        assert part.error is error
