"""Recognises Labelbox's limits by their text, since their codes are not documented."""

from __future__ import annotations

import re

_NAMES_EXPORTS = re.compile(r"(?i)\bexports?\b")
_NAMES_RUNNING = re.compile(
    r"(?i)\b(running|concurrent(?:ly)?|simultaneous(?:ly)?|parallel|in[ -]progress|at once|same time|at a time|active|"
    r"already|ongoing)\b"
)
_NAMES_BOUND = re.compile(
    r"(?i)\b(limit(?:s|ed)?|maximum|max|too many|exceed(?:s|ed)?|reached|at most|no more than|allowed)\b"
)
_NAMES_BOTH = re.compile(
    r"(?i)\b(?:exports? limit|too many (?:\w+ )?exports|(?:limit|maximum)(?: number)? of (?:\w+ )?exports?)\b"
)
_NAMES_PLAN = re.compile(r"(?i)\b(plan|subscription|upgrade|billing|quota)\b")
_NAMES_PROJECT = re.compile(r"(?i)\bprojects?\b")
_NAMES_MORE = re.compile(r"(?i)\b(organi[sz]ations?|workspaces?|accounts?|teams?|users?)\b")


def is_rate_limit_text(text: str) -> bool:
    """Return whether this is Labelbox's message for too many requests."""
    return text.lstrip().lower().startswith("you have exceeded")


def is_plan_limit(text: str) -> bool:
    """Return whether the text names a limit of the plan, which waiting does not lift."""
    return _NAMES_PLAN.search(text) is not None


def is_running_export_limit(text: str) -> bool:
    """Return whether the text names the limit of running exports, which is lifted when one of them ends.

    False for a limit of the plan, which waiting does not lift.
    """
    if not _NAMES_EXPORTS.search(text):
        return False
    if _NAMES_RUNNING.search(text) and _NAMES_BOUND.search(text):
        return True
    return bool(_NAMES_BOTH.search(text)) and not is_plan_limit(text)


def is_limit_of_project(text: str) -> bool:
    """Return whether the text of a running-export limit names the project as what is full, and nothing larger."""
    return _NAMES_PROJECT.search(text) is not None and _NAMES_MORE.search(text) is None
