"""Redaction: keys and signed URLs are removed from logs and error messages.

Text from servers and libraries goes through `scrub`, since a gateway may echo a key or a URL. That is the second
safeguard; the first is that this package puts none of them into text. What urllib3 and google-auth log at DEBUG goes
through `UrlFilter`: signed URLs carry their signature in the query, upload sessions their key, and some hosts a token
in the path. So queries are cut out of all these records and, during a `file_request`, paths as well.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOGGERS = (
    "urllib3",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
    "google.auth.transport.requests",
)
_QUERY = re.compile(r"\?[^\s\"'<>]+")
_URL = re.compile(r"(?i)\b(https?://[^\s/\"'<>?#]+)[/?#][^\s\"'<>]*")
_PATH = re.compile(r"(?<![\w/])/[^\s\"'<>]+")

_thread = threading.local()
_install_lock = threading.Lock()

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
    """Return `text` on one line of at most `limit` characters, without what looks like a key or a signed URL."""
    # Rules are applied before the cut: a cut could leave the start of a key that no rule recognises. The first cut only
    # bounds the work.
    line = " ".join(text[: 8 * limit].encode("utf-8", "backslashreplace").decode("utf-8").split())
    for pattern, replacement in _RULES:
        line = pattern.sub(replacement, line)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


@contextmanager
def file_request() -> Iterator[None]:
    """Mark the log records of this thread as being about a secret URL."""
    _thread.depth = getattr(_thread, "depth", 0) + 1
    try:
        yield
    finally:
        _thread.depth -= 1


def install_log_filter() -> None:
    """Add the filter to the loggers of urllib3 and google-auth, once per process."""
    with _install_lock:
        for name in LOGGERS:
            logger = logging.getLogger(name)
            if not any(isinstance(present, UrlFilter) for present in logger.filters):
                logger.addFilter(UrlFilter())


class UrlFilter(logging.Filter):
    """Rewrites records instead of dropping them, so that request, host and result stay in the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut secrets out of the record, and return True."""
        text = record.getMessage()
        scrubbed = _QUERY.sub("?***", text)
        if getattr(_thread, "depth", 0):
            scrubbed = _PATH.sub("/***", _URL.sub(r"\1/***", scrubbed))
            record.exc_info = record.exc_text = None
        if scrubbed != text:
            record.msg, record.args = scrubbed, None
        request = record.__dict__.get("httpRequest")
        if isinstance(request, dict):
            # Bodies are dropped, too: they may be rows.
            record.httpRequest = {"method": request.get("method"), "url": _QUERY.sub("?***", str(request.get("url")))}
        return True
