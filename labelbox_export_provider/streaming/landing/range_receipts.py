"""The receipts of an explicit key: one for each range of the source, all of them about one upload."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain, takewhile

from labelbox_export_provider.domain.records.receipt import Receipt
from labelbox_export_provider.sinks.base import ExpectedObject, NewObject, ObjectWriter
from labelbox_export_provider.sinks.part_account import add_up
from labelbox_export_provider.sinks.stored_upload import StoredUpload
from labelbox_export_provider.streaming.landing.job import Job
from labelbox_export_provider.streaming.landing.receipt_form import Kept, counts_of, stored_upload
from labelbox_export_provider.streaming.landing.receipts import Receipts
from labelbox_export_provider.streaming.landing.resumed_writer import ResumedWriter
from labelbox_export_provider.streaming.pipeline.staged import StagedObject


@dataclass(frozen=True, slots=True)
class _Range:
    """A range that a sound receipt is about, with the parts behind those of the range before it."""

    staged: StagedObject
    stored: StoredUpload
    checksum: str


class RangeReceipts(Receipts):
    """The receipts of one object, of which the first are kept, as far as they follow each other and name one upload.

    Where the store does not have what they name, the object begins again, in another upload.
    """

    unit = "ranges"
    nothing = "the first range of the object has no receipt"

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.range_bytes = job.receipt_bytes

    def drop_refused(self) -> None:
        """Abort the upload and remove all receipts where the store refuses it, since all of them name this one."""
        if self.refused:
            self.discard(look=False)

    @staticmethod
    def _is_whole(receipt: Receipt) -> bool:
        """Return whether it names an upload; whether its parts hold the range shows with those before them."""
        return receipt.upload is not None

    def _confirm_all(self, numbers: list[int], describe: Callable[[int], NewObject]) -> list[Kept]:
        first = [number for place, number in enumerate(sorted(numbers)) if number == place]
        read = self._job.calls.map(self._read_range, first)
        sound = [each for each in takewhile(lambda each: each is not None, read) if each is not None]
        ranges = [*takewhile(lambda each: each.stored.name == sound[0].stored.name, sound)]
        if not ranges:
            return []
        (writer,) = self._job.calls.map(lambda new: self._resume(new, ranges), [describe(0)])
        if writer is None:
            self.faults.append(f"{self._uri(0)} and those behind it name parts that the store does not have")
            return []
        return [Kept(replace(each.staged, writer=writer), each.checksum) for each in ranges]

    def _read_range(self, number: int) -> _Range | None:
        receipt = self._read(number)
        if receipt is None or self._fault(number, receipt) is not None:
            return None
        staged = StagedObject(number, counts_of(receipt), receipt.size, int(receipt.crc32c, 16), None)
        return _Range(staged, stored_upload(receipt), receipt.checksum)

    def _resume(self, new: NewObject, ranges: list[_Range]) -> ObjectWriter | None:
        """Return the writer that continues behind these ranges; None where it has to begin again."""
        parts = tuple(chain.from_iterable(each.stored.parts for each in ranges))
        stored = StoredUpload(ranges[0].stored.name, parts, more=True)
        size, crc32c = add_up(parts)
        if size < ranges[-1].staged.size:
            return None
        writer = self._job.sink.resume(new, stored, ExpectedObject(size, crc32c))
        # A complete object takes no more parts.
        is_all = len(ranges) * (self.range_bytes or 0) >= self._totals.size
        if writer is None or not (is_all or writer.stored() is not None):
            return None
        return ResumedWriter(writer, 0, self.refused)


def receipts_of(job: Job, scope: range | None = None) -> Receipts:
    """Return the receipts of a landing: those of its objects, with `scope` of these alone, or of its one object."""
    return Receipts(job, scope) if job.names.explicit_key is None else RangeReceipts(job)
