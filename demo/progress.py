"""The progress that the demo shows while it waits: a live table on a terminal, one line per change anywhere else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from types import TracebackType

    from demo.days import Night
    from demo.landed import Landed

_WIDTH_OF_A_FILE = 140
_SILENCE = 30.0
"""Seconds without a change after which it prints what it waits for."""
_COLOURS = {
    "success": "green",
    "failed": "red",
    "upstream_failed": "red",
    "running": "yellow",
    "deferred": "magenta",
    "up_for_retry": "yellow",
}


class Progress:
    """Shows the state of every task of every night, and other messages."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        if console is None and not self.console.is_terminal:
            self.console.width = _WIDTH_OF_A_FILE
        self._began = time.monotonic()
        self._live: Live | None = None
        self._shown: dict[tuple[Night, str], str] = {}
        self._said = self._began

    def say(self, text: str) -> None:
        """Print one line with the seconds since the start."""
        self._said = time.monotonic()
        self.console.print(f"{time.monotonic() - self._began:6.1f} s  {text}", markup=False)

    def __enter__(self) -> Progress:
        """Begin the live table, on a terminal."""
        if self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state of the table on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, states: dict[Night, dict[str, str]]) -> None:
        """Show the tasks' states: all of them, or, without a terminal, those that changed."""
        if self._live is not None:
            self._live.update(self._table(states), refresh=True)
            return
        for night, tasks in states.items():
            for task, state in tasks.items():
                if state != self._shown.get((night, task), "none"):
                    self._shown[night, task] = state
                    self.say(f"{night}  {task}: {state}")
        if time.monotonic() - self._said > _SILENCE:
            waiting = [
                f"{night.start:%m-%d} {task}: {state}"
                for night, tasks in states.items()
                for task, state in tasks.items()
                if state not in {"none", "success"}
            ]
            self.say(f"still waiting ({', '.join(waiting) or 'for Airflow to schedule the runs'})")

    def _table(self, states: dict[Night, dict[str, str]]) -> Table:
        tasks = list(dict.fromkeys(task for night in states.values() for task in night))
        table = Table(title=f"{time.monotonic() - self._began:.0f} s", title_justify="left")
        table.add_column("window (UTC)")
        for task in tasks:
            table.add_column(task)
        for night, found in states.items():
            cells = [found.get(task, "none") for task in tasks]
            table.add_row(str(night), *[f"[{_COLOURS.get(cell, 'dim')}]{cell}" for cell in cells])
        return table


def result_table(nights: list[Landed], page: str | None) -> Table:
    """The table at the end, with a link to the page that shows the same windows, where there is one."""
    table = Table(caption=page and f"the same windows in Airflow: [link={page}]{page}[/link]")
    for name in ("window (UTC)", "export", "rows", "trimmed", "bytes", "objects", "state", "compared"):
        is_number = name in {"rows", "trimmed", "bytes", "objects"}
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for night in nights:
        cells: list[Any] = [
            str(night.night),
            night.export_id or "-",
            len(night.rows),
            night.rows_trimmed,
            night.stored_bytes,
            len(night.objects),
        ]
        result = "[red]DIFFERS" if night.faults else "[green]row for row"
        table.add_row(*map(str, cells), night.state, result)
    return table
