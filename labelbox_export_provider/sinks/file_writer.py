"""The writer of one file: parts into a temporary file beside it, which is synced and then renamed or linked."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from labelbox_export_provider.errors import ObjectExistsError, StorageError
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.base import (
    CRC32C,
    ExpectedObject,
    NewObject,
    ObjectWriter,
    Part,
    WrittenObject,
)
from labelbox_export_provider.sinks.file_attributes import write_attributes
from labelbox_export_provider.sinks.file_errors import reported
from labelbox_export_provider.sinks.file_temporary import temporary_path
from labelbox_export_provider.sinks.part_account import PartAccount
from labelbox_export_provider.sinks.stored_upload import StoredPart, StoredUpload

logger = logging.getLogger(__name__)


class FileWriter(ObjectWriter):
    """Writes a temporary file beside the path of the object; with `temporary`, one that another process has written."""

    def __init__(self, new: NewObject, path: Path, uri: str, temporary: Path | None = None) -> None:
        self._new = new
        self._path = path
        self._uri = uri
        self._temporary = temporary or temporary_path(path)
        self._account = PartAccount()
        if temporary is not None:
            return
        with reported("write", path):
            _make_directory(path.parent)
            self._temporary.open("xb").close()

    def put_part(self, part: Part) -> None:
        """Write the part at its offset. The file is open only meanwhile: a landing has thousands on their way."""
        self._account.require_open()
        position = part.offset
        with self._open("write") as file:
            for buffer in part.body.buffers():
                view = buffer
                while view:
                    written = os.pwrite(file, view, position)
                    position += written
                    view = view[written:]
        self._account.note(part)

    def complete(self, expected: ExpectedObject) -> WrittenObject:
        """Sync the file, and rename or link it in one step."""
        self._account.check(expected, self._uri)
        with self._open("publish") as file:
            # A part that was put twice may have been longer the first time.
            os.ftruncate(file, expected.size)
            write_attributes(file, {**self._new.metadata, CRC32C: checksum.text(expected.crc32c)})
            os.fsync(file)
            if self._new.create_only:
                self._link(expected)
            else:
                self._temporary.rename(self._path)
            sync_directory(self._path.parent)
        self.abort()
        return WrittenObject(self._new.key, self._uri, expected.size, expected.crc32c, None, None)

    def abort(self) -> None:
        """Remove the temporary file."""
        self._account.close()
        with reported("remove the temporary file of", self._path):
            self._temporary.unlink(missing_ok=True)

    def restore(self, stored: StoredUpload) -> None:
        """Note the parts that another process has put."""
        self._account.restore(stored.parts)

    def stored(self) -> StoredUpload:
        """Return the name of the temporary file, with its parts."""
        parts = (StoredPart(size, crc32c, None) for size, crc32c in self._account.sizes_and_crc32c())
        return StoredUpload(self._temporary.name, tuple(parts))

    @contextlib.contextmanager
    def _open(self, action: str) -> Iterator[int]:
        """Open the temporary file, whose absence means that another try has fenced this one."""
        with reported(action, self._path):
            try:
                with self._temporary.open("r+b", buffering=0) as file:
                    yield file.fileno()
            except FileNotFoundError:
                raise StorageError(
                    "The temporary file is gone, so another try of the same task has taken over. Nothing was published "
                    "by this one.",
                    details=str(self._path),
                ) from None

    def _link(self, expected: ExpectedObject) -> None:
        try:
            os.link(self._temporary, self._path)
        except FileExistsError:
            # A killed try may have published these bytes without the manifest.
            if size_and_crc32c(self._path) == (expected.size, expected.crc32c):
                return
            raise ObjectExistsError(
                "The file holds something else and replace=False. Nothing was changed. Remove the file, choose another "
                "path=, or set replace=True.",
                details=str(self._path),
            ) from None
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}:
                raise
            logger.warning("%s: the file system has no hard links, so another writer could be overwritten.", self._path)
            if self._path.exists():
                raise ObjectExistsError(
                    "The file exists and replace=False. Nothing was changed.", details=str(self._path)
                ) from None
            self._temporary.rename(self._path)


def size_and_crc32c(path: Path, limit: int | None = None) -> tuple[int, int]:
    """Return size and CRC32C of a file, or of its first `limit` bytes."""
    size = checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20 if limit is None else min(1 << 20, limit - size)):
            size += len(block)
            checksum = google_crc32c.extend(checksum, block)
    return size, checksum


def _make_directory(path: Path) -> None:
    """Create a directory with its parents, each synced into its own: a crash must not lose it with what is in it."""
    if not path.is_dir():
        _make_directory(path.parent)
        path.mkdir(exist_ok=True)
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory last, also where the machine loses power."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems do not support it
            raise
    finally:
        os.close(descriptor)
