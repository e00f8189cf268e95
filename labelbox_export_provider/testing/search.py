"""The filters of an export, checked as strictly as the fake can and applied to rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from labelbox_export_provider.testing.behaviour import Behaviour
from labelbox_export_provider.testing.data.rows import DataRow, Membership
from labelbox_export_provider.testing.errors import bad_request

MAX_IDS = 2000
Test: TypeAlias = Callable[[DataRow], bool]
_PLAIN_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d:\d\d))?")
_OFFSET_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}")


@dataclass(frozen=True)
class Search:
    """The context of a search: one project or all, the time, and the resolution of the index."""

    behaviour: Behaviour
    now: datetime
    project_id: str | None = None
    owner_zone: str = "UTC"

    def memberships(self, row: DataRow) -> Iterable[Membership]:
        """Return the row's states in the projects of this search."""
        if self.project_id is None:
            return row.memberships.values()
        return (row.memberships[self.project_id],) if self.project_id in row.memberships else ()

    def known(self, moment: datetime) -> datetime:
        """Return an instant of a row as the index stores it."""
        return moment if self.behaviour.search_resolution == "millisecond" else moment.replace(microsecond=0)

    def activity(self, row: DataRow) -> datetime | None:
        """Return the row's last activity as the index has it now."""
        moment = row.activity_as_indexed(self.now - timedelta(seconds=self.behaviour.search_lag_seconds))
        return moment and self.known(moment)


def compile_query(entries: Sequence[Mapping[str, Any]], search: Search) -> Test:
    """Return a predicate that is true of a row when every entry of `searchQuery.query` finds it."""
    tests = [_compile_entry(entry, search) for entry in entries]
    both = {"data_row_id", "global_key"} <= {entry["type"] for entry in entries}
    if both and search.behaviour.id_filters_exclude_each_other:
        raise bad_request("data_row_id and global_key cannot be used in one search")
    return lambda row: all(test(row) for test in tests)


def _compile_entry(entry: Mapping[str, Any], search: Search) -> Test:
    kind = entry["type"]
    if kind in _ID_FIELDS:
        _need_members(entry, {"operator", "ids"})
        return _compile_ids(kind, entry["ids"], search)
    if kind == "task_queue_status":
        _need_members(entry, {"status"})
        if entry["status"] not in ("InReview", "InRework", "Done"):
            raise bad_request(f"status {entry['status']!r} of task_queue_status is none of InReview, InRework, Done")
        return _status_test(entry["status"], search)
    if kind == "task_queue_not_exist":
        _need_members(entry, set())
        return _status_test("ToLabel", search)
    _need_members(entry, {"value"})
    matches = _compile_dates(entry["value"], search)
    if kind == "labeled_at":
        return lambda row: any(
            matches(search.known(moment)) for place in search.memberships(row) for moment in place.labels_created_at
        )
    return lambda row: (moment := search.activity(row)) is not None and matches(moment)


_ID_FIELDS: Mapping[str, Callable[[DataRow, Search], Iterable[str | None]]] = {
    "data_row_id": lambda row, _: (row.row_id,),
    "global_key": lambda row, _: (row.global_key,),
    "dataset": lambda row, _: (row.dataset_id,),
    "batch": lambda row, search: (place.batch_id for place in search.memberships(row)),
}


def _compile_ids(kind: str, ids: Sequence[str], search: Search) -> Test:
    if not 1 <= len(ids) <= MAX_IDS:
        raise bad_request(f"{kind} takes 1 to {MAX_IDS} ids, got {len(ids)}")
    wanted = frozenset(ids)
    read = _ID_FIELDS[kind]
    return lambda row: any(value in wanted for value in read(row, search))


def _status_test(status: str, search: Search) -> Test:
    return lambda row: any(place.workflow_status == status for place in search.memberships(row))


def _need_members(entry: Mapping[str, Any], members: set[str]) -> None:
    given = {name for name, value in entry.items() if value is not None} - {"type"}
    if given != members:
        raise bad_request(
            f"a search entry of type {entry['type']} has the members {sorted(members)}, got {sorted(given)}"
        )


def _compile_dates(value: Mapping[str, Any], search: Search) -> Callable[[datetime], bool]:
    try:
        zone = ZoneInfo(value["timezone"])
    except (KeyError, ValueError, OSError):
        raise bad_request(f"unknown time zone {value['timezone']!r}") from None
    operator, bounds = value["operator"], value["value"]
    if operator == "BETWEEN":
        if not isinstance(bounds, Mapping) or set(bounds) != {"min", "max"}:
            raise bad_request("BETWEEN takes a value with the members min and max")
        low, high = _instant(bounds["min"], zone, search), _instant(bounds["max"], zone, search)
        ends = search.behaviour.between_includes_ends
        on_start, on_end = ends in (True, "start"), ends in (True, "end")
        return lambda moment: (
            (low <= moment if on_start else low < moment) and (moment <= high if on_end else moment < high)
        )
    bound = _instant(bounds, zone, search)
    if operator == "GREATER_THAN_OR_EQUAL":
        return lambda moment: moment >= bound
    return lambda moment: moment <= bound


def _instant(text: object, zone: ZoneInfo, search: Search) -> datetime:
    reading = search.behaviour.offset_dates
    moment = parse_date(text, zone)
    if reading == "honoured" or not _OFFSET_DATE.fullmatch(str(text)):
        return moment
    read_in = zone if reading == "named_zone" else ZoneInfo(search.owner_zone)
    return moment.replace(tzinfo=read_in).astimezone(timezone.utc)


def parse_date(text: object, zone: ZoneInfo) -> datetime:
    """Return an instant from one of the three accepted spellings; those without offset are in `zone`.

    Offsets other than +0000 are refused: no known client sends one, so Labelbox's reading of it is unknown.
    """
    if isinstance(text, str):
        try:
            if _OFFSET_DATE.fullmatch(text) and text.endswith(("+0000", "-0000")):
                return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").astimezone(timezone.utc)
            if plain := _PLAIN_DATE.fullmatch(text):
                naive = datetime.fromisoformat(f"{plain[1]}T{plain[2] or '00:00:00'}")
                return naive.replace(tzinfo=zone).astimezone(timezone.utc)
        except ValueError:
            pass
    raise bad_request(
        f"date {text!r} is none of YYYY-MM-DD, YYYY-MM-DD hh:mm:ss, YYYY-MM-DDThh:mm:ss+0000 (the offset always +0000)"
    )
