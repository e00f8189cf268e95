"""Manifests: filling that of a landing, and reading those that are in the store."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from labelbox_export_provider.client.types import StreamTotals
from labelbox_export_provider.domain.records.manifest import ErrorCounts, LandedObject, Manifest, ResultCounts
from labelbox_export_provider.domain.records.object_names import State
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.base import ListedObject, Sink, StoredObject, WrittenObject
from labelbox_export_provider.streaming.pipeline.staged import StagedStream
from labelbox_export_provider.streaming.rows.counts import RowCounts

logger = logging.getLogger(__name__)

_MAX_MANIFEST = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Landed:
    """A landing that is in the store."""

    manifest: Manifest
    key: str
    uri: str


def read_manifest(sink: Sink, key: str) -> Landed | None:
    """Return a manifest; None when there is none that this version can read."""
    content = sink.read(key, limit=_MAX_MANIFEST)
    if content is None:
        return None
    try:
        return Landed(Manifest.model_validate_json(content), key, sink.uri(key))
    except ValidationError:
        logger.warning("%s is not a manifest of this version; it is treated as missing.", sink.uri(key))
        return None


def landed_object(written: WrittenObject, counts: RowCounts) -> LandedObject:
    """Return the manifest's entry for one data object."""
    return LandedObject(
        uri=written.uri,
        rows=counts.rows_kept,
        bytes=written.size,
        source_bytes=counts.bytes_kept,
        crc32c=checksum.text(written.crc32c),
        etag=written.etag,
        version_id=written.version_id,
    )


def with_etags(
    manifest: Manifest, written: Mapping[str, WrittenObject], found: Mapping[str, ListedObject | StoredObject]
) -> Manifest:
    """Return the manifest with the ETags of what was found, for objects whose completion reported none.

    Cloud Storage reports none when it completes an upload, but does when an object of an earlier try is looked at: one
    landing and a resumed one must not differ in that.
    """
    etags = {each.uri: found[key].etag for key, each in written.items() if key in found}
    objects = (each.model_copy(update={"etag": each.etag or etags.get(each.uri)}) for each in manifest.objects)
    return manifest.model_copy(update={"objects": tuple(objects)})


def result_counts(totals: StreamTotals | None, staged: StagedStream | None) -> ResultCounts:
    """Return the manifest's counts of the result stream."""
    counts = staged.counts if staged is not None else RowCounts()
    return ResultCounts(
        rows=counts.rows,
        bytes=totals.size if totals is not None else 0,
        rows_trimmed=counts.rows_trimmed,
        rows_after_end=counts.rows_after_end,
        rows_before_start=counts.rows_before_start,
        rows_unknown=counts.rows_unknown,
        max_row_bytes=counts.max_row_bytes,
        crc32c=checksum.text(staged.source_crc32c if staged is not None else 0),
    )


def state_of(errors: ErrorCounts, objects: tuple[LandedObject, ...]) -> State:
    """Return the state that is part of a manifest's name."""
    if errors.rows:
        return "errors"
    return "ok" if any(landed.rows for landed in objects) else "empty"
