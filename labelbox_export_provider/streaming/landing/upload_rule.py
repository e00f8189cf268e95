"""The store's rule about unfinished uploads, compared with how long a later try may need what this one stores."""

from __future__ import annotations

import logging
import math
from concurrent.futures import Future
from datetime import timedelta

from labelbox_export_provider.errors import StorageError
from labelbox_export_provider.streaming.landing.job import Job

logger = logging.getLogger(__name__)

_DAY = timedelta(days=1)


def ask_upload_rule(job: Job, tries: timedelta | None) -> Future[None]:
    """Ask for the rule beside other calls, and log what follows from it."""
    return job.calls.submit(lambda: _warn(job, tries))


def _warn(job: Job, tries: timedelta | None) -> None:
    """Log a warning where a rule of the store may remove what a later try of this task would resume.

    `tries` is how long all tries may take together. The store is asked only about an export that has receipts, whose
    tries are resumed; where it may not be asked, nothing is logged and the landing does without.
    """
    if tries is None or not job.sink.resumes or not job.has_receipts(job.progress.result_bytes or 0):
        return
    key = job.names.data()
    try:
        rule = job.sink.upload_rule(key)
    except StorageError as error:
        logger.debug("The store's rule about unfinished uploads was not read: %s", error)
        return
    if rule is None or rule.days * _DAY >= tries:
        return
    logger.warning(
        "%s of the store removes uploads that are not completed after %d day(s), and all tries of this task may take "
        "%s. An object of this export that one try has stored may be gone by the next one, which then moves it again; "
        "gone while a try runs, it fails that try. Let the rule wait for %d day(s) or more, or give the tries less "
        "time. (%s)",
        f"{rule.name[:1].upper()}{rule.name[1:]}",
        rule.days,
        tries,
        math.ceil(tries / _DAY),
        job.sink.uri(key),
    )
