"""A year of a Labelbox project, the runs of a DAG over it, and an oracle that finds what is missing in the lake.

Labelbox is simulated: its rows are edited, its index lags behind each edit and rounds, its ranges include their ends or
not, its exports show rows as they are while they run. Everything on our side is the product's own code: which window a
run has, when it may start, what goes on the wire, which rows are trimmed, what objects are called.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Literal
from zoneinfo import ZoneInfo

from support.handles import handle_json

from labelbox_export_provider.domain.records.handle import ExportHandle, HandleWindow
from labelbox_export_provider.domain.records.object_names import layout_names
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.domain.windows.kinds import DataIntervalWindow
from labelbox_export_provider.domain.windows.resolved import ResolvedWindow, RunInterval, wait_until
from labelbox_export_provider.streaming.rows.timestamps import RowPositions
from labelbox_export_provider.streaming.rows.trimming import RowTrimmer

Bug = Literal["a second is missing at the end", "the lag is ignored", "unreadable rows are trimmed"]

PROJECT = "clprojectofayear000000000"
FIRST = datetime(2025, 3, 1, tzinfo=timezone.utc)
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
_SOURCE = ProjectSource(project_id=PROJECT)
_BESIDE = (0.0, 1e-6, -1e-6, 0.4, -0.4, 0.999999, -0.999999, 1.0, -1.0, 1.4, -1.4)
"""Seconds beside the border of a window."""


@dataclass
class Row:
    """A data row: when it was edited, and when the index showed each edit. Some rows tell no readable time."""

    row_id: str
    edits: list[datetime]
    seen: list[datetime]
    readable: bool
    form: str

    def at(self, moment: datetime) -> int:
        """Return the number of edits by then."""
        return bisect_right(self.edits, moment)

    def indexed(self, moment: datetime) -> datetime | None:
        """Return the newest edit that the index knows by then."""
        return max((edit for edit, seen in zip(self.edits, self.seen, strict=True) if seen <= moment), default=None)

    def line(self, version: int) -> bytes:
        """Return the row as an export shows it."""
        moment = self.edits[version - 1]
        text = {
            "Z": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "+0000": moment.strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
            "+02:00": moment.astimezone(timezone(timedelta(hours=2))).isoformat(),
        }[self.form]
        details = {"last_activity_at": text if self.readable else "some time ago"}
        return json.dumps({"data_row": {"id": self.row_id, "version": version, "details": details}}).encode() + b"\n"


@dataclass
class Year:
    """Everything that a seed decides."""

    seed: int
    lag: timedelta
    settle: timedelta
    lookback: timedelta
    open_start: bool
    rounding: str
    inclusive: tuple[bool, bool]
    borders: list[datetime]
    rows: list[Row]
    shows_end: bool


@dataclass
class Lake:
    """What was landed: rows by object, and the window of each object's manifest."""

    objects: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    windows: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)


def make_year(seed: int, *, late: bool = False) -> Year:
    """Make a year; with `late`, the index lags longer than `settle` and `lookback` make up for."""
    chance = random.Random(seed)
    settle = timedelta(minutes=chance.choice([0, 5, 60]))
    lookback = chance.choice([timedelta(0), timedelta(0), timedelta(hours=3), timedelta(days=2)])
    bound = settle + lookback
    lag = bound + timedelta(hours=chance.uniform(12, 80)) if late else bound * chance.choice([0, 0.5, 1])
    borders = _borders(chance)
    rows = []
    for number in range(120):
        edits = sorted({_moment(chance, borders) for _ in range(chance.choice([1, 1, 1, 2, 3, 5]))})
        seen = [edit + lag * chance.choice([0, chance.random(), 1]) for edit in edits]
        form = chance.choice(["Z", "+0000", "+02:00"])
        rows.append(Row(f"row{number}", edits, seen, chance.random() > 0.08, form))
    return Year(
        seed,
        lag,
        settle,
        lookback,
        chance.random() < 0.5,
        chance.choice(["floor", "ceil", "round", "none"]),
        (chance.random() < 0.5, chance.random() < 0.5),
        borders,
        rows,
        chance.random() < 0.5,
    )


def run_year(year: Year, bug: Bug | None = None) -> Lake:
    """Run every window of the year, some late, some more than once, and give what is in the lake afterwards."""
    chance = random.Random(year.seed + 1)
    lake = Lake()
    intervals = list(zip(year.borders, year.borders[1:], strict=False))
    backfilled = {number for number in range(len(intervals)) if chance.random() < 0.1}
    after = year.borders[-1] + 2 * _DAY
    for number, (start, end) in enumerate(intervals):
        ready = after + chance.random() * _DAY if number in backfilled else end + _delay(chance)
        for generation in range(chance.choice([1, 1, 1, 1, 2, 3])):
            _run(year, lake, (start, end), ready + generation * chance.random() * 5 * _DAY, chance=chance, bug=bug)
    return lake


def faults(year: Year, lake: Lake) -> list[str]:
    """Return every promise that the lake does not keep."""
    found = []
    versions: dict[str, set[int]] = defaultdict(set)
    windows: dict[tuple[str, int], set[tuple[datetime, datetime]]] = defaultdict(set)
    for key, rows in lake.objects.items():
        for row_id, version in rows:
            versions[row_id].add(version)
            windows[row_id, version].add(lake.windows[key])
    for row in year.rows:
        if row.edits[-1] < year.borders[0] and not year.open_start:
            continue
        if len(row.edits) not in versions[row.row_id]:
            found.append(f"{row.row_id}: its newest version, of {row.edits[-1].isoformat()}, is in no object")
        elif len(row.edits) == 1 and row.readable and not year.lookback and len(windows[row.row_id, 1]) != 1:
            found.append(f"{row.row_id}: not modified since {row.edits[0].isoformat()}, in {windows[row.row_id, 1]}")
    tiles = sorted(set(lake.windows.values()))
    if [tile[0] for tile in tiles] != year.borders[:-1] or [tile[1] for tile in tiles] != year.borders[1:]:
        found.append("the windows of the manifests do not tile the year")
    return found


def _borders(chance: random.Random) -> list[datetime]:
    """Make the borders of the DAG's intervals: nights of some zone, with stretches of hours, weeks, odd fractions."""
    zone = ZoneInfo(chance.choice(["UTC", "Europe/Berlin", "America/New_York"]))
    odd = timedelta(microseconds=chance.choice([0, 0, 0, 250_000, 999_999]))
    nights = [(FIRST.replace(tzinfo=None) + timedelta(days=day, hours=2)).replace(tzinfo=zone) for day in range(365)]
    borders = {night.astimezone(timezone.utc) + odd for night in nights}
    hourly = FIRST + chance.randrange(30, 200) * _DAY
    borders |= {hourly + odd + timedelta(hours=hour) for hour in range(72)}
    weekly = FIRST + chance.randrange(210, 320) * _DAY
    week = weekly + timedelta(days=7)
    return sorted(border for border in borders if not weekly < border < week)


def _moment(chance: random.Random, borders: list[datetime]) -> datetime:
    if chance.random() < 0.5:
        return chance.choice(borders[:-10]) + timedelta(seconds=chance.choice(_BESIDE))
    # Some before the first window, none in the last ten.
    return borders[0] - 5 * _DAY + chance.random() * (borders[-10] - borders[0] + 5 * _DAY)


def _delay(chance: random.Random) -> timedelta:
    return chance.choice([timedelta(0), timedelta(seconds=20), timedelta(hours=7), timedelta(days=9)])


def _run(
    year: Year,
    lake: Lake,
    interval: tuple[datetime, datetime],
    now: datetime,
    *,
    chance: random.Random,
    bug: Bug | None,
) -> None:
    """Run one task instance: wait as told, export, land; a failed landing is tried again with the same export."""
    settings = {"settle": timedelta(0)} if bug == "the lag is ignored" else {"settle": year.settle}
    if bug != "the lag is ignored":
        settings["lookback"] = year.lookback
    kind = DataIntervalWindow(**settings, open_start_at=year.borders[0].isoformat() if year.open_start else None)
    window = kind.resolve(RunInterval(*interval))
    if bug == "a second is missing at the end":
        window = replace(window, end=window.end - _SECOND, queried_end=window.queried_end - _SECOND)
    now = wait_until(window, now) or now
    lines = list(_export(year, window, now, now + chance.random() * timedelta(hours=6)))
    handle = ExportHandle.model_validate(
        handle_json(
            export_id=f"ex{chance.getrandbits(64):x}",
            source={"kind": "project", "id": PROJECT},
            window=HandleWindow.of(window).model_dump(mode="json"),
        )
    )
    assert handle.window is not None
    names = layout_names(handle, "lake", None)
    rule = handle.window.trim_rule()
    assert rule is not None
    for _ in range(chance.choice([1, 1, 2])):
        kept = _trimmed(lines, _Forgetful(rule) if bug == "unreadable rows are trimmed" else rule)
        lake.objects[names.data(0)] = kept
        lake.windows[names.data(0)] = interval if bug else (handle.window.start, handle.window.end)


def _export(year: Year, window: ResolvedWindow, start: datetime, end: datetime) -> Iterator[bytes]:
    """Answer an export as Labelbox might, from what went on the wire."""
    sent: dict[str, Any] = _SOURCE.render_input(task_name="t", owner_timezone="UTC", window=window)
    (query,) = sent["filters"]["searchQuery"]["query"]
    assert query["type"] == "data_row_last_activity_at"
    value = query["value"]["value"]
    ends = value if isinstance(value, dict) else {"max": value}
    low, high = (_read(ends[name]) if ends.get(name) else None for name in ("min", "max"))
    for row in year.rows:
        moment = row.indexed(start)
        if moment is not None and _between(_rounded(moment, year.rounding), low, high, year.inclusive):
            yield row.line(row.at(end if year.shows_end else start))


def _read(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")


def _rounded(moment: datetime, how: str) -> datetime:
    whole = moment.replace(microsecond=0)
    up = {"floor": False, "none": False, "ceil": moment != whole, "round": moment.microsecond >= 500_000}[how]
    return moment if how == "none" else whole + _SECOND * up


def _between(moment: datetime, low: datetime | None, high: datetime | None, inclusive: tuple[bool, bool]) -> bool:
    above = low is None or moment > low or (inclusive[0] and moment == low)
    return above and (high is None or moment < high or (inclusive[1] and moment == high))


class _Forgetful:
    """A planted bug: what has no readable time is treated as a margin."""

    def __init__(self, rule: RowPositions) -> None:
        self._rule = rule

    def position(self, moment: datetime | None) -> str:
        return "margin" if moment is None else self._rule.position(moment)


def _trimmed(lines: list[bytes], rule: RowPositions) -> list[tuple[str, int]]:
    rows = RowTrimmer(rule, hold=lambda _: None)
    kept = b"".join(bytes(piece) for line in lines for piece in rows.feed(line))
    kept += b"".join(bytes(piece) for piece in rows.end_stream())
    found = (json.loads(line)["data_row"] for line in kept.splitlines())
    return [(row["id"], row["version"]) for row in found]
