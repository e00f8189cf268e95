"""A SIGTERM to a task, as Airflow's supervisor sends it and its task runner takes it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def sigterm_when(task: Any, has_come: Callable[[], object]) -> Iterator[None]:
    """Send a SIGTERM soon after a moment has come; its handler calls `on_kill`."""
    before = signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
    over = threading.Event()

    def send() -> None:
        while not has_come() and not over.wait(0.02):
            pass
        if not over.wait(0.2):
            os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()
        signal.signal(signal.SIGTERM, before)
