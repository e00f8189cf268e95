"""Receipts from accounts of staged objects, and accounts from receipts."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.domain.records.receipt import Receipt, ReceiptPart, ReceiptSegment
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.part_account import add_up
from labelbox_export_provider.sinks.stored_upload import StoredPart, StoredUpload
from labelbox_export_provider.streaming.landing.job import Job, encoding
from labelbox_export_provider.streaming.pipeline.staged import ObjectAccount, StagedObject
from labelbox_export_provider.streaming.rows.counts import RowCounts
from labelbox_export_provider.streaming.rows.verification import Segment


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a receipt that is in the store."""

    upload: str | None
    totals: StreamTotals
    checksum: str


@dataclass(slots=True)
class Kept:
    """An object, or range, of an earlier try that the store has confirmed."""

    staged: StagedObject
    checksum: str


def make_receipt(job: Job, totals: StreamTotals, account: ObjectAccount, stored: StoredUpload) -> Receipt:
    """Return the receipt of what is stored of a stream with these totals."""
    staged = account.staged
    parts = stored.parts[slice(*account.parts)]
    return Receipt(
        export_id=job.handle.export_id,
        generation=job.names.generation,
        encoding=encoding(job.handle, job.options, job.receipt_bytes),
        source_bytes=totals.size,
        source_rows=totals.lines,
        number=staged.number,
        key=job.names.data(staged.number),
        size=staged.size,
        crc32c=checksum.text(staged.crc32c),
        upload=stored.name or None,
        parts=tuple(ReceiptPart(part.size, checksum.text(part.crc32c), part.etag) for part in parts),
        counts=asdict(staged.counts),
        segments=tuple(map(_segment_to_json, account.segments)),
    )


def stored_upload(receipt: Receipt) -> StoredUpload:
    """Return the upload that a receipt names, as its store knows it."""
    parts = (StoredPart(part.size, int(part.crc32c, 16), part.etag) for part in receipt.parts)
    return StoredUpload(receipt.upload or "", tuple(parts))


def parts_add_up(receipt: Receipt) -> bool:
    """Return whether size and checksum of the parts are together those of the object."""
    return add_up(stored_upload(receipt).parts) == (receipt.size, int(receipt.crc32c, 16))


def counts_of(receipt: Receipt) -> RowCounts:
    """Return the counts of rows; fails with `TypeError` where there are others than this version counts."""
    return RowCounts(**receipt.counts)


def _segment_to_json(segment: Segment) -> ReceiptSegment:
    """Return the account of the bytes of one file as a receipt has it, without the file's URL."""
    file = segment.file
    announced = None if segment.announced is None else checksum.text(segment.announced)
    return ReceiptSegment(
        *(file.start, file.end, file.line_start, file.line_end),
        *(segment.offset, segment.starts_row, segment.size, segment.newlines),
        *(checksum.text(segment.crc32c), segment.last_byte, announced),
    )


def segments_of(receipt: Receipt) -> list[Segment]:
    """Return the accounts of the source bytes of an object. Their files have no URL, since nobody reads them again."""
    return [
        Segment(
            ExportFile(each.file, each.file_end, each.first_row, each.last_row, ""),
            *(each.offset, each.starts_row, each.size, each.newlines),
            *(int(each.crc32c, 16), each.last_byte),
            announced=None if each.announced is None else int(each.announced, 16),
        )
        for each in receipt.segments
    ]
