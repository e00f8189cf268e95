"""Text from servers and libraries, made fit for logs and error messages.

API keys and signed URLs must never be shown, and a gateway may echo either. This is the second net: the first is that
nothing of ours puts them into text.
"""

from __future__ import annotations

import re

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"'<>,;]{4,}"), r"\1 ***"),
    (re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]*){0,2}"), "***"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/\"'<>@]+@"), r"\1***@"),
    (re.compile(r"(?i)\b((?:https?|s3|gs)://[^\s\"'<>?#\\]+)[?#][^\s\"'<>]*"), r"\1?***"),
    (
        re.compile(
            r"(?i)([\w-]*(?:signature|credential|token|secret|password|api[_-]?key|access[_-]?id)[\w-]*"
            r"[\"']?\s*[=:]\s*[\"']?)[^\s&\"'<>,;}]+"
        ),
        r"\1***",
    ),
    # Longer than any id of Labelbox (25) or a UUID (36), and with a digit, which long words lack.
    (re.compile(r"(?<![\w+=-])(?=[\w+=-]*\d)[\w+=-]{40,}"), "***"),
)


def scrub(text: str, *, limit: int = 300) -> str:
    """Give `text` on one line of at most `limit` characters, without anything that looks like a key or a signed URL."""
    # Rules are applied before the cut, else the cut could leave the head of a key that no rule recognises; the first
    # cut only bounds the work.
    line = " ".join(text[: 8 * limit].encode("utf-8", "backslashreplace").decode("utf-8").split())
    for pattern, replacement in _RULES:
        line = pattern.sub(replacement, line)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
