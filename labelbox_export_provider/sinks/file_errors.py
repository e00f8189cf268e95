"""What a file system answers, turned into what the reader should do about it."""

from __future__ import annotations

import errno
from pathlib import Path

from labelbox_export_provider.errors import StorageError, StorageUnavailableError

_ADVICE = {
    errno.EACCES: "Give the worker's user write access to it",
    errno.EPERM: "Give the worker's user write access to it",
    errno.EROFS: "The file system is mounted read-only; mount it for writing or choose another root=",
    errno.ENOTDIR: "A file stands where a directory is needed; choose another root= or path=",
    errno.EISDIR: "A directory stands where the file should go; choose another path=",
    errno.ENAMETOOLONG: "Choose a shorter path= or prefix",
}
_REMEDIES = {errno.ENOSPC: "free space on the device", errno.EDQUOT: "free space within the quota"}
"""What somebody has to do before a retry helps."""
_RETRY_HELPS = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE}


def storage_error(error: OSError, action: str, path: Path) -> StorageError:
    """Turn an error of the operating system into ours; the message names the path and the next step."""
    number = error.errno or 0
    happened = f"The worker could not {action} the file: {error.strerror or type(error).__name__}."
    if (remedy := _REMEDIES.get(number)) is not None:
        return StorageUnavailableError(f"{happened} {remedy.capitalize()}.", details=str(path), remedy=remedy)
    kind = StorageUnavailableError if number in _RETRY_HELPS else StorageError
    advice = _ADVICE.get(number, "Look at the file system of the worker")
    return kind(f"{happened} {advice}.", details=str(path))
