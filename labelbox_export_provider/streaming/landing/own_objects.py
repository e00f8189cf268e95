"""The objects of this export that are in the store, found by the prefixes that all names of its generation start with.

Another try of the same export may have left some in another form (compressed or split in another way), or may still
write them: it is fenced, and what no manifest names is removed before this landing's manifest is written, so that no
row is there twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from labelbox_export_provider.domain.records.manifest import Manifest
from labelbox_export_provider.domain.records.object_names import Kind
from labelbox_export_provider.errors import (
    StorageDeniedError,
    StorageUnavailableError,
    StorageUnsupportedError,
)
from labelbox_export_provider.sinks.base import ListedObject, StoredObject, WrittenObject
from labelbox_export_provider.streaming.landing.job import Job

logger = logging.getLogger(__name__)

NOT_PERMITTED = (StorageDeniedError, StorageUnsupportedError)
Found = ListedObject | StoredObject


class OwnObjects:
    """The data objects, error rows and list of one generation; at an explicit key the data is that key alone."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._sink = job.sink
        self._prefixes = {kind: prefix for kind, prefix in job.names.own.items() if kind != "manifests"}
        self._warned = False
        self.other_tries = False
        """Whether something of another try was there and was removed."""

    def fence(self, keep: Callable[[str], bool] | None = None) -> None:
        """Abort the open uploads of all tries of this export, so that one that still runs cannot complete them.

        `keep` is asked which of its data objects stay, since a receipt names their uploads. A try that still runs and
        puts parts of one of these, or completes it, makes the object that this landing would make of it.
        """
        kinds: Iterable[Kind] = ("data", "errors") if self._sink.put_leaves_nothing else self._job.names.own
        found = [(self._job.names.own[kind], False) for kind in kinds if kind in self._job.names.own]
        if self._job.names.explicit_key is not None:
            found.append((self._job.names.explicit_key, True))

        def abort(of: tuple[str, bool]) -> None:
            prefix, exact = of
            is_data = exact or prefix == self._prefixes.get("data")
            options = {"keep": keep} if keep is not None and is_data else {}
            if aborted := self._sink.abort_open_uploads(prefix, exact=exact, **options):
                self.other_tries = True
                logger.info("%s: aborted %d open upload(s) of another try.", self._sink.uri(prefix), aborted)

        self._job.calls.map(abort, found)

    def fence_objects(self, numbers: Iterable[int], keep: Callable[[str], bool]) -> None:
        """Abort the open uploads of these data objects alone, but those to keep."""
        keys = map(self._job.names.data, numbers)
        self._job.calls.map(lambda key: self._sink.abort_open_uploads(key, exact=True, keep=keep), keys)

    def listed(self) -> dict[str, ListedObject] | None:
        """Return what a listing holds of this export, without manifests and explicit key; None where it is denied."""
        try:
            found = self._job.calls.map(lambda prefix: list(self._sink.list(prefix)), self._prefixes.values())
        except NOT_PERMITTED as error:
            self.warn_once(error)
            return None
        return {each.key: each for of_kind in found for each in of_kind}

    def warn_once(self, error: Exception) -> None:
        """Log that listing is not permitted, and what therefore is not looked for."""
        if not self._warned:
            logger.warning(
                "%s Without listings, neither newer exports nor what other tries of this export left are noticed, and "
                "the sizes of objects are not compared once more.",
                error,
            )
        self._warned = True

    def find(self, keys: Iterable[str], listed: Mapping[str, ListedObject] | None) -> dict[str, Found]:
        """Return those objects that are there; what the listing lacks is asked for by its name."""
        listed = listed or {}
        found: dict[str, Found] = {key: listed[key] for key in keys if key in listed}
        heads = self._job.calls.map(self._sink.head, [key for key in keys if key not in found])
        return found | {each.key: each for each in heads if each is not None}

    def check(
        self, written: Mapping[str, WrittenObject], listed: Mapping[str, ListedObject] | None
    ) -> Mapping[str, Found]:
        """Fail if one of the objects that this landing has written is gone or has another size; remove a wrong one.

        Return what is there of them. Where a store neither lists nor says for certain that there is no object, nothing
        is checked; nor does an explicit key, which is in no listing, count as gone where reading may be denied.
        """
        if listed is None and not self._sink.heads_without_list:
            return {}
        found = self.find(written, listed)
        for key, ours in written.items():
            if key in found and found[key].size == ours.size:
                continue
            if key not in found and key == self._job.names.explicit_key:
                continue
            there = self._sink.head(key) if key in found else None
            if there is None or ours.etag is None or (there.etag or "").strip('"') != ours.etag:
                raise StorageUnavailableError(
                    "An object that this landing had completed is gone or was written again: another landing of the "
                    "same export, or a newer one, ran at the same moment. No manifest names it. A retry looks "
                    "again.",
                    details=ours.uri,
                )
            raise self._sink.remove_wrong(key, found=there.size, sent=ours.size)
        return found

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects of this export, several at once."""
        keys = list(keys)
        self._job.calls.map(self._sink.delete, keys)
        for key in keys:
            self.other_tries = True
            logger.info("%s: removed, it is of another try of this export.", self._sink.uri(key))

    def remove_all(self, manifests: Iterable[str]) -> None:
        """Remove everything of this export: manifests first, since they must not name missing objects."""
        self.remove(manifests)
        self.remove(self.listed() or ())

    def are_there(self, named: Mapping[str, int | None], listed: Mapping[str, ListedObject] | None = None) -> bool:
        """Return whether all that a manifest names is in the store, of the sizes that are known."""
        found = self.find(named, listed)
        return all(key in found and size in {None, found[key].size} for key, size in named.items())

    def named_by(self, manifest: Manifest, listed: Iterable[str]) -> dict[str, int | None] | None:
        """Return key and size of all that a manifest of this export names; None where it names an unknown address.

        Sizes of error rows and lists are not recorded. Names in another form are known from the listing alone.
        """
        names = self._job.names
        object_bytes = manifest.max_object_bytes
        count = 1 if object_bytes is None else -(-manifest.result.bytes // object_bytes)
        keys = [*listed, *map(names.data, range(count)), names.errors, *([names.uris] if names.uris else [])]
        known = {self._sink.uri(key): key for key in keys}
        named: dict[str, int | None] = {each.uri: each.bytes for each in manifest.objects}
        named |= {uri: None for uri in (manifest.errors.uri, manifest.uris) if uri is not None}
        if not named.keys() <= known.keys():
            return None
        return {known[uri]: size for uri, size in named.items()}
