"""The errors of a file system, as errors that name the path and the next step."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from labelbox_export_provider.errors import StorageDeniedError, StorageError, StorageUnavailableError

_GRANT = (StorageDeniedError, "Give the worker's user {access} access to it")
_READS = {"read", "list", "look at"}
_CHECK = "Check the file system of the worker"
_TABLE: dict[int, tuple[type[StorageError], str]] = {
    errno.EACCES: _GRANT,
    errno.EPERM: _GRANT,
    errno.EROFS: (
        StorageDeniedError,
        "The file system is mounted read-only; mount it for writing or choose another root=",
    ),
    **dict.fromkeys(
        (errno.ENOTDIR, errno.EEXIST),
        (StorageError, "A file stands where a directory is needed; choose another root= or path="),
    ),
    errno.EISDIR: (StorageError, "A directory stands where the file should go; choose another path="),
    errno.ENAMETOOLONG: (StorageError, "Choose a shorter path= or prefix"),
    **dict.fromkeys(
        (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE), (StorageUnavailableError, _CHECK)
    ),
}
_REMEDIES = {errno.ENOSPC: "free space on the device", errno.EDQUOT: "free space within the quota"}
"""What somebody has to do before a retry helps."""


@contextlib.contextmanager
def reported(action: str, path: Path) -> Iterator[None]:
    """Make this package's errors of those of the operating system; see `file_error`."""
    try:
        yield
    except OSError as error:
        raise file_error(error, action, path) from None


def file_error(error: OSError, action: str, path: Path) -> StorageError:
    """Return the error for one of the operating system's; `action` is what the worker tried to do with the file."""
    number = error.errno or 0
    what = "directory" if action == "list" else "file"
    happened = f"The worker could not {action} the {what}: {error.strerror or type(error).__name__}."
    if (remedy := _REMEDIES.get(number)) is not None:
        return StorageUnavailableError(f"{happened} {remedy.capitalize()}.", details=str(path), remedy=remedy)
    kind, advice = _TABLE.get(number, (StorageError, _CHECK))
    advice = advice.format(access="read" if action in _READS else "write")
    return kind(f"{happened} {advice}.", details=str(path))
