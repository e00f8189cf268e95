"""A directory as a store: files are written to a temporary name in the same directory, synced, then renamed or linked.

The origin of a file is kept in extended attributes where the file system has them; where it has none, only the bytes of
an existing file are known.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

import google_crc32c

from labelbox_export_provider.errors import ObjectExistsError, StorageError
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.base import (
    CRC32C,
    ExpectedObject,
    ListedObject,
    NewObject,
    ObjectWriter,
    Part,
    PartBody,
    Sink,
    StoredObject,
    WrittenObject,
    check_relative_key,
)
from labelbox_export_provider.sinks.file_attributes import keeps_attributes, read_attributes, write_attributes
from labelbox_export_provider.sinks.file_errors import file_error, reported
from labelbox_export_provider.sinks.file_temporary import is_leftover, is_temporary, temporary_path
from labelbox_export_provider.sinks.part_account import PartAccount

logger = logging.getLogger(__name__)

_MISSING = (FileNotFoundError, NotADirectoryError)


class FileSink(Sink):
    """Objects as files below `root`, which is created when needed; the operator refuses a missing one.

    Creation without overwriting has no race (`link`). Not for object stores that are mounted as file systems, where a
    rename is a copy.
    """

    maximum_parts = 1_000_000_000
    """Parts are written into place, so their number is of no account."""
    maximum_object_bytes = None
    heads_without_list = True

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root)

    def uri(self, key: str) -> str:
        """Return a `file://` address with the absolute path."""
        return "file://" + quote(str(self._path(key)), safe="/=:,@+!$&'()*;~")

    def check_writable(self, key: str) -> None:
        """Write a hidden file into the deepest existing directory of the path, and remove it; make no directory."""
        path = self._path(key)
        with reported("write", path):
            _refuse_directory(path)
            folder = next(parent for parent in path.parents if parent.exists())
            _refuse_long_names(folder, path)
            probe = folder / temporary_path(path).name
            try:
                with probe.open("xb") as file:
                    file.write(b"1")
                    file.flush()
                    os.fsync(file.fileno())
            finally:
                probe.unlink(missing_ok=True)

    def begin(self, new: NewObject) -> ObjectWriter:
        """Open a temporary file beside the path of the object."""
        return _FileWriter(new, self._path(new.key), self.uri(new.key))

    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        """Write a small file under a temporary name and move it into place."""
        writer = self.begin(new)
        try:
            writer.put_part(Part(1, 0, PartBody([content]), last=True))
            return writer.complete(ExpectedObject(len(content), google_crc32c.value(content)))
        finally:
            writer.abort()

    def read(self, key: str, *, limit: int) -> bytes | None:
        """Return the start of a file; None when there is none."""
        path = self._path(key)
        with reported("read", path), contextlib.suppress(*_MISSING), path.open("rb") as file:
            return file.read(limit)
        return None

    def head(self, key: str) -> StoredObject | None:
        """Return what is known of the file; its metadata is None on file systems without extended attributes."""
        path, size = self._path(key), None
        with reported("look at", path), contextlib.suppress(*_MISSING):
            size = path.stat().st_size
        if size is None:
            return None
        attributes = read_attributes(path)
        if not attributes:
            attributes = {} if keeps_attributes(temporary_path(path)) else None
        return StoredObject(key, size, attributes, None, None)

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the files below the root whose keys start with `prefix`, without temporary files."""
        for path, key in self._files_beside(prefix):
            if is_temporary(path.name) or not key.startswith(prefix):
                continue
            with reported("look at", path), contextlib.suppress(*_MISSING):  # it may be removed meanwhile
                found = path.stat()
                yield ListedObject(key, found.st_size, None, datetime.fromtimestamp(found.st_mtime, timezone.utc))

    def _files_beside(self, prefix: str) -> Iterator[tuple[Path, str]]:
        """Yield each file in and below the directory that `prefix` names or is in, with what its key would be."""
        root = self._root.absolute()
        folder = root / prefix.rpartition("/")[0]

        def fail(error: OSError) -> None:
            if not isinstance(error, _MISSING):
                raise file_error(error, "list", folder) from None

        for parent, _, names in os.walk(folder, onerror=fail):
            for name in names:
                path = Path(parent, name)
                yield path, path.relative_to(root).as_posix()

    def delete(self, key: str) -> None:
        """Remove the file; its directory stays."""
        path = self._path(key)
        with reported("remove", path), contextlib.suppress(*_MISSING):
            path.unlink()
            _sync_directory(path.parent)

    def abort_open_uploads(self, prefix: str, *, exact: bool = False) -> int:
        """Remove the temporary files that killed tries left; a try that still runs cannot publish any more.

        They are found in one pass over the directory. A name of more than 96 bytes is found by its first 96, or whole.
        """
        check_relative_key(prefix.removesuffix("/"))
        removed = 0
        for path, key in self._files_beside(prefix):
            if not is_leftover(key, prefix, exact=exact):
                continue
            with reported("remove a leftover", path):
                path.unlink(missing_ok=True)
            removed += 1
        return removed

    def _path(self, key: str) -> Path:
        return self._root.absolute().joinpath(*check_relative_key(key).split("/"))


class _FileWriter(ObjectWriter):
    def __init__(self, new: NewObject, path: Path, uri: str) -> None:
        self._new = new
        self._path = path
        self._uri = uri
        self._temporary = temporary_path(path)
        self._account = PartAccount()
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
            _sync_directory(self._path.parent)
        self.abort()
        return WrittenObject(self._new.key, self._uri, expected.size, expected.crc32c, None, None)

    def abort(self) -> None:
        """Remove the temporary file."""
        self._account.close()
        with reported("remove the temporary file of", self._path):
            self._temporary.unlink(missing_ok=True)

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
            if _size_and_crc32c(self._path) == (expected.size, expected.crc32c):
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


def _refuse_long_names(folder: Path, path: Path) -> None:
    longest = os.pathconf(folder, "PC_NAME_MAX")
    if any(len(os.fsencode(name)) > longest for name in path.relative_to(folder).parts):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def _refuse_directory(path: Path) -> None:
    """Fail as writing would where a directory has the name of the file, or a file that of a directory."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(path.stat().st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


def _size_and_crc32c(path: Path) -> tuple[int, int]:
    size = checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            size += len(block)
            checksum = google_crc32c.extend(checksum, block)
    return size, checksum


def _make_directory(path: Path) -> None:
    """Create a directory with its parents, each synced into its own: a crash must not lose it with what is in it."""
    if not path.is_dir():
        _make_directory(path.parent)
        path.mkdir(exist_ok=True)
        _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems do not support it
            raise
    finally:
        os.close(descriptor)
