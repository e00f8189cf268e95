"""The rule that decides which rows of an export belong to its window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

MARGIN = timedelta(seconds=1)
"""How much wider than its window a query is at each end. A `margin`, whose rows are left out, has `ROUNDING` on top."""
ROUNDING = timedelta(seconds=1)
"""How far an index of whole seconds may move a row: a row less than this outside a query may be in its result."""

WindowPosition = Literal["inside", "margin", "after_end", "before_start", "unknown"]


@dataclass(frozen=True, slots=True)
class TrimRule:
    """Places a row by its own timestamp. Only rows in a margin may be left out; all others are kept.

    A margin is the part of the query outside the window, extended by what an index that rounds may add to the result.
    With a look-back the lower margin lies before the moment to which that reaches; the rows up to the start are kept.
    The rows of a margin belong to the adjacent window, so trimming can duplicate a row that was modified while the
    export ran, but never loses one.
    """

    start: datetime
    end: datetime
    queried_start: datetime | None
    queried_end: datetime

    def position(self, moment: datetime | None) -> WindowPosition:
        """Return where a timestamp lies; None is a timestamp that is missing or could not be read."""
        if moment is None:
            return "unknown"
        if self.start <= moment < self.end:
            return "inside"
        if moment >= self.end:
            return "margin" if moment < self.queried_end + ROUNDING else "after_end"
        if self.queried_start is None:
            return "before_start"
        # The lower margin ends at the start, or with a look-back at the moment that it reaches back to: look-backs
        # are whole seconds, so this moment has the start's fraction of a second.
        kept_from = min(self.start, self.queried_start + MARGIN + timedelta(microseconds=self.start.microsecond))
        return "margin" if self.queried_start - ROUNDING < moment < kept_from else "before_start"
