"""The options of the command `windows`, as both `argparse` and Airflow's command line take them.

Free of other imports: every command of Airflow loads them. What options hold is checked when the command runs.
"""

from __future__ import annotations

from typing import Any

HELP = "show which windows are landed, which are missing, and how to fill each gap"
DESCRIPTION = """\
Reads the names of manifests and error rows below an address and shows, for each source, which windows are landed,
empty, rejected for error rows, missing or overlapping, and how to fill each gap. It writes nothing and calls neither
Labelbox nor the scheduler."""
EXIT_CODES = """\
exit codes:
  0    all windows that are due are landed
  2    the check could not be carried out: an option, the address, a permission
  3    a window is missing or was rejected
  130  Ctrl-C
"""
WINDOWS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("address",),
        {"metavar": "ADDRESS", "help": "s3://bucket/prefix, gs://bucket/prefix, file:///directory or a path"},
    ),
    (
        ("--source",),
        {
            "action": "append",
            "metavar": "KIND:ID",
            "help": "only this source, such as project:clp1, which is exported today; may be given more than once",
        },
    ),
    (("--since",), {"metavar": "DATE", "help": "the first moment of these sources, if no window of it is there"}),
    (("--until",), {"metavar": "DATE", "help": "leave out what is due after this moment"}),
    (
        ("--grace",),
        {"metavar": "TIME", "default": "6h", "help": "how long after its end a window may take to land (default 6h)"},
    ),
    (
        ("--every",),
        {
            "metavar": "TIME",
            "help": "length of the windows that are expected, such as 1h or 1d (default: that of the windows before)",
        },
    ),
    (
        ("--timezone",),
        {"metavar": "ZONE", "default": "UTC", "help": "time zone of --every in whole days (default UTC)"},
    ),
    (
        ("--rows",),
        {"action": "store_true", "help": "read the manifests: counts of rows, and the windows of explicit keys"},
    ),
    (("--dag-id",), {"metavar": "ID", "help": "the DAG that lands them: its gaps are filled by a backfill"}),
    (
        ("--dates-are-ends",),
        {
            "action": "store_true",
            "help": "dates of that DAG's runs are the ends of windows (CronTriggerTimetable with interval=)",
        },
    ),
    (("--json",), {"action": "store_true", "help": "print the snapshot that docs/formats.md describes"}),
)
