"""Keeps file URLs and the addresses of upload sessions out of the log records of urllib3 and google-auth.

Both log each request at DEBUG, google-auth in an attribute of the record that formatters for JSON write out. Signed
URLs carry their signature in the query, upload sessions their key, and some hosts a token in the path. So queries are
cut out of all these records and, while a file is being fetched, paths as well.
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


@contextmanager
def file_request() -> Iterator[None]:
    """Mark what this thread logs as being about a secret URL."""
    _thread.depth = getattr(_thread, "depth", 0) + 1
    try:
        yield
    finally:
        _thread.depth -= 1


def install() -> None:
    """Put the filter on their loggers, once per process, however often it is called."""
    with _install_lock:
        for name in LOGGERS:
            logger = logging.getLogger(name)
            if not any(isinstance(present, UrlFilter) for present in logger.filters):
                logger.addFilter(UrlFilter())


class UrlFilter(logging.Filter):
    """Rewrites records instead of dropping them: that a request was made, to which host, with which result, stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut secrets out of the record, and let it pass."""
        text = record.getMessage()
        scrubbed = _QUERY.sub("?***", text)
        if getattr(_thread, "depth", 0):
            scrubbed = _PATH.sub("/***", _URL.sub(r"\1/***", scrubbed))
            record.exc_info = record.exc_text = None
        if scrubbed != text:
            record.msg, record.args = scrubbed, None
        asked = record.__dict__.get("httpRequest")
        if isinstance(asked, dict):
            # Bodies go as well: they may be rows.
            record.httpRequest = {"method": asked.get("method"), "url": _QUERY.sub("?***", str(asked.get("url")))}
        return True
