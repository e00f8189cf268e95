"""An executor that reports late, as one does on a busy machine."""

from __future__ import annotations

import time
from typing import Any

from airflow.executors.local_executor import LocalExecutor

LATE = "late_report"
"""The DAG whose tasks it reports late; all others at once."""
SECONDS = 12.0
"""Six were seen."""


class LateExecutor(LocalExecutor):
    """A LocalExecutor that holds back for a while that a task of one DAG has ended."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self._held: list[tuple[float, tuple[Any, ...], dict[str, Any]]] = []

    def change_state(self, key: Any, *args: Any, **kwargs: Any) -> None:
        """Note that a task has ended, some of them later."""
        if getattr(key, "dag_id", None) == LATE:
            self._held.append((time.monotonic() + SECONDS, (key, *args), kwargs))
        else:
            super().change_state(key, *args, **kwargs)

    def sync(self) -> None:
        """Report what is due, with what was held back for long enough."""
        super().sync()
        due = [each for each in self._held if each[0] <= time.monotonic()]
        self._held = [each for each in self._held if each not in due]
        for _, arguments, keywords in due:
            super().change_state(*arguments, **keywords)
