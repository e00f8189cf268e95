"""The names below a prefix of a store, and what the manifests hold, where that is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pydantic import ValidationError

from labelbox_export_provider.domain.records.manifest import Manifest
from labelbox_export_provider.domain.records.object_names import EXPLICIT_RECEIPTS, source_id
from labelbox_export_provider.sinks.base import ListedObject, Sink
from labelbox_export_provider.windows_check.names import NamedExport, Names, SourceKey, read_names

_MAX_MANIFEST = 64 * 1024**2
_READERS = 16


def list_names(sink: Sink, prefix: str, *, read: bool = False) -> Names:
    """Return the exports below a prefix: from names alone, or with `read` also from the content of their manifests.

    Only reading tells the rows of an export and the windows of explicit keys. Raises the store's `StorageError` where
    listing is refused. Rows that nobody may read are unknown.
    """
    head = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    listed = [each for folder in ("manifests/", "errors/") for each in sink.list(f"{head}{folder}")]
    names = read_names(listed, head)
    beside_keys = [each for each in sink.list(f"{head}_manifests/") if each.key.endswith(".json")]
    explicit = [each for each in beside_keys if not each.key.startswith(f"{head}{EXPLICIT_RECEIPTS}")]
    exports = [each for each in names.exports if each.state != "rejected" or not _half_published(sink, head, each)]
    if not read:
        return Names(tuple(exports), names.ignored, len(explicit))
    with ThreadPoolExecutor(_READERS, thread_name_prefix="labelbox-windows") as pool:
        counted = list(pool.map(lambda each: _with_rows(sink, each), exports))
        beside = [each for each in pool.map(lambda each: _of_manifest(sink, each), explicit) if each is not None]
    return Names((*counted, *beside), names.ignored + len(explicit) - len(beside))


def _half_published(sink: Sink, head: str, export: NamedExport) -> bool:
    """Return whether rows are there too: a landing was killed before its manifest, or is not there yet.

    Errors are published first. An export that was rejected for them has no rows.
    """
    folder, _, leaf = export.key.removeprefix(f"{head}errors/").rpartition("/")
    stem = leaf[: leaf.index(export.generation) + len(export.generation)]
    return any(True for _ in sink.list(f"{head}data/{folder}/{stem}."))


def _with_rows(sink: Sink, export: NamedExport) -> NamedExport:
    manifest = None if export.state == "rejected" else _read(sink, export.key)
    return export if manifest is None else replace(export, rows=manifest.rows_landed)


def _of_manifest(sink: Sink, listed: ListedObject) -> NamedExport | None:
    manifest = _read(sink, listed.key)
    if manifest is None:
        return None
    handle = manifest.export
    return NamedExport(
        source=SourceKey(handle.source.kind, source_id(handle)),
        start=handle.started_at if handle.window is None else handle.window.start,
        end=None if handle.window is None else handle.window.end,
        generation=manifest.generation,
        state=manifest.state,
        key=listed.key,
        modified_at=listed.modified_at,
        rows=manifest.rows_landed,
    )


def _read(sink: Sink, key: str) -> Manifest | None:
    content = sink.read(key, limit=_MAX_MANIFEST)
    if content is None:
        return None
    try:
        return Manifest.model_validate_json(content)
    except ValidationError:
        return None
