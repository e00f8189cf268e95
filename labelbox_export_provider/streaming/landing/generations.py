"""The landed exports of one source and window, or at one explicit key, as their manifests show them.

A generation counts from its manifest on. A listing is not a lock, so a landing looks twice: before it moves a byte, and
again after its own manifest is there. Of two landings at the same moment, the one whose second look comes last sees the
other's manifest; exports have one order, so both agree which of them is the newer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import get_args

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.manifest import Rerun
from labelbox_export_provider.domain.records.object_names import Kind, State
from labelbox_export_provider.sinks.base import STARTED_AT, ListedObject
from labelbox_export_provider.streaming.landing.job import Job
from labelbox_export_provider.streaming.landing.manifests import Landed, read_manifest

logger = logging.getLogger(__name__)

_IN_ORDER_OF_REMOVAL: tuple[Kind, ...] = get_args(Kind)
"""Manifests first: they must not name missing objects. Then lists that point to data, then data, then errors."""
ABANDONED_AFTER = timedelta(hours=1)
"""How long the newest object without a manifest is old when nobody is still landing that generation."""


@dataclass(frozen=True, slots=True)
class Generation:
    """Another export that is landed. `export` is None where its manifest cannot be read; `rows` are those landed."""

    name: str
    uri: str
    keys: tuple[str, ...]
    export: ExportHandle | None
    rerun: Rerun | None
    rows: int

    def is_newer_than(self, handle: ExportHandle) -> bool:
        """Return whether it answers the same question as this export, which was started before it."""
        return self.answers(handle) and self.export is not None and self.export.order > handle.order

    def answers(self, handle: ExportHandle) -> bool:
        """Return whether it answers the question of this export."""
        return self.export is not None and self.export.question == handle.question

    def describe(self) -> str:
        """Return its name, how many rows it has, and when its export was started."""
        if self.export is None:
            return f"generation {self.name}"
        return f"generation {self.name} with {self.rows} rows, started {iso_utc(self.export.started_at)}"


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the manifests: keys of those of this export, whatever their state, and the other exports."""

    own: tuple[str, ...]
    others: tuple[Generation, ...]


class LandedGenerations:
    """Finds the generations that are beside that of one job. Each manifest is read once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._sink = job.sink
        self._window = job.names.window
        self._known: dict[ListedObject, Generation] = {}

    def look(self) -> Look:
        """List the manifests and read those of other exports; raises where listing is not permitted."""
        found: dict[str, list[ListedObject]] = {}
        for listed in self._sink.list(self._window.prefix("manifests")):
            if (name := self._window.generation_of("manifests", listed.key)) is not None:
                found.setdefault(name, []).append(listed)
        own = tuple(each.key for each in found.pop(self._job.names.generation, ()))
        # The states of one generation are those of one export; a second one is what a killed landing left.
        newest = {name: max(many, key=lambda each: each.key) for name, many in found.items()}
        unknown = [(name, each) for name, each in newest.items() if each not in self._known]
        for (_, listed), read in zip(unknown, self._job.calls.map(self._read, unknown), strict=True):
            self._known[listed] = read
        return Look(own, tuple(self._with_keys(self._known[newest[name]], found[name]) for name in sorted(found)))

    def own_manifests(self, keys: Iterable[str] | None) -> list[Landed]:
        """Read the manifests of this export; None for `keys` tries every state, where they could not be listed."""
        every = [self._job.names.manifest(state) for state in get_args(State)] if keys is None else keys
        return [each for each in self._job.calls.map(lambda key: read_manifest(self._sink, key), every) if each]

    def check_listing(self) -> None:
        """Fail before bytes move if the store does not permit to list the objects of other generations."""
        prefixes = [self._window.prefix(kind) for kind in _IN_ORDER_OF_REMOVAL[1:]]
        self._job.calls.map(lambda prefix: next(iter(self._sink.list(prefix)), None), prefixes)

    def objects(self) -> dict[str, dict[Kind, list[ListedObject]]]:
        """List the objects of other generations without their manifests."""
        found: dict[str, dict[Kind, list[ListedObject]]] = {}
        kinds = _IN_ORDER_OF_REMOVAL[1:]
        listings = self._job.calls.map(lambda kind: list(self._sink.list(self._window.prefix(kind))), kinds)
        for kind, listing in zip(kinds, listings, strict=True):
            for listed in listing:
                name = self._window.generation_of(kind, listed.key)
                if name is not None and name != self._job.names.generation:
                    found.setdefault(name, {}).setdefault(kind, []).append(listed)
        return found

    def is_abandoned(self, objects: dict[Kind, list[ListedObject]], now: datetime) -> bool:
        """Return whether a generation without manifest is certainly of an older export that nobody lands any more."""
        every = [each for of_kind in objects.values() for each in of_kind]
        if any(each.modified_at is None or now - each.modified_at <= ABANDONED_AFTER for each in every):
            return False
        for each in every:
            there = self._sink.head(each.key)
            started_at = (there.metadata or {}).get(STARTED_AT) if there is not None else None
            if started_at is not None:
                return datetime.fromisoformat(started_at.replace("Z", "+00:00")) < self._job.handle.started_at
        return False

    def remove(self, name: str, manifests: Iterable[str], objects: dict[Kind, list[ListedObject]]) -> None:
        """Remove a generation that this export replaces."""
        for key in manifests:
            self._sink.delete(key)
        for kind in _IN_ORDER_OF_REMOVAL[1:]:
            self._job.calls.map(self._sink.delete, [each.key for each in objects.get(kind, ())])
        logger.info("Removed generation %s, which %s replaces.", name, self._job.names.generation)

    def _read(self, found: tuple[str, ListedObject]) -> Generation:
        name, listed = found
        landed, uri = read_manifest(self._sink, listed.key), self._sink.uri(listed.key)
        if landed is None:
            return Generation(name, uri, (), None, None, 0)
        manifest = landed.manifest
        return Generation(name, uri, (), manifest.export, manifest.rerun, manifest.rows_landed)

    @staticmethod
    def _with_keys(generation: Generation, manifests: list[ListedObject]) -> Generation:
        return replace(generation, keys=tuple(each.key for each in manifests))
