"""The layout as a destination: generations of one window beside each other, and what `rerun` makes of the others.

`replace` removes nothing before this export's manifest is there, and only what cannot be missed: older exports of the
same question that have a manifest. One without manifest may be about to publish. It goes if the manifest of this export
records that it takes its place, so that a removal that was killed is finished, or if its objects say that it is older
and nobody has touched them for an hour.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from labelbox_export_provider.errors import ConfigurationError, ObjectExistsError, StorageUnavailableError
from labelbox_export_provider.streaming.landing.destination import Destination, another_form_error
from labelbox_export_provider.streaming.landing.generations import Generation
from labelbox_export_provider.streaming.landing.manifests import Landed
from labelbox_export_provider.streaming.landing.progress import StoreState

logger = logging.getLogger(__name__)


class Layout(Destination):
    """One export below a prefix."""

    def prepare(self, keep: Callable[[str], bool] | None = None) -> Landed | None:
        """Fail before anything else where `replace` could not list what it has to remove."""
        if self._job.options.rerun == "replace":
            self._generations.check_listing()
        return super().prepare(keep)

    def _judge(self, others: tuple[Generation, ...], own: list[Landed]) -> None:
        handle, rerun = self._job.handle, self._job.options.rerun
        # A try that has landed this export was not refused: the others came at the same moment, or later.
        for other in others if rerun != "add" and not own else ():
            unlike = other.export is not None and not other.answers(handle)
            if unlike or rerun == "refuse":
                self._remove_leftovers()
                raise _other_question_error(other, rerun) if unlike else _refused_error(other)
        if (newer := self._newer(others)) is not None:
            if newer.rerun == "replace":
                self._objects.remove_all(self._own_keys)
            else:
                self._remove_leftovers()
            self._give_way(newer, stays=newer.rerun != "replace" and bool(self._own_keys))
        older = [each.name for each in others if rerun == "replace" and each.export is not None]
        self.replaces = tuple(sorted({*older, *(name for each in own for name in each.manifest.replaces)}))

    def _has_this_form(self, landed: Landed) -> bool:
        there = landed.manifest
        wanted = (self._job.options.compression, self._job.object_bytes(there.result.bytes))
        if there.rows_landed and (there.compression, there.max_object_bytes) != wanted:
            raise another_form_error(landed)
        return True

    def after_publish(self, landed: Landed, now: datetime) -> None:
        """Settle with landings that ran at the same moment; with `replace`, remove what this export replaces."""
        replaces, progress = self._job.options.rerun == "replace", self._job.progress
        # Manifests are listed last: a landing that runs at the same moment writes its own after its objects.
        beside = self._generations.objects() if replaces else {}
        others = self._settle(landed)
        if others and self._job.options.rerun != "add":
            self._check_again(landed)
        if not replaces:
            return
        progress.in_store = replace(progress.in_store, replacing=True)
        for other in others:
            objects = beside.pop(other.name, {})
            if other.answers(self._job.handle):
                self._generations.remove(other.name, other.keys, objects)
            else:
                why = "its manifest cannot be read" if other.export is None else "it answers another question"
                logger.warning("%s stays: %s. Give each question a prefix of its own.", other.uri, why)
        for name, objects in sorted(beside.items()):
            if name in landed.manifest.replaces or self._generations.is_abandoned(objects, now):
                self._generations.remove(name, (), objects)
            else:
                logger.warning(
                    "Generation %s has no manifest and stays: it may be of a landing that still runs, of a newer "
                    "export, or of one whose age is unknown. If nobody lands it any more, remove its objects.",
                    name,
                )
        progress.in_store = replace(progress.in_store, replacing=False)

    def _check_again(self, landed: Landed) -> None:
        """Fail if another try of this export, refused meanwhile, removes what the manifest names.

        A manifest of this try is taken back then; one of an earlier try stays, and the next try looks at its objects. A
        removal that has ended has left objects missing; so these are looked for last.
        """
        removal = self._job.names.removal
        # Where the store does not answer, this fails and the manifest stays.
        there, listed = self._sink.head(removal), self._objects.listed() if self._written else None
        try:
            if there is not None:
                raise StorageUnavailableError(
                    "Another try of this export was refused, and removes its objects at this moment or died while it "
                    "did. A retry looks again.",
                    details=self._sink.uri(removal),
                )
            self._objects.check(self._written, listed)
        except StorageUnavailableError:
            self._objects.remove([landed.key, removal] if self._written else [removal])
            if self._written:
                self._job.progress.in_store = StoreState(taken_back=True)
            raise


def _refused_error(other: Generation) -> ObjectExistsError:
    return ObjectExistsError(
        f"Another export of this source and window is landed already ({other.describe()}), and rerun='refuse'. No "
        "bytes were moved. Keep that one and mark this task as success, set rerun='add' to land this one beside it or "
        "'replace' to land it instead, or remove that generation, its manifest first.",
        details=other.uri,
    )


def _other_question_error(other: Generation, rerun: str) -> ConfigurationError:
    return ConfigurationError(
        f"Under this prefix is an export of the same source and window that was asked for something else (other "
        f"filters, details or ends of the window): {other.describe()}. With rerun={rerun!r} one would take the place "
        "of the other. No bytes were moved. Give each question its own prefix, or remove that generation, its "
        "manifest first, if it is not needed any more.",
        details=other.uri,
        ruled_out=True,
    )
