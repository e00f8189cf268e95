"""Where an export lands: in the layout or at an explicit key, which differ in what may be there beside it."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from labelbox_export_provider.cancellation import StoppedError
from labelbox_export_provider.domain.records.manifest import Manifest
from labelbox_export_provider.errors import ConfigurationError, ObjectExistsError, StorageError, StorageUnsupportedError
from labelbox_export_provider.sinks.base import TEXT, NewObject, WrittenObject
from labelbox_export_provider.streaming.landing.generations import Generation, LandedGenerations, Look
from labelbox_export_provider.streaming.landing.job import Job
from labelbox_export_provider.streaming.landing.manifests import Landed
from labelbox_export_provider.streaming.landing.own_objects import NOT_PERMITTED, Found, OwnObjects
from labelbox_export_provider.streaming.landing.progress import StoreState

logger = logging.getLogger(__name__)


class Destination(ABC):
    """What one landing asks of its place: `prepare`, `before_completion`, `check`, `publish`, `after_publish`.

    `create_only` says whether the store must refuse what appears under the key meanwhile, `replaces` which generations
    the manifest records as replaced.
    """

    create_only: bool = False
    replaces: tuple[str, ...] = ()

    def __init__(self, job: Job) -> None:
        self._job = job
        self._sink = job.sink
        self._objects = OwnObjects(job)
        self._generations = LandedGenerations(job)
        self._own_keys: tuple[str, ...] = ()
        self._written: Mapping[str, WrittenObject] = {}

    def prepare(self, keep: Callable[[str], bool] | None = None) -> Landed | None:
        """Keep earlier tries from publishing, and look: refuse, give way, or return what needs not be landed again.

        `keep` is asked which open uploads stay, to be resumed.
        """
        self._objects.fence(keep)
        look = self._look()
        own = self._generations.own_manifests(None if look is None else look.own)
        self._own_keys = tuple(each.key for each in own) if look is None else look.own
        self._judge(() if look is None else look.others, own)
        if len(own) != 1:
            return None  # nothing is landed, or a killed landing left two manifests
        (landed,) = own
        listed = self._objects.listed() or {}
        named = self._objects.named_by(landed.manifest, listed)
        if named is None or not self._objects.are_there(named, listed):
            logger.warning("%s names objects that are gone or of another size; they are landed again.", landed.uri)
            return None
        self._objects.remove(key for key in listed if key not in named)
        self._job.progress.in_store = StoreState(manifest=landed.uri, earlier=True)
        return landed if self._has_this_form(landed) and self._answers_options(landed.manifest) else None

    @abstractmethod
    def _judge(self, others: tuple[Generation, ...], own: list[Landed]) -> None:
        """Fail where another export that is there must stay and this one must not be landed beside it or over it."""

    @abstractmethod
    def _has_this_form(self, landed: Landed) -> bool:
        """Return whether an earlier landing of this export, which is whole, has the form that the options ask for."""

    def _answers_options(self, landed: Manifest) -> bool:
        options = self._job.options
        is_written = bool(landed.objects) == (options.on_empty == "write_empty")
        return landed.errors.rows <= options.max_error_rows and (landed.rows_landed > 0 or is_written)

    @property
    def other_tries(self) -> bool:
        """Whether something of another try was there and was removed."""
        return self._objects.other_tries

    def before_completion(self) -> None:  # noqa: B027  there is nothing to ask in the layout
        """Look again before the first object becomes visible, where it could take the place of another export's."""

    def after_failure(self, written: Mapping[str, WrittenObject]) -> None:
        """Remove what a burst that failed made visible, where another try has landed this export in another form."""
        try:
            look = self._look() if written else None
            for landed in self._generations.own_manifests(look.own if look is not None else ()):
                named = {landed.manifest.errors.uri, *(each.uri for each in landed.manifest.objects)}
                self._objects.remove(key for key, each in written.items() if each.uri not in named)
        except (StorageError, StoppedError) as error:
            logger.info("What the failed landing made visible was not compared with other tries: %s", error)

    def check(self, written: Mapping[str, WrittenObject], manifest_key: str) -> Mapping[str, Found]:
        """Check right before the manifest that all objects are there, and that nothing else of this export is.

        Return what is there of `written`; nothing where that cannot be known.

        Objects in another form, and manifests of another state, are removed, unless another try of this export has
        landed them meanwhile: then this one gives way.
        """
        self._written = written
        listed = self._objects.listed()
        found = self._objects.check(written, listed)
        others = [key for key in listed or () if key not in written]
        stale = self._own_keys
        if others:
            look = self._look()
            stale = look.own if look is not None else stale
            self._give_way_to_other_form(stale, others, written)
        # Where objects go, so does a manifest of the same name that may name them.
        self._objects.remove(key for key in stale if others or key != manifest_key)
        self._objects.remove(others)
        return found

    def publish(self, new: NewObject, content: bytes) -> str:
        """Write the manifest and return its address.

        Where this export had none, it is created: another try that came first must not be overwritten unseen, since one
        of the two may have removed the objects of the other.
        """
        if not self._own_keys:
            try:
                return self._sink.put(replace(new, create_only=True), content).uri
            except StorageUnsupportedError as error:
                logger.info("%s The manifest is written without this condition.", error)
            except ObjectExistsError:
                # It may be this very one, where the answer was lost and the client sent it again.
                if self._sink.read(new.key, limit=len(content) + 1) != content:
                    self._give_way_to_other_form([new.key], (), self._written)
        return self._sink.put(new, content).uri

    def after_publish(self, landed: Landed, now: datetime) -> None:
        """Look again once the manifest is there, and settle with landings that ran at the same moment."""
        del now
        self._settle(landed)

    def _settle(self, landed: Landed) -> tuple[Generation, ...]:
        """Leave one manifest of this export, or none where a newer export takes its place; return the others."""
        looking = self._job.calls.submit(self._look)
        self._objects.fence()  # also uploads of which the store's answer was lost
        (look,) = self._job.calls.results(looking)
        if look is None:
            return ()
        self._objects.remove(key for key in look.own if key != landed.key)
        if (newer := self._newer(look.others)) is not None:
            self._objects.remove_all([landed.key])
            self._give_way(newer, stays=False)
        return look.others

    def _look(self) -> Look | None:
        """Return what manifests are there; None with a warning where that is not permitted and not needed."""
        try:
            return self._generations.look()
        except NOT_PERMITTED as error:
            if self._job.options.rerun != "add":
                raise
            self._objects.warn_once(error)
            return None

    def _newer(self, others: Iterable[Generation]) -> Generation | None:
        """Return a newer export to which this one gives way: one that replaces, or any if this one does."""
        handle, replaces = self._job.handle, self._job.options.rerun == "replace"
        newer = [each for each in others if each.is_newer_than(handle) and (replaces or each.rerun == "replace")]
        return newer[-1] if newer else None

    def _remove_leftovers(self) -> None:
        """Remove what killed tries of this export left, before it is refused; not where one has landed it.

        One that lands it at this moment looks at `removal` when its manifest is there: either it sees that, or this try
        sees its manifest.
        """
        if self._own_keys:
            return
        removal = self._job.names.removal
        try:
            left = self._objects.listed() or {}
            if not left and self._sink.head(removal) is None:
                return
            self._sink.delete(removal)  # fails where nothing may be removed, before anything says that it will be
            self._sink.put(NewObject(removal, TEXT, self._job.metadata()), b"")
            try:
                look = self._look()
                if look is not None and not look.own:
                    self._objects.remove(left)
            finally:
                self._sink.delete(removal)
        except NOT_PERMITTED as error:
            logger.warning("%s What a killed try of this export has left stays.", error)

    def _give_way(self, newer: Generation, *, stays: bool) -> NoReturn:
        if not stays:
            self._job.progress.in_store = StoreState()
        left = "This one stays as an earlier try landed it" if stays else "Nothing of this one is left in the store"
        raise ObjectExistsError(
            f"A newer export of the same question is landed ({newer.describe()}), so this one gives way. {left}. "
            "Mark this task as success. To land this export all the same, remove that generation first, its manifest "
            "before all else.",
            details=newer.uri,
        )

    def _give_way_to_other_form(
        self, manifests: Iterable[str], others: Iterable[str], written: Mapping[str, WrittenObject]
    ) -> None:
        """Fail if one of these manifests of this export names other objects than this landing, and they are whole."""
        for landed in self._generations.own_manifests(manifests):
            listed = others or self._objects.listed() or ()
            named = self._objects.named_by(landed.manifest, [*listed, *written])
            if not landed.manifest.rows_landed or named is None:
                continue
            if all(key in written and size in {None, written[key].size} for key, size in named.items()):
                continue  # it names the objects of this landing
            if self._objects.are_there(named):
                self._objects.remove(key for key in written if key not in named)
                self._job.progress.in_store = StoreState(manifest=landed.uri, earlier=True)
                raise another_form_error(landed)


def another_form_error(landed: Landed) -> ConfigurationError:
    """Return the error about an export that is landed, compressed or split in another way."""
    there = landed.manifest
    return ConfigurationError(
        f"This export is landed already with compression={there.compression!r} and "
        f"max_object_bytes={there.max_object_bytes!r}. Landed again in another form, its rows would be there twice for "
        "readers of data/. Use those options again, or remove its manifest first: the objects that it names are then "
        "replaced.",
        details=landed.uri,
        ruled_out=True,
    )
