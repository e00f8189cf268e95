"""The timestamp of a row, read without building the row. What cannot be read is None, and such rows are kept.

In nearly all rows the timestamp is a few hundred bytes from the start. `peek_timestamp` parses the row that far and no
further, which is enough to keep it; to leave out a row, the whole of it must be parsed, by `last_activity_at`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from mmap import mmap
from typing import Protocol

import msgspec

_FORM = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?(?:([Zz])|([+-])(\d{2}):?(\d{2}))", re.ASCII
)


class _Details(msgspec.Struct, gc=False):
    last_activity_at: str | None = None


class _DataRow(msgspec.Struct, gc=False):
    details: _Details | None = None


class _Row(msgspec.Struct, gc=False):
    data_row: _DataRow | None = None


_decode = msgspec.json.Decoder(_Row).decode

_KEY = b'"last_activity_at"'
_TEXT_LENGTH = len("2024-04-08T16:21:26.000+00:00")
_VALUE_LENGTH = _TEXT_LENGTH + len(': ""')
_REST = b"}}}"
_MAX_DISTANCE = 64 * 1024


class RowPositions(Protocol):
    """Where timestamps lie relative to a window. Only a row in its margin is left out."""

    def position(self, moment: datetime | None) -> str:
        """Return `inside`, `margin`, `after_end`, `before_start` or `unknown`."""


def last_activity_at(row: bytes | bytearray | memoryview) -> datetime | None:
    """Return `data_row.details.last_activity_at`; None where it is missing or has no offset, or for invalid JSON."""
    try:
        found = _decode(row)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    details = found.data_row.details if found.data_row is not None else None
    return parse_instant(details.last_activity_at) if details is not None and details.last_activity_at else None


def peek_timestamp(data: bytes | bytearray | mmap, start: int, end: int) -> datetime | None:
    """Return the timestamp of the row `data[start:end]` where it is written as Labelbox does; None where unknown.

    The row is cut behind the first timestamp of that name and closed there. The result is valid JSON only when the
    timestamp is in `data_row.details`, so a field of the same name elsewhere does not count. One far behind the start
    is not searched.
    """
    key = data.find(_KEY, start, min(end, start + _MAX_DISTANCE))
    if key < 0:
        return None
    cut = key + len(_KEY) + _VALUE_LENGTH
    if data[key + len(_KEY) : key + len(_KEY) + 2] == b':"':
        cut -= 1
    try:
        found = _decode(data[start:cut] + _REST)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    details = found.data_row.details if found.data_row is not None else None
    text = details.last_activity_at if details is not None else None
    # Python reads more forms; this is the one that `parse_instant` reads alike.
    if text is None or len(text) != _TEXT_LENGTH or text[10] != "T" or text[7] != "-" or text[23:] != "+00:00":
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def parse_instant(text: str) -> datetime | None:
    """Parse an instant such as `2024-04-08T16:21:26.000+00:00`, also with `Z`, `+0000` and any fraction.

    Digits below a microsecond are cut off, which moves no instant over a bound, since bounds have none.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, zulu, sign, offset_hours, offset_minutes = match.groups()[6:]
    try:
        naive = datetime(year, month, day, hour, minute, second, int((fraction or "0")[:6].ljust(6, "0")))  # noqa: DTZ001  the offset follows
        if zulu:
            return naive.replace(tzinfo=timezone.utc)
        if int(offset_hours) > 23 or int(offset_minutes) > 59:
            return None
        offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
        return (naive + offset if sign == "-" else naive - offset).replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        return None
