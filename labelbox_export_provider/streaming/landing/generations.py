"""The generations of one source and window that are in a store: this export's own, and those of other exports.

Readers of `data/` read whatever is there, so rows must not be there twice by accident: a generation is never written in
two forms, what a killed try left and no manifest names is removed, and `rerun` decides about other generations. What a
manifest names is never removed, except older generations that are to be replaced; of these the manifest is removed
first, so that whatever is killed and when, a manifest names whole objects. Listing a store is not a lock: two landings
that run at the same moment may not see each other.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import get_args

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.object_names import Compression, Kind, ObjectNames, WindowNames
from labelbox_export_provider.errors import (
    ConfigurationError,
    ObjectExistsError,
    StorageError,
    StorageUnavailableError,
)
from labelbox_export_provider.sinks.base import STARTED_AT, Sink
from labelbox_export_provider.streaming.landing.manifests import Landed, own_manifest, read_manifest

logger = logging.getLogger(__name__)

_IN_ORDER_OF_REMOVAL: tuple[Kind, ...] = get_args(Kind)
"""Manifests first: they must not name missing objects. Then lists that point to data, then data, then errors."""


class LandedGenerations:
    """The generations in one store, found through the names of one export in the layout."""

    def __init__(self, sink: Sink, names: ObjectNames, window: WindowNames, handle: ExportHandle) -> None:
        self._sink = sink
        self._names = names
        self._window = window
        self._handle = handle
        self._own: Landed | None = None

    def refuse_others(self) -> None:
        """Fail with `ObjectExistsError` when the manifest of another export of this window is there."""
        for key, generation in self._keys("manifests"):
            if generation == self._names.generation:
                continue
            landed = read_manifest(self._sink, key)
            if landed is not None and not self._is_same_window(landed):
                continue
            rows = "" if landed is None else f" with {landed.manifest.rows_landed} rows"
            raise ObjectExistsError(
                f"Another export of this source and window is landed already (generation {generation}{rows}), and "
                "rerun='refuse'. No bytes were moved. Keep that one and mark this task as success, set "
                "rerun='add' to land this one beside it or 'replace' to land it instead, or remove that generation, "
                "its manifest first.",
                details=self._sink.uri(key),
            )

    def read_own_manifest(self) -> Landed | None:
        """Read and return the manifest of this export, where an earlier try has landed it; the next calls need it."""
        self._own = own_manifest(self._sink, self._names)
        return self._own

    def refuse_another_form(self, compression: Compression | None, object_bytes: int | None) -> None:
        """Fail with `ConfigurationError` when this export is already landed, compressed or split in another way."""
        landed = self._own
        if landed is None or not landed.manifest.objects:
            return
        there = (landed.manifest.compression, landed.manifest.max_object_bytes)
        if there != (compression, object_bytes):
            raise ConfigurationError(
                f"This export is landed already with compression={there[0]!r} and max_object_bytes={there[1]!r}. "
                f"Landed again with compression={compression!r} and max_object_bytes={object_bytes!r}, its rows would "
                "be there twice for readers of data/. Use those options again, or remove its manifest first: "
                "the objects that it names are then replaced.",
                details=landed.uri,
            )

    def remove_unnamed(self, written: Collection[str]) -> None:
        """Remove objects of this export that are not in `written`, where it has no manifest yet.

        A killed try with other options leaves them. Where listing is not permitted, a warning is logged instead.
        """
        if self._own is None:
            self._remove_but(written)

    def remove_no_longer_named(self, written: Collection[str]) -> None:
        """Remove objects of this export that its older manifest named and its new one does not."""
        if self._own is not None:
            self._remove_but(written)

    def check_listing(self) -> None:
        """Fail before bytes move if the store does not permit to list other generations."""
        for kind in _IN_ORDER_OF_REMOVAL:
            next(iter(self._sink.list(self._window.prefix(kind))), None)

    def remove_older(self) -> None:
        """Remove the generations of exports that were started before this one, and what a killed removal left."""
        found: dict[str, dict[Kind, list[str]]] = {}
        # Manifests are listed last: a landing that runs at the same moment writes its own after its objects.
        for kind in reversed(_IN_ORDER_OF_REMOVAL):
            for key, generation in self._keys(kind):
                if generation != self._names.generation:
                    found.setdefault(generation, {}).setdefault(kind, []).append(key)
        for generation, keys in sorted(found.items()):
            if not self._is_older(keys):
                continue
            for kind in _IN_ORDER_OF_REMOVAL:
                for key in keys.get(kind, ()):
                    self._sink.delete(key)
            logger.info("Removed generation %s, which %s replaces.", generation, self._names.generation)

    def _keys(self, kind: Kind) -> Iterator[tuple[str, str]]:
        for listed in self._sink.list(self._window.prefix(kind)):
            if (generation := self._window.generation_of(kind, listed.key)) is not None:
                yield listed.key, generation

    def _remove_but(self, written: Collection[str]) -> None:
        try:
            kinds = _IN_ORDER_OF_REMOVAL[1:]
            with ThreadPoolExecutor(len(kinds), thread_name_prefix="labelbox-list") as pool:
                found = [
                    key
                    for keys in pool.map(lambda kind: list(self._keys(kind)), kinds)
                    for key, generation in keys
                    if generation == self._names.generation and key not in written
                ]
        except StorageUnavailableError:
            raise
        except StorageError as error:
            logger.warning("%s Objects that killed tries with other options left are not removed.", error)
            return
        for key in found:
            logger.info("%s: removed, an earlier try with other options left it.", self._sink.uri(key))
            self._sink.delete(key)

    def _is_same_window(self, landed: Landed) -> bool:
        window, ours = landed.manifest.export.window, self._handle.window
        return (window and window.field) == (ours and ours.field)

    def _is_older(self, keys: dict[Kind, list[str]]) -> bool:
        if manifests := keys.get("manifests"):
            landed = [read_manifest(self._sink, key) for key in manifests]
            for each in landed:
                if each is None:
                    logger.warning("%s stays: its manifest cannot be read.", self._sink.uri(manifests[0]))
                    return False
                if not self._is_same_window(each):
                    return False
                if each.manifest.started_at > self._handle.started_at:
                    logger.warning("%s stays: its export was started after this one.", each.uri)
                    return False
            return True
        # No manifest: a killed try, a killed removal, or a landing that still runs.
        for key in (each for kind in keys.values() for each in kind):
            there = self._sink.head(key)
            started_at = (there.metadata or {}).get(STARTED_AT) if there is not None else None
            if started_at is not None:
                return datetime.fromisoformat(started_at.replace("Z", "+00:00")) <= self._handle.started_at
        return True
