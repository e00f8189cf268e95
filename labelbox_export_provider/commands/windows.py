"""The command `windows`: its options, its exit codes and its output."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from labelbox_export_provider.domain.options.dates import read_date
from labelbox_export_provider.errors import ConfigurationError, LabelboxExportError
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.windows_check.address import StoreAddress
from labelbox_export_provider.windows_check.check import Expected, check_windows
from labelbox_export_provider.windows_check.fill import Schedule, fills
from labelbox_export_provider.windows_check.listing import list_names
from labelbox_export_provider.windows_check.names import SourceKey
from labelbox_export_provider.windows_check.snapshot import whole_snapshot
from labelbox_export_provider.windows_check.table import table
from labelbox_export_provider.windows_check.tiling import NextBorder, calendar_days

ALL_LANDED, FAILED, GAP, INTERRUPTED = 0, 2, 3, 130

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def run(
    options: argparse.Namespace,
    open_store: Callable[[StoreAddress], Sink],
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    runs_of: Callable[[str], Callable[[Sequence[datetime]], bool] | None] = lambda _: None,
) -> int:
    """Print what is there and what is missing. Returns the exit code.

    `runs_of` returns what `Schedule.has_run` is for a DAG.
    """
    try:
        schedule = None
        if options.dag_id is not None:
            schedule = Schedule(options.dag_id, options.dates_are_ends, runs_of(options.dag_id))
        return _run(options, open_store, clock(), schedule)
    except LabelboxExportError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(
    options: argparse.Namespace, open_store: Callable[[StoreAddress], Sink], now: datetime, schedule: Schedule | None
) -> int:
    address = StoreAddress.parse(options.address)
    expected = _expected(options)
    names = list_names(open_store(address), address.prefix, read=options.rows)
    report = check_windows(names, now, expected)
    if expected.sources is not None:
        report = replace(report, sources=tuple(each for each in report.sources if each.expected))
    if not names.exports:
        hint = (
            f"It has {report.unread} manifests of explicit keys: add --rows to read their windows."
            if report.unread
            else "Check the address: it is the place that holds manifests/ and errors/."
        )
        raise ConfigurationError(f"No export was landed below {address}. {hint}")
    found = fills(report, schedule)
    if options.json:
        made = whole_snapshot(report, found, str(address), landing_dag_id=options.dag_id)
        json.dump(made, sys.stdout, indent=None, separators=(",", ":"))
        sys.stdout.write("\n")
    else:
        sys.stdout.write(table(report, found))
    return ALL_LANDED if report.all_landed else GAP


def _expected(options: argparse.Namespace) -> Expected:
    sources = frozenset(SourceKey.parse(each) for each in options.source or ())
    since = _moment("--since", options.since)
    if since is not None and not sources:
        raise ConfigurationError("--since needs --source: other sources begin with their first window.")
    return Expected(
        sources=sources or None,
        since=since,
        until=_moment("--until", options.until),
        grace=_duration("--grace", options.grace),
        next_border=_schedule(options.every, options.timezone),
    )


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = read_date(text)
    except ConfigurationError:
        raise ConfigurationError(
            f"{option} {text!r} is not a date. It must be YYYY-MM-DD, 'YYYY-MM-DD hh:mm:ss' (both in UTC) or ISO 8601 "
            "with an offset, such as 2026-11-22T02:00:00+01:00."
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def _duration(option: str, text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([mhd])", text, re.ASCII)
    if found is None:
        raise ConfigurationError(f"{option} {text!r} is not a duration. It must be such as 90m, 6h or 2d.")
    return int(found[1]) * _UNITS[found[2]]


def _schedule(every: str | None, zone: str) -> NextBorder | None:
    if every is None:
        return None
    step = _duration("--every", every)
    if not step:
        raise ConfigurationError(f"--every {every!r} must be longer than nothing, such as 1h or 1d.")
    if step % _UNITS["d"]:
        return lambda moment: moment + step
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(f"--timezone {zone!r} is not known here. It must be such as Europe/Berlin.") from None
    return calendar_days(step // _UNITS["d"], zone)
