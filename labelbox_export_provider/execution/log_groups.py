"""Groups of lines that the log view of Airflow folds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def log_group(log: Any, title: str) -> Iterator[None]:
    """Log a group of lines; whatever is raised inside closes it, so that no failure is folded away."""
    log.info("::group::%s", title)
    try:
        yield
    finally:
        log.info("::endgroup::")
