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
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

import google_crc32c

from labelbox_export_provider.sinks.base import (
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
from labelbox_export_provider.sinks.file_attributes import keeps_attributes, read_attributes
from labelbox_export_provider.sinks.file_errors import file_error, reported
from labelbox_export_provider.sinks.file_temporary import is_leftover, is_temporary, temporary_path
from labelbox_export_provider.sinks.file_writer import FileWriter, size_and_crc32c, sync_directory
from labelbox_export_provider.sinks.stored_upload import StoredUpload
from labelbox_export_provider.sinks.stored_writer import StoredWriter

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
    resumes = True

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
        return FileWriter(new, self._path(new.key), self.uri(new.key))

    def resume(self, new: NewObject, stored: StoredUpload, expected: ExpectedObject) -> ObjectWriter | None:
        """Return a writer for a temporary file that holds these bytes, or for the object; both are read again."""
        path, uri = self._path(new.key), self.uri(new.key)
        folder = new.key.rpartition("/")[0]
        if not is_leftover(f"{folder}/{stored.name}".lstrip("/"), new.key, exact=True):
            return None
        temporary = path.parent / stored.name
        for each in (temporary, path):
            with reported("read", each), contextlib.suppress(*_MISSING):
                if size_and_crc32c(each, expected.size) != (expected.size, expected.crc32c):
                    continue
                if each is temporary:
                    writer = FileWriter(new, path, uri, temporary)
                    writer.restore(stored)
                    return writer
                if each.stat().st_size == expected.size:
                    return StoredWriter(WrittenObject(new.key, uri, expected.size, expected.crc32c, None, None))
        return None

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
            # Python sets aside as many bytes as it is asked for.
            return file.read(min(limit, os.fstat(file.fileno()).st_size))
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
            sync_directory(path.parent)

    def abort_open_uploads(self, prefix: str, *, exact: bool = False, keep: Callable[[str], bool] | None = None) -> int:
        """Remove the temporary files that killed tries left; a try that still runs cannot publish any more.

        They are found in one pass over the directory. A name of more than 96 bytes is found by its first 96, or whole.
        """
        check_relative_key(prefix.removesuffix("/"))
        removed = 0
        for path, key in self._files_beside(prefix):
            if not is_leftover(key, prefix, exact=exact) or (keep is not None and keep(path.name)):
                continue
            with reported("remove a leftover", path):
                path.unlink(missing_ok=True)
            removed += 1
        return removed

    def _path(self, key: str) -> Path:
        return self._root.absolute().joinpath(*check_relative_key(key).split("/"))


def _refuse_long_names(folder: Path, path: Path) -> None:
    longest = os.pathconf(folder, "PC_NAME_MAX")
    if any(len(os.fsencode(name)) > longest for name in path.relative_to(folder).parts):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def _refuse_directory(path: Path) -> None:
    """Fail as writing would where a directory has the name of the file, or a file that of a directory."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(path.stat().st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
