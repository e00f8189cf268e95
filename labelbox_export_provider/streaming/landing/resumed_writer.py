"""The writer of what an earlier try has stored, which notes where the store refuses to continue or complete that.

An upload keeps the properties that it was begun with: its key of encryption, or the size of its parts. Where the store
does not take them any more, each try that resumes it would be refused in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from labelbox_export_provider.errors import StorageError, StorageUnavailableError
from labelbox_export_provider.sinks.base import ExpectedObject, ObjectWriter, Part, WrittenObject
from labelbox_export_provider.sinks.stored_upload import StoredUpload
from labelbox_export_provider.streaming.pipeline.call_pool import CallPool

ItemT = TypeVar("ItemT")
T = TypeVar("T")


class ResumedWriter(ObjectWriter):
    """Passes everything on to the store's writer, and adds its number to `refused` where the store refuses the upload.

    That is an error for which retrying helps, since what was stored is removed then.
    """

    __slots__ = ("_number", "_refused", "_writer")

    def __init__(self, writer: ObjectWriter, number: int, refused: set[int]) -> None:
        self._writer = writer
        self._number = number
        self._refused = refused

    def put_part(self, part: Part) -> None:
        """Store a part behind those of the earlier try."""
        with self._noting_refusals():
            self._writer.put_part(part)

    def complete(self, expected: ExpectedObject) -> WrittenObject:
        """Make the object visible, whole."""
        with self._noting_refusals():
            return self._writer.complete(expected)

    def abort(self) -> None:
        """Discard all parts, those of the earlier try as well."""
        self._writer.abort()

    def stored(self) -> StoredUpload | None:
        """Return what another try needs to resume it."""
        return self._writer.stored()

    @contextmanager
    def _noting_refusals(self) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            if not error.of_upload:
                raise
            self._refused.add(self._number)
            raise StorageUnavailableError(
                "The store refuses to continue an upload of an earlier try, which is removed, so that its rows are "
                f"moved again. {error.message}",
                details=error.details,
                of_upload=True,
            ) from error


def complete_all(calls: CallPool, complete: Callable[[ItemT], T], staged: Iterable[ItemT]) -> tuple[T, ...]:
    """Complete all objects; after a refusal of a resumed upload the others follow, so that one try finds all of them.

    Uploads of one earlier try have the same properties, and a try that ends with the first refusal would drop that one
    alone.
    """
    refusals: list[StorageUnavailableError] = []

    def attempt(item: ItemT) -> T | None:
        try:
            return complete(item)
        except StorageUnavailableError as error:
            if not error.of_upload:
                raise
            refusals.append(error)
            return None

    completed = calls.map(attempt, staged)
    if refusals:
        raise refusals[0]
    return tuple(each for each in completed if each is not None)
