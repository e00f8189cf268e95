"""The options of `estimate`, in the form that argparse and Airflow's command line both take."""

from __future__ import annotations

import argparse
import json
import math
from datetime import datetime, timedelta, timezone
from typing import Any

HELP = "list what a DAG would start in a backfill; nothing is sent"
DESCRIPTION = """\
Lists the exports that a DAG would start between two dates, their windows, and the request of the first one.
Needs Airflow and the DAG file; no database, no connection, no network."""
EXIT_CODES = """\
exit codes:
  0  every start is known
  1  a start is refused, or known only when its task runs; the text names it
  2  nothing could be estimated: an option, or the DAG file
"""


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-11-01 or 2026-11-01T02:00:00Z") from None
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _end(text: str) -> datetime:
    moment = _instant(text)
    return moment + timedelta(days=1, seconds=-1) if len(text) == len("2026-11-01") else moment


def _conf(text: str) -> dict[str, Any]:
    try:
        conf = json.loads(text)
    except ValueError:
        conf = None
    if not isinstance(conf, dict):
        raise argparse.ArgumentTypeError(f'{text!r} is not a JSON object such as {{"project_id": "clp1"}}')
    return conf


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _whole(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


ESTIMATE: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("dag",), {"metavar": "DAG", "help": "a DAG file, or the id of a DAG in Airflow's DAGs folder"}),
    (("--start",), {"required": True, "type": _instant, "metavar": "DATE", "help": "first logical date"}),
    (("--end",), {"required": True, "type": _end, "metavar": "DATE", "help": "last logical date; a day counts whole"}),
    (("--conf",), {"type": _conf, "metavar": "JSON", "default": {}, "help": "params of the runs, as in Airflow"}),
    (
        ("--triggered",),
        {
            "action": "store_true",
            "help": "one run from the trigger form, with --start and --end as the window that ParamsWindow reads",
        },
    ),
    (("--minutes-per-export",), {"type": _positive, "metavar": "M", "help": "how long one export takes"}),
    (
        ("--limit",),
        {
            "type": _whole,
            "metavar": "N",
            "default": 10,
            "help": "exports that run at once (default 10, the limit of one project)",
        },
    ),
    (
        ("--timezone",),
        {"default": "UTC", "metavar": "NAME", "help": "the key owner's, for dates without offset (default UTC)"},
    ),
    (("--json",), {"action": "store_true", "help": "print all of it as JSON, every window by itself"}),
)
"""Flags and settings of each option."""
