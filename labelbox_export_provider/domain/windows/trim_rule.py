"""Which rows of an answer belong to the window that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

MARGIN = timedelta(seconds=1)
"""How much wider than its window a query is, at both ends."""
ROUNDING = timedelta(seconds=1)
"""How far an index of whole seconds may move a row: one that lies less than this outside a query may answer it."""

WindowPosition = Literal["inside", "margin", "after_end", "before_start", "unknown"]


@dataclass(frozen=True, slots=True)
class TrimRule:
    """Says of a row's own timestamp where it lies. Only rows in a margin may be dropped; all others are kept.

    A margin is what is queried outside of the window, and as much beyond as an index that rounds may add to the answer.
    Rows in it are in the window beside, so trimming can double a row that moved on while the export ran, and never
    loses one.
    """

    start: datetime
    end: datetime
    queried_start: datetime | None
    queried_end: datetime

    def position(self, moment: datetime | None) -> WindowPosition:
        """Place a timestamp; None stands for one that is missing or could not be read."""
        if moment is None:
            return "unknown"
        if self.start <= moment < self.end:
            return "inside"
        if moment >= self.end:
            return "margin" if moment < self.queried_end + ROUNDING else "after_end"
        if self.queried_start is None:
            return "before_start"
        # The lower margin ends at the start, or with a look-back at the moment that it reaches back to: look-backs
        # are whole seconds, so that this moment has the start's fraction of a second.
        kept_from = min(self.start, self.queried_start + MARGIN + timedelta(microseconds=self.start.microsecond))
        return "margin" if self.queried_start - ROUNDING < moment < kept_from else "before_start"
