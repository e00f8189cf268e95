"""Which windows of each source are there, and which are missing: a pure function of names and a moment.

Time is tiled from the first window of a source to the newest that is due. What is not covered by a landed window is
missing, or was rejected. Look-back widens the query and never a window's name, so it makes no overlap here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from labelbox_export_provider.windows_check import tiling
from labelbox_export_provider.windows_check.names import NamedExport, Names, SourceKey
from labelbox_export_provider.windows_check.tiling import NextBorder, Run, WindowState

SourceState = Literal["current", "new", "retired"]

RECENT = timedelta(days=30)
"""How long a source is new, and how far behind the others it must be to count as retired."""
GRACE = timedelta(hours=6)
"""How long after the end of a window its export may take to land."""
_NEAR = 10


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected to be there.

    `sources` are those that are exported today: all their due windows are expected, and other sources are retired or
    belong to somebody else. None takes all that have a name, and those that ended long before the others for retired.
    `since` is an earlier first moment for `sources`. Windows are due `grace` after their end; none after `until` is.
    `next_border` is the schedule; without one, windows are expected as those before.
    """

    sources: Collection[SourceKey] | None = None
    since: datetime | None = None
    until: datetime | None = None
    grace: timedelta = GRACE
    next_border: NextBorder | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing or rejected windows that follow each other."""

    source: SourceKey
    start: datetime
    end: datetime
    state: WindowState
    windows: int


@dataclass(frozen=True, slots=True)
class SourceReport:
    """The windows of one source as runs of equal ones, by their start.

    `landed_until` is the end of its newest landed window. `reruns` counts generations beside the first of a window,
    `without_window` exports that have none. `expected` is False where missing windows are nobody's concern.
    """

    source: SourceKey
    state: SourceState
    runs: tuple[Run, ...]
    landed_until: datetime | None
    reruns: int
    without_window: int
    expected: bool = True

    @property
    def never_landed(self) -> bool:
        """Whether nothing of it is there, with or without a window."""
        return self.landed_until is None and not self.without_window

    def count(self, state: WindowState) -> int:
        """Return how many windows have this state."""
        return sum(run.count for run in self.runs if run.state == state)

    @property
    def rows(self) -> int | None:
        """Rows landed in all windows, None where no manifest was read."""
        known = [rows for run in self.runs for rows in run.rows or () if rows is not None]
        return sum(known) if known else None

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Missing and rejected windows, neighbours of one state as one gap."""
        found: list[Gap] = []
        for run in self.runs:
            if run.state not in ("missing", "rejected"):
                continue
            last = found[-1] if found else None
            if last is not None and (last.end, last.state) == (run.start, run.state):
                found[-1] = Gap(self.source, last.start, run.end, run.state, last.windows + run.count)
            else:
                found.append(Gap(self.source, run.start, run.end, run.state, run.count))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class WindowsReport:
    """All sources below a prefix, as their names were at `checked_at`.

    `ignored` counts names that are not of this package, `unread` manifests of explicit keys that would have to be read.
    """

    checked_at: datetime
    sources: tuple[SourceReport, ...]
    ignored: int = 0
    unread: int = 0

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The gaps of all sources whose windows are expected."""
        return tuple(gap for source in self.sources if source.expected for gap in source.gaps)

    @property
    def all_landed(self) -> bool:
        """Whether there is something of every expected source, and no gap. False where nothing is expected at all."""
        expected = [source for source in self.sources if source.expected]
        return bool(expected) and not self.gaps and not any(source.never_landed for source in expected)


def check_windows(names: Names, now: datetime, expected: Expected | None = None) -> WindowsReport:
    """Return the state of every window of every source that has a name, and of those that are expected."""
    rules = expected or Expected()
    by_source: dict[SourceKey, list[NamedExport]] = defaultdict(list)
    for source in rules.sources or ():
        by_source[source] = []
    for each in names.exports:
        by_source[each.source].append(each)
    limit = now - rules.grace if rules.until is None else min(now - rules.grace, rules.until)
    tilings = {
        source: _Tiling(source, exports, rules, limit, asked=rules.sources is not None and source in rules.sources)
        for source, exports in by_source.items()
    }
    newest = _Newest.of(tilings.values(), limit)
    reports = (tiled.report(newest, now) for _, tiled in sorted(tilings.items()))
    return WindowsReport(now, tuple(each for each in reports if each is not None), names.ignored, names.unread)


@dataclass(frozen=True, slots=True)
class _Window:
    start: datetime
    end: datetime
    state: WindowState
    rows: int | None
    generations: int

    @property
    def length(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class _Newest:
    """The newest end and the newest due window of the sources that are exported today, and the oldest start of all."""

    end: datetime | None
    due: _Window | None
    first: datetime | None

    @classmethod
    def of(cls, tilings: Iterable[_Tiling], limit: datetime) -> _Newest:
        known = [each for each in tilings if each.windows]
        windows = [window for each in [each for each in known if each.asked] or known for window in each.windows]
        return cls(
            max((window.end for window in windows), default=None),
            max((window for window in windows if window.end <= limit), key=lambda window: window.end, default=None),
            min((each.windows[0].start for each in known), default=None),
        )


class _Tiling:
    """The windows of one source, from its names."""

    def __init__(
        self, source: SourceKey, exports: Sequence[NamedExport], rules: Expected, limit: datetime, *, asked: bool
    ) -> None:
        self.source = source
        self.asked = asked
        self._rules = rules
        self._limit = limit
        self._without_window = sum(each.end is None for each in exports)
        self.windows = self._known(exports)

    def report(self, newest: _Newest, now: datetime) -> SourceReport | None:
        """Return the runs of this source; None where it is another's: exported today and not asked for."""
        state = self._state(newest, now)
        if self._rules.sources is not None and not self.asked and state != "retired":
            return None
        runs = [*self._between(), *(() if state == "retired" else self._tail(newest))]
        landed = [each.end for each in self.windows if each.state != "rejected"]
        return SourceReport(
            source=self.source,
            state=state,
            runs=tuple(tiling.joined(runs)),
            landed_until=max(landed, default=None),
            reruns=sum(each.generations - 1 for each in self.windows if each.state != "rejected"),
            without_window=self._without_window,
            expected=self._rules.sources is None or self.asked,
        )

    def _known(self, exports: Iterable[NamedExport]) -> list[_Window]:
        named: dict[tuple[datetime, datetime], list[NamedExport]] = defaultdict(list)
        for each in exports:
            if each.end is not None and (self._rules.until is None or each.start < self._rules.until):
                named[each.start, each.end].append(each)
        windows = [_window(start, end, group) for (start, end), group in named.items()]
        covered = _Cover(each for each in windows if each.state != "rejected")
        # What was rejected and then landed as part of another window is no gap.
        windows = [each for each in windows if each.state != "rejected" or not covered.holds(each)]
        # The longer one first: what lies inside of it is what overlaps.
        return sorted(windows, key=lambda each: (each.start, each.start - each.end))

    def _state(self, newest: _Newest, now: datetime) -> SourceState:
        if not self.windows or newest.end is None:
            return "new" if newest.end is not None else "current"
        behind = newest.end - max(each.end for each in self.windows)
        patience = self._step if self._rules.sources is not None else max(RECENT, 2 * self._step)
        if not self.asked and behind > patience:
            return "retired"
        first = self.windows[0].start
        is_new = newest.first is not None and newest.first < first and now - first < RECENT
        return "new" if is_new else "current"

    @property
    def _step(self) -> timedelta:
        return tiling.due_step([each.length for each in self.windows])

    def _between(self) -> Iterator[Run]:
        if not self.windows:
            return
        cursor = landed_until = self.windows[0].start
        if self.asked and self._rules.since is not None and self._rules.since < cursor:
            yield from self._hole(self._rules.since, cursor, 0)
        for index, each in enumerate(self.windows):
            if each.start > cursor:
                yield from self._hole(cursor, each.start, index)
            state = each.state
            if state != "rejected":
                if each.start < landed_until:
                    state = "overlapping"
                landed_until = max(landed_until, each.end)
            yield Run(each.start, each.length, 1, state, None if each.rows is None else (each.rows,))
            cursor = max(cursor, each.end)

    def _hole(self, start: datetime, end: datetime, index: int) -> Iterator[Run]:
        # Around a hole of former times may be windows of a former schedule.
        neighbours = self.windows[max(0, index - 1) : index + 1]
        follow = self._rules.next_border
        if follow is not None and any(tiling.is_of(follow, each.start, each.end) for each in neighbours):
            missing = tiling.scheduled(start, end, follow, closed=True)
        else:
            before = [each.length for each in self.windows[max(0, index - _NEAR) : index]]
            after = [each.length for each in self.windows[index : index + _NEAR]]
            missing = tiling.hole(start, end, before, after)
        return (run for run in missing if run.end <= self._limit)

    def _tail(self, newest: _Newest) -> Iterator[Run]:
        if self.windows:
            start, step = max(each.end for each in self.windows), self._step
        elif self.asked and newest.due is not None:  # nothing of it has ever landed
            start, step = self._rules.since or newest.due.start, newest.due.length
        elif self.asked and self._rules.since is not None:
            start, step = self._rules.since, self._limit - self._rules.since
        else:
            return iter(())
        if self._rules.next_border is not None:
            return tiling.scheduled(start, self._limit, self._rules.next_border)
        return tiling.regular(start, self._limit, step)


def _window(start: datetime, end: datetime, exports: Sequence[NamedExport]) -> _Window:
    landed = [each for each in exports if each.state != "rejected"]
    if not landed:
        return _Window(start, end, "rejected", None, len(exports))
    newest = max(landed, key=lambda each: (each.modified_at or each.start, each.generation))
    state: WindowState = "empty" if newest.state == "empty" else "landed"
    return _Window(start, end, state, newest.rows, len(landed))


class _Cover:
    """The time that windows cover together."""

    def __init__(self, windows: Iterable[_Window]) -> None:
        spans: list[tuple[datetime, datetime]] = []
        for each in sorted(windows, key=lambda window: window.start):
            if spans and each.start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(spans[-1][1], each.end))
            else:
                spans.append((each.start, each.end))
        self._spans = spans

    def holds(self, window: _Window) -> bool:
        index = bisect_right(self._spans, window.start, key=lambda span: span[0]) - 1
        return index >= 0 and self._spans[index][1] >= window.end
