"""An explicit key as a destination: one object, which an older export never takes from a newer one.

The object's metadata names the export that it is of. Where the store keeps none, the manifests beside the key decide.
"""

from __future__ import annotations

from datetime import datetime

from labelbox_export_provider.errors import ObjectExistsError
from labelbox_export_provider.sinks.base import ENCODING, EXPORT_ID, STARTED_AT, StoredObject
from labelbox_export_provider.streaming.landing.destination import Destination
from labelbox_export_provider.streaming.landing.generations import Generation
from labelbox_export_provider.streaming.landing.job import Job, encoding
from labelbox_export_provider.streaming.landing.manifests import Landed


class ExplicitKey(Destination):
    """One export at one key."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._key = job.names.data()
        self._encoding = encoding(job.handle, job.options)
        self._there: StoredObject | None = None

    def _judge(self, others: tuple[Generation, ...], own: list[Landed]) -> None:
        del own
        self._there = self._sink.head(self._key)
        self._refuse(others)
        # Without metadata the store compares the bytes before it makes the object visible.
        unknown = self._there is None or self._there.metadata is None
        self.create_only = unknown and not self._job.options.replace

    def before_completion(self) -> None:
        """Look once more at the key; an object that another export has put there meanwhile is judged as at first.

        Also where the store is asked not to overwrite: some ignore that. Without metadata, manifests are listed in any
        case: the first list was older than the look at the key, and an object is there before its manifest.
        """
        there = self._sink.head(self._key)
        if there is not None and (there != self._there or there.metadata is None):
            self._there = there
            look = self._look()
            self._refuse(() if look is None else look.others)

    def _has_this_form(self, landed: Landed) -> bool:
        if not landed.manifest.objects or self._there is None:
            return not landed.manifest.objects
        metadata = self._there.metadata
        return metadata is None or (self._is_own(metadata.get(EXPORT_ID)) and metadata.get(ENCODING) == self._encoding)

    def _refuse(self, others: tuple[Generation, ...]) -> None:
        """Fail with `ObjectExistsError` if what is at the key must not be overwritten."""
        there, handle = self._there, self._job.handle
        if there is None:
            return
        newer = [each for each in others if each.export is not None and each.rows and each.export.order > handle.order]
        if there.metadata is None:
            if newer:
                raise self._newer_error(newer[-1].describe())
            return
        origin, started = there.metadata.get(EXPORT_ID), there.metadata.get(STARTED_AT)
        if origin is not None and started is not None and not self._is_own(origin):
            moment = datetime.fromisoformat(started.replace("Z", "+00:00"))
            if (moment, origin) > handle.order:
                raise self._newer_error(f"export {origin}, started {started}")
        if self._job.options.replace or (self._is_own(origin) and there.metadata.get(ENCODING) == self._encoding):
            return
        whose = f"An object of export {origin}" if origin else "An object that is not of this package"
        if self._is_own(origin):
            whose = "An object of this export, landed with other options"
        raise ObjectExistsError(
            f"{whose} is at this key ({there.size} bytes), and replace=False. No bytes were moved and nothing was "
            "changed. Remove the object, choose a key that names the window (for instance {window_start:%Y-%m-%d}), "
            "or set replace=True.",
            details=f"{self._sink.uri(self._key)}, for {handle.describe()}",
        )

    def _is_own(self, origin: str | None) -> bool:
        return origin == self._job.handle.export_id

    def _newer_error(self, whose: str) -> ObjectExistsError:
        return ObjectExistsError(
            f"A newer export is at this key ({whose}), and an older one never overwrites it, whatever replace says. "
            "Nothing was changed. Mark this task as success, or choose a key that names the window (for instance "
            "{window_start:%Y-%m-%d}). To land this export all the same, remove the object and its manifest first.",
            details=f"{self._sink.uri(self._key)}, for {self._job.handle.describe()}",
        )
