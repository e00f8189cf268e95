"""Recognising Labelbox's limits by their text, since which code they come with is not documented."""

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


def is_rate_limit_text(text: str) -> bool:
    """Say whether this is Labelbox's sentence for too many requests (or too many of something, at least)."""
    return text.lstrip().lower().startswith("you have exceeded")


def is_plan_limit(text: str) -> bool:
    """Say whether the text speaks of what the plan allows, which does not pass by waiting."""
    return _NAMES_PLAN.search(text) is not None


def is_running_export_limit(text: str) -> bool:
    """Say whether the text names the bound on exports that run at once, which passes when one of them ends.

    A bound of the plan does not pass by waiting and is not meant.
    """
    if not _NAMES_EXPORTS.search(text):
        return False
    if _NAMES_RUNNING.search(text) and _NAMES_BOUND.search(text):
        return True
    return bool(_NAMES_BOTH.search(text)) and not is_plan_limit(text)
