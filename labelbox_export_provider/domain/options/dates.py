"""Dates as Labelbox filters take them: the forms that users write, the instant they mean, the form on the wire.

Labelbox's guide lists `YYYY-MM-DD`, `YYYY-MM-DD hh:mm:ss` (both in the zone of the key's owner) and ISO 8601 with
offset. On the wire we always send UTC with `+0000`: the official client relabels offsets instead of converting them.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from labelbox_export_provider.errors import ConfigurationError

VALID_FORMS = (
    "'YYYY-MM-DD', 'YYYY-MM-DD hh:mm:ss' (both in the key owner's time zone), ISO 8601 with offset such as "
    "'2024-01-10T00:00:00+0530', or a datetime with a time zone"
)

_FORM = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[ T](?P<time>\d{2}:\d{2}:\d{2})(?P<fraction>\.\d{1,9})?\s?(?P<offset>Z|[+-](?:[01]\d|2[0-3]):?[0-5]\d)?)?",
    re.ASCII,
)

End = Literal["start", "end"]


def read_date(value: object) -> datetime:
    """Read one bound of a date filter: an aware datetime, or a naive one where the text carries no offset.

    Fails with `ConfigurationError` on anything else, a naive `datetime` included: its zone would be a guess.
    """
    if isinstance(value, datetime):
        refuse_naive(value)
        return datetime.fromtimestamp(0, timezone.utc) + (value - datetime.fromtimestamp(0, timezone.utc))
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001  naive on purpose: the owner's zone applies
    if isinstance(value, str) and (match := _FORM.fullmatch(value.strip())):
        try:
            naive = datetime.fromisoformat(f"{match['day']} {match['time'] or '00:00:00'}")
        except ValueError:
            naive = None
        if naive is not None and match["fraction"]:
            naive += timedelta(microseconds=int(match["fraction"][1:7].ljust(6, "0")))
        try:
            if naive is not None:
                offset = match["offset"]
                return naive if offset is None else (naive - _offset(offset)).replace(tzinfo=timezone.utc)
        except OverflowError:
            pass  # a moment before year 1 or after year 9999
    raise ConfigurationError(f"{value!r} is not a date that Labelbox takes. It must be {VALID_FORMS}.")


def refuse_naive(value: datetime) -> None:
    """Refuse a `datetime` without time zone, since its zone would be a guess."""
    if value.tzinfo is None:
        raise ConfigurationError(
            f"{value!r} has no time zone. Give it one (pendulum.datetime(..., tz='UTC')), "
            "or pass text, which is read in the key owner's zone."
        )


def _offset(text: str) -> timedelta:
    if text == "Z":
        return timedelta()
    digits = text[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -size if text[0] == "-" else size


def to_utc(moment: datetime, owner_timezone: str | None, end: End) -> datetime:
    """Convert the result of `read_date` to UTC; naive values are read in the key owner's zone, UTC where it has none.

    Where a clock change makes the local time ambiguous or skips it, the reading that exports more is used.
    """
    if moment.tzinfo is not None:
        return moment.astimezone(timezone.utc)
    try:
        zone = ZoneInfo(owner_timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of the zone database, "America"
        raise ConfigurationError(
            f"The key owner's time zone {owner_timezone!r} is unknown here, so a date without offset has no meaning. "
            "Write dates with an offset, for instance '2024-01-10T00:00:00+0000'."
        ) from None
    try:
        readings = [moment.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc) for fold in (0, 1)]
    except OverflowError:
        raise ConfigurationError(f"{moment} in {zone} is outside the years 1 to 9999 in UTC.") from None
    return min(readings) if end == "start" else max(readings)


def whole_second(moment: datetime, end: End) -> datetime:
    """Round to whole seconds outwards, since the wire has no fractions: down for a start, up for an end."""
    floor = moment.replace(microsecond=0)
    return floor if end == "start" or floor == moment else shifted(floor, timedelta(seconds=1))


def shifted(moment: datetime, by: timedelta) -> datetime:
    """Move an instant; fails with `ConfigurationError` where it leaves the calendar."""
    try:
        return moment + by
    except OverflowError:
        raise ConfigurationError(f"{moment} is too near the end of the calendar (years 1 to 9999).") from None


def wire_text(moment: datetime) -> str:
    """Return a UTC instant as the wire takes it, for instance `2024-01-09T18:30:00+0000`."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="seconds") + "+0000"


def wire_range(start: datetime | None, end: datetime | None) -> dict[str, object]:
    """Render a closed range as the `value` member of a date filter; one bound may be None, not both."""
    value: object
    if start is not None and end is not None:
        operator, value = "BETWEEN", {"min": wire_text(start), "max": wire_text(end)}
    elif start is not None:
        operator, value = "GREATER_THAN_OR_EQUAL", wire_text(start)
    elif end is not None:
        operator, value = "LESS_THAN_OR_EQUAL", wire_text(end)
    else:
        raise ConfigurationError("A date filter needs at least one bound.")
    return {"operator": operator, "timezone": "UTC", "value": value}


def iso_utc(moment: datetime) -> str:
    """Return an instant as handle and manifest hold it: UTC, `Z`, a fraction only where there is one."""
    text = moment.astimezone(timezone.utc).isoformat()
    return text.removesuffix("+00:00") + "Z"
