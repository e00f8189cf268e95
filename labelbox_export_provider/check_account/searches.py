"""Questions about date filters: exports of the one row, in windows around its own last activity."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from labelbox_export_provider.check_account.account import Account
from labelbox_export_provider.check_account.exports import Refusal, follow, start
from labelbox_export_provider.check_account.questions import FindingResult
from labelbox_export_provider.domain.request.sources import CatalogSource
from labelbox_export_provider.domain.windows.resolved import ResolvedWindow
from labelbox_export_provider.streaming.rows.timestamps import last_activity_at

_SECOND = timedelta(seconds=1)
_RESTING = timedelta(minutes=10)
_FAR_ZONE = "Pacific/Kiritimati"
"""UTC+14: if a date is read in this zone instead of by its +0000, the row is not found."""
_TEXT = re.compile(rb'"last_activity_at"\s*:\s*"([^"]{0,60})"')


def settle_timestamp(account: Account, row: bytes) -> datetime | None:
    """Settle the form of the row's last activity, and return the instant."""
    moment = last_activity_at(row)
    match = _TEXT.search(row)
    form = re.sub(r"\d", "0", match[1].decode("utf-8", "replace")) if match else "missing"
    account.settle("row_timestamp", form, "ok" if moment is not None else "differs")
    return moment


def ask_dates(account: Account, data_row_id: str, moment: datetime) -> None:
    """Search for the row by windows around its last activity."""
    second = moment.replace(microsecond=0)
    search = _Search(account, data_row_id)
    if not _ask_offsets(account, search, second, moment):
        account.settle("range_ends", "not asked: a wider range does not find the row", "open")
        return
    _ask_ends(account, search, second, is_whole=second == moment)


def _ask_offsets(account: Account, search: _Search, second: datetime, moment: datetime) -> bool:
    around = (second - _SECOND, second + 2 * _SECOND)
    if search.finds(*around, zone=_FAR_ZONE):
        account.settle("offset_dates", "yes, whatever zone is sent beside it", "ok")
        return True
    if search.finds(*around):
        account.settle("offset_dates", "no, the zone sent beside it does", "ok")
        return True
    if search.refusals:
        account.settle("offset_dates", f"the filter is refused, {search.refusals[-1]}", "differs")
        return False
    resting = datetime.now(timezone.utc) - moment > _RESTING
    why = "neither it nor the zone" if resting else "the row is not found; its last activity is too recent to tell"
    account.settle("offset_dates", why, "differs" if resting else "open")
    return False


def _ask_ends(account: Account, search: _Search, second: datetime, *, is_whole: bool) -> None:
    if search.finds(second, second):
        account.settle("range_ends", "both", "ok", whole_second=is_whole)
        return
    at_start = search.finds(second, second + _SECOND)
    at_end = search.finds(second - _SECOND, second)
    result: FindingResult = "differs"
    if at_start and at_end:
        found = "both, but a range of no width finds nothing"
    elif at_start and not is_whole:
        found, result = "cannot be told: take a row whose last activity is on a whole second", "open"
    elif at_start:
        found = "the start alone, or the index is finer than the rows show"
    else:
        found = "the end alone" if at_end else "neither"
    account.settle(
        "range_ends", found, result, whole_second=is_whole, start=at_start, end=at_end, refusals=search.refusals
    )


class _Search:
    """Exports the one row if its last activity is in a range."""

    def __init__(self, account: Account, data_row_id: str) -> None:
        self._account = account
        self.refusals: list[str] = []
        self._source = CatalogSource.parse({"filters": {"data_row_ids": [data_row_id]}})

    def finds(self, start_at: datetime, end_at: datetime, *, zone: str | None = None) -> bool:
        window = ResolvedWindow("last_activity_at", start_at, end_at, start_at, end_at, trim=False)
        rendered = self._source.render_input(task_name="", owner_timezone=None, window=window)
        rendered["params"].pop("includePredictions", None)  # a question of its own
        if zone is not None:
            _date_filter(rendered)["timezone"] = zone
        self._account.say("starting an export of the data row in a range of dates")
        export = start(self._account, self._source, rendered)
        if isinstance(export, Refusal):
            self.refusals.append(export.text)
            return False
        return follow(self._account, export).totals is not None


def _date_filter(rendered: dict[str, Any]) -> dict[str, Any]:
    entries: list[dict[str, Any]] = rendered["filters"]["searchQuery"]["query"]
    value: dict[str, Any] = next(entry["value"] for entry in entries if "value" in entry)
    return value
