"""Receipts from accounts of staged objects, and accounts from receipts."""

from __future__ import annotations

from dataclasses import asdict

from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.domain.records.receipt import Receipt, ReceiptPart, ReceiptSegment
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.stored_upload import StoredPart, StoredUpload
from labelbox_export_provider.streaming.rows.counts import RowCounts
from labelbox_export_provider.streaming.rows.verification import Segment

NO_PARTS = StoredUpload("", ())


def parts_of(stored: StoredUpload) -> tuple[ReceiptPart, ...]:
    """Return the parts of an upload as a receipt has them."""
    return tuple(ReceiptPart(part.size, checksum.text(part.crc32c), part.etag) for part in stored.parts)


def stored_upload(receipt: Receipt) -> StoredUpload:
    """Return the upload that a receipt names, as its store knows it."""
    parts = (StoredPart(part.size, int(part.crc32c, 16), part.etag) for part in receipt.parts)
    return StoredUpload(receipt.upload or "", tuple(parts))


def parts_add_up(receipt: Receipt) -> bool:
    """Return whether size and checksum of the parts are together those of the object."""
    size = crc32c = 0
    for part in receipt.parts:
        size += part.size
        crc32c = checksum.combine(crc32c, int(part.crc32c, 16), part.size)
    return (size, checksum.text(crc32c)) == (receipt.size, receipt.crc32c)


def counts_to_json(counts: RowCounts) -> dict[str, int]:
    """Return counts of rows by their names."""
    return asdict(counts)


def counts_of(receipt: Receipt) -> RowCounts:
    """Return the counts of rows; fails with `TypeError` where there are others than this version counts."""
    return RowCounts(**receipt.counts)


def segment_to_json(segment: Segment) -> ReceiptSegment:
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
