"""The receipts of one export in the store: what a try has stored, and what the next one need not move again.

An object is kept if its receipt is sound and of this very landing (export, form of the objects, totals of the stream),
and the store confirms that it has what the receipt names. Everything else is staged again. A receipt is read again when
its object is accounted, so that memory does not grow with the number of files.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial

from labelbox_export_provider.client.types import StreamTotals
from labelbox_export_provider.domain.records.receipt import Receipt, read_receipt
from labelbox_export_provider.errors import StorageError, StorageUnavailableError
from labelbox_export_provider.sinks.base import JSON, ExpectedObject, NewObject, ObjectWriter
from labelbox_export_provider.sinks.stored_upload import NO_PARTS
from labelbox_export_provider.streaming.landing.job import Job, encoding
from labelbox_export_provider.streaming.landing.own_objects import NOT_PERMITTED
from labelbox_export_provider.streaming.landing.receipt_form import (
    Kept,
    Known,
    counts_of,
    make_receipt,
    parts_add_up,
    segments_of,
    stored_upload,
)
from labelbox_export_provider.streaming.landing.resumed_writer import ResumedWriter
from labelbox_export_provider.streaming.pipeline.staged import ObjectAccount, StagedObject

logger = logging.getLogger(__name__)

_MAX_RECEIPT = 64 * 1024**2


class Receipts:
    """The receipts of one generation, for one landing. Threads may share it.

    With `scope` it is about these objects alone. `faults` is what is wrong with receipts that are there, for whoever
    must not do without them.
    """

    range_bytes: int | None = None
    """Bytes of the source in each range of one object; None where each receipt is about an object."""
    unit = "objects"
    nothing = "no object was stored whole"
    """Why there is no receipt, where they can be kept."""

    def __init__(self, job: Job, scope: range | None = None) -> None:
        self._job = job
        self.faults: list[str] = []
        self.scope = scope
        self._known: dict[int, Known] | None = None
        self._uploads: frozenset[str | None] = frozenset()
        self._kept: dict[int, Kept] = {}
        self._written: dict[int, ObjectWriter | None] = {}
        self.refused: set[int] = set()
        """Numbers of objects of an earlier try whose uploads the store refuses to continue or to complete."""
        self._totals = StreamTotals(0, 0)
        self._there: frozenset[int] = frozenset()
        """Numbers of all receipts that were there at first, sound or not: without the right to delete they stay."""
        self._lock = threading.Lock()
        self.work = True
        """Whether receipts can be read and written, as far as was seen."""

    # --- before anything is staged

    @property
    def are_possible(self) -> bool:
        """Whether this landing may have more than one receipt, in a store that can resume what they name."""
        return self._job.sink.resumes and self._job.receipt_bytes is not None

    @property
    def were_found(self) -> bool:
        """Whether any were there, or were written."""
        return bool(self._known or self._kept or self.faults or self._written)

    def load(self) -> bool:
        """Read what receipts are there, once, and return whether that is permitted; if it fails, others try again."""
        self._load()
        return self.work

    def name_upload(self, upload: str) -> bool:
        """Return whether a sound receipt of this landing names an open upload, which therefore stays."""
        self._load()
        return upload in self._uploads

    def confirm(self, totals: StreamTotals, numbers: Iterable[int], describe: Callable[[int], NewObject]) -> None:
        """Ask the store whether it has what the receipts of these objects name, and keep those that it has."""
        self._totals = totals
        known = self._load()
        for number, each in known.items():
            if each.totals != totals:
                self.faults.append(f"{self._uri(number)} is of a stream with other totals")
        asked = [number for number in numbers if number in known and known[number].totals == totals]
        try:
            answers = self._confirm_all(asked, describe)
        except NOT_PERMITTED as error:
            self._stop(error)
            return
        self._kept = {kept.staged.number: kept for kept in answers}
        # Of each object that is kept, only this is remembered to the end.
        self._known = {number: each for number, each in known.items() if number not in self._kept}
        self._uploads = frozenset()

    # --- for the pipeline

    def is_kept(self, number: int) -> bool:
        """Return whether an earlier try has stored this object, so that it is not staged again."""
        return number in self._kept

    def read(self, number: int) -> ObjectAccount:
        """Return the account of a kept object; fails where another try has changed its receipt meanwhile."""
        kept, receipt = self._kept[number], self._read(number)
        if receipt is None or receipt.checksum != kept.checksum:
            raise StorageUnavailableError(
                "A receipt is gone or was written again: another try of this task ran at the same moment. Nothing was "
                "published. A retry looks again.",
                details=self._uri(number),
            )
        return ObjectAccount(kept.staged, segments_of(receipt))

    def write(self, account: ObjectAccount) -> None:
        """Write the receipt of an object; where the store refuses it, a later try stages the object again."""
        staged = account.staged
        stored = staged.writer.stored() if staged.writer is not None else NO_PARTS
        if not self.work or stored is None:
            return
        receipt = make_receipt(self._job, self._totals, account, stored)
        # Without metadata: a store that may not overwrite must not take an older receipt for this one.
        new = NewObject(self._job.names.receipt(staged.number), JSON)
        try:
            self._job.sink.put(new, receipt.to_json())
        except StorageError as error:
            if isinstance(error, NOT_PERMITTED) and staged.number not in self._there:
                self._stop(error)
                return
            logger.info("%s was not written, so a later try would stage this object again: %s", new.key, error)
        else:
            self._written[staged.number] = staged.writer

    def has(self, number: int) -> bool:
        """Return whether a receipt names this object, so that a later try needs its upload."""
        return number not in self.refused and (number in self._kept or number in self._written)

    # --- at the end

    def remove(self) -> None:
        """Remove all receipts of this export; where that is not permitted they stay for a lifecycle rule."""
        if not self._job.sink.resumes:
            return
        try:
            keys = [each.key for each in self._job.sink.list(self._job.names.staging)]
            for key in keys[:1]:
                self._job.sink.delete(key)
            self._job.calls.map(self._job.sink.delete, keys[1:])
        except StorageError as error:
            logger.info("Receipts of this export stay in the store until a lifecycle rule removes them: %s", error)

    def drop_refused(self) -> None:
        """Remove the receipts of what the store refuses; its uploads are aborted as those without a receipt are."""
        self._delete([*self.refused])  # threads may add to it

    def discard(self, *, look: bool) -> None:
        """Abort what the receipts name and remove all of them, sound or not, also when the landing is over.

        With `look`, what is there is listed if nobody has looked yet.
        """
        there = [*self._there]

        def find() -> None:
            with contextlib.suppress(*NOT_PERMITTED):
                there.extend(self._find())

        if look and self._known is None and self._job.sink.resumes:
            self._job.calls.clean_up([find], "list the receipts of this export (%d call)")
        known = self._known or {}
        uploads = {each.upload for each in known.values()}
        writers = {*self._written.values(), *(kept.staged.writer for kept in self._kept.values())}
        self._job.calls.abort(writer for writer in writers if writer is not None)
        actions: list[Callable[[], object]] = []
        if uploads:
            key = self._job.names.explicit_key
            prefix = key or self._job.names.own["data"]
            abort = partial(self._job.sink.abort_open_uploads, prefix, exact=key is not None)
            actions.append(lambda: abort(keep=lambda upload: upload not in uploads))
        self._delete({*there, *self._written}, actions)
        self._known, self._kept, self._written = {}, {}, {}

    def _delete(self, numbers: Iterable[int], besides: Iterable[Callable[[], object]] = ()) -> None:
        """Remove these receipts, and do something `besides` at the same time, also when the landing is over."""
        removals = [partial(self._job.sink.delete, self._job.names.receipt(each)) for each in numbers]
        self._job.calls.clean_up([*besides, *removals], "remove %d receipt(s), which a lifecycle rule has to remove")

    # --- one receipt

    def _load(self) -> dict[int, Known]:
        """Read what receipts are there, once."""
        with self._lock:
            if self._known is None:
                self._known = self._read_all() if self.are_possible else {}
                self._uploads = frozenset(each.upload for each in self._known.values())
            return self._known

    def _read_all(self) -> dict[int, Known]:
        names, sink = self._job.names, self._job.sink
        try:
            numbers = self._find()
            self._there = frozenset(numbers)
            if numbers and sink.read(names.receipt(numbers[0]), limit=1) is None:
                self._stop(f"{self._uri(numbers[0])} may not be read.")
                return {}
            found = dict(zip(numbers, self._job.calls.map(self._examine, numbers), strict=True))
        except NOT_PERMITTED as error:
            self._stop(error)
            return {}
        self.faults += [f"{self._uri(number)} {fault}" for number, fault in found.items() if isinstance(fault, str)]
        return {number: each for number, each in found.items() if isinstance(each, Known)}

    def _examine(self, number: int) -> Known | str:
        """Return what is remembered of a receipt, or what is wrong with it."""
        receipt = self._read(number)
        if receipt is None:
            return "cannot be read, or is damaged"
        totals = StreamTotals(receipt.source_bytes, receipt.source_rows)
        return self._fault(number, receipt) or Known(receipt.upload, totals, receipt.checksum)

    def _find(self) -> list[int]:
        """Return the numbers of the receipts that are there; remove what a killed try has left beside them.

        Other tasks may write receipts at this moment, if this one has objects of its own.
        """
        names, sink = self._job.names, self._job.sink
        if not sink.put_leaves_nothing:
            for number in self.scope or ():
                sink.abort_open_uploads(names.receipt(number), exact=True)
            if self.scope is None:
                sink.abort_open_uploads(names.staging)
        numbers = [names.receipt_number(each.key) for each in sink.list(names.staging)]
        return [each for each in numbers if each is not None and (self.scope is None or each in self.scope)]

    def _read(self, number: int) -> Receipt | None:
        content = self._job.sink.read(self._job.names.receipt(number), limit=_MAX_RECEIPT)
        return None if content is None else read_receipt(content)

    def _fault(self, number: int, receipt: Receipt) -> str | None:
        job = self._job
        if receipt.export_id != job.handle.export_id or receipt.generation != job.names.generation:
            return f"is of export {receipt.export_id}"
        if receipt.number != number:
            return f"is that of object {receipt.number}"
        if receipt.encoding != encoding(job.handle, job.options, job.receipt_bytes):
            return f"is of another form of this export ({receipt.encoding})"
        if receipt.key != job.names.data(number):
            return f"is of {receipt.key}"
        return None if self._is_whole(receipt) else "names parts that are not the whole object"

    @staticmethod
    def _is_whole(receipt: Receipt) -> bool:
        """Return whether the parts of a receipt are what it is about."""
        return parts_add_up(receipt)

    def _confirm_all(self, numbers: list[int], describe: Callable[[int], NewObject]) -> list[Kept]:
        """Return what the store confirms of these receipts."""
        answers = self._job.calls.map(lambda number: self._confirm(number, describe(number)), numbers)
        return [kept for kept in answers if kept is not None]

    def _confirm(self, number: int, new: NewObject) -> Kept | None:
        receipt = self._read(number)
        if receipt is None or self._fault(number, receipt) is not None:
            return None
        crc32c = int(receipt.crc32c, 16)
        writer = None
        if receipt.upload is not None:
            writer = self._job.sink.resume(new, stored_upload(receipt), ExpectedObject(receipt.size, crc32c))
            if writer is None:
                self.faults.append(f"{self._uri(number)} names parts that the store does not have")
                return None
            writer = ResumedWriter(writer, number, self.refused)
        return Kept(StagedObject(number, counts_of(receipt), receipt.size, crc32c, writer), receipt.checksum)

    def _stop(self, error: Exception | str) -> None:
        """Log, once, that a later try cannot resume this landing."""
        if self.work:
            logger.warning("%s So a try that dies is not resumed: the next one moves everything again.", error)
            self.faults.append(str(error))
        self.work = False

    def _uri(self, number: int) -> str:
        return self._job.sink.uri(self._job.names.receipt(number))
