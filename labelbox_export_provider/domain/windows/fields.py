"""Types of the options of windows: instants, durations, time zones."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, TypeAdapter, ValidationError

from labelbox_export_provider.domain.options.dates import read_date
from labelbox_export_provider.errors import ConfigurationError

_DURATION = TypeAdapter(timedelta)
_MONTHS = re.compile(r"[+-]?P[^T]*[YM]", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)


def as_utc(value: object) -> datetime:
    """Read an instant; raises `ConfigurationError` where there is no offset, since any zone would be a guess."""
    moment = read_date(value)
    if moment.tzinfo is None:
        raise ConfigurationError(
            "a window needs an instant: give an offset ('2024-01-10T00:00:00+00:00') or a datetime with a time zone."
        )
    return moment.astimezone(timezone.utc)


def _instant_text(value: object) -> object:
    if value is None:
        raise ValueError("a window needs both ends: FixedWindow(start, end).")
    return value if isinstance(value, str) else _instant(value).isoformat()


def _check_instant(text: str) -> str:
    _instant(text)
    return text


def _instant(value: object) -> datetime:
    try:
        return as_utc(value)
    except ConfigurationError as error:
        raise ValueError(str(error)) from None  # so that the message also names the option


Instant = Annotated[str, BeforeValidator(_instant_text), AfterValidator(_check_instant)]
"""The text of an instant with its offset."""


def _span(value: object) -> timedelta:
    try:
        # Python reads True as one second, and pydantic a month as thirty days: neither is intended.
        if isinstance(value, bool) or (isinstance(value, str) and _MONTHS.match(value)):
            raise TypeError
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            value = float(value)  # a number that a template rendered
        duration = _DURATION.validate_python(value)
    except (ValidationError, OverflowError, TypeError):
        raise ValueError(
            "must be a timedelta, a number of seconds, or ISO 8601 in days and smaller units such as 'PT5M' or 'P3D'."
        ) from None
    return timedelta(
        microseconds=duration // timedelta(microseconds=1)
    )  # a plain timedelta: pendulum's Duration adds differently


def _not_negative(duration: timedelta) -> timedelta:
    if duration < timedelta(0):
        raise ValueError(f"{duration.total_seconds():g} seconds is below 0.")
    return duration


def _whole_seconds(duration: timedelta) -> timedelta:
    if duration.microseconds:
        raise ValueError("whole seconds are needed, since Labelbox's date filters have no fractions.")
    return duration


def _above_zero(duration: timedelta) -> timedelta:
    if duration <= timedelta(0):
        raise ValueError(f"{duration.total_seconds():g} seconds is not above 0.")
    return duration


Settle = Annotated[timedelta, BeforeValidator(_span), AfterValidator(_not_negative)]
Lookback = Annotated[timedelta, BeforeValidator(_span), AfterValidator(_not_negative), AfterValidator(_whole_seconds)]
Width = Annotated[timedelta, BeforeValidator(_span), AfterValidator(_above_zero)]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of the zone database, "America"
        raise ValueError("there is no such time zone; must be an IANA name such as 'UTC' or 'Europe/Berlin'.") from None
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]
