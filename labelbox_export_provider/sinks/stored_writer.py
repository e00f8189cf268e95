"""The writer of an object that another process has completed: there is nothing left to do."""

from __future__ import annotations

from labelbox_export_provider.errors import IntegrityError, StorageError
from labelbox_export_provider.sinks.base import ExpectedObject, ObjectWriter, Part, WrittenObject


class StoredWriter(ObjectWriter):
    """Completes to what is in the store, and leaves it there when it is aborted."""

    def __init__(self, there: WrittenObject) -> None:
        self._there = there

    def put_part(self, part: Part) -> None:  # noqa: ARG002  the contract's signature
        """Refuse it, since the object is complete."""
        raise StorageError("The object is complete, so no part of it is taken.", details=self._there.uri)

    def complete(self, expected: ExpectedObject) -> WrittenObject:
        """Return the object, if it is the expected one."""
        if (expected.size, expected.crc32c) != (self._there.size, self._there.crc32c):
            raise IntegrityError("The object that is there is not the expected one.", details=self._there.uri)
        return self._there

    def abort(self) -> None:
        """Leave the object as it is."""
