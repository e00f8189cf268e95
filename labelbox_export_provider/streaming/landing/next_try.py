"""What a landing that failed leaves for the next try: what is removed, and what its report names."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import takewhile

from labelbox_export_provider.client.types import StreamType
from labelbox_export_provider.errors import IntegrityError
from labelbox_export_provider.streaming.landing.final_errors import ends_resuming, why_ended
from labelbox_export_provider.streaming.landing.job import Job
from labelbox_export_provider.streaming.landing.receipts import Receipts


@contextmanager
def ending(job: Job, receipts: Receipts) -> Iterator[None]:
    """After a failure inside, remove receipts that no later try may use, and note what the next one need not move."""
    try:
        yield
    except BaseException as error:
        if ends_resuming(error):
            size = job.progress.result_bytes
            # A small landing has no receipts, so none are looked for.
            receipts.discard(look=size is None or job.has_receipts(size))
        else:
            receipts.drop_refused()
        if job.progress.by_others and (isinstance(error, IntegrityError) or receipts.refused):
            job.progress.stage_again = True
        job.progress.kept = _describe(job, receipts, error)
        raise


def describe_share(numbers: Collection[int], every: range, size: int, object_bytes: int, unit: str) -> str:
    """Return how many of the objects, or ranges, `every` these are, and how many bytes of a stream of `size` bytes."""
    kept = sum(min(size, (number + 1) * object_bytes) - number * object_bytes for number in numbers)
    total = min(size, every.stop * object_bytes) - every.start * object_bytes
    return f"{len(numbers)} of {len(every)} {unit} ({kept} of {total} bytes)"


def _describe(job: Job, receipts: Receipts, error: BaseException) -> str | None:
    """Return what is kept, or why nothing is; None where none of the result was to be moved, or it is landed."""
    progress = job.progress
    size = progress.result_bytes or 0
    object_bytes = job.receipt_bytes if job.has_receipts(size) else None
    every = receipts.scope or range(-(-size // (object_bytes or size or 1)))
    # A range is of no use without those before it.
    usable = filter if receipts.range_bytes is None else takewhile
    stored = [*usable(receipts.has, every)]
    # An option may be refused when it is known what is stored, but before any of the rest is moved.
    if not (stored or progress.has_begun(StreamType.RESULT.value)):
        return None
    if progress.in_store.manifest is not None or progress.in_store.taken_back:
        return None
    if ends_resuming(error):
        why = why_ended(error)
    elif object_bytes is None:
        why = "an export of one object is moved as a whole"
    elif not job.sink.resumes:
        why = "this store cannot resume"
    elif stored:
        share = describe_share(stored, every, size, object_bytes, receipts.unit)
        who = "what stages the rest" if progress.stage_again else "the next try"
        return f"{share} are stored; {who} resumes there"
    elif receipts.refused:
        why = "the store refuses the upload of an earlier try"
    else:
        why = receipts.nothing if receipts.work else "receipts could not be kept, as the log warns"
    return f"nothing, since {why}"
