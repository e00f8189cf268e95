"""Keeps file URLs out of urllib3's own log records.

urllib3 logs path and query of each request at DEBUG. Signed URLs carry their signature in the query, and some hosts a
token in the path, so queries are cut out of all its records and, while a file is being fetched, paths as well.
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
    """Put the filter on urllib3's loggers, once per process, however often it is called."""
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
        return True
