"""The origin of a file in extended attributes, on file systems that have them."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Mapping
from pathlib import Path

logger = logging.getLogger(__name__)

_PREFIX = "user."
_NO_ATTRIBUTES = {errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOSPC, errno.E2BIG, errno.ERANGE}


def write_attributes(descriptor: int, metadata: Mapping[str, str]) -> None:
    """Set names and values as attributes of an open file, as far as its file system supports them."""
    if not hasattr(os, "setxattr"):
        return
    for name, value in metadata.items():
        try:
            os.setxattr(descriptor, f"{_PREFIX}{name}", value.encode())
        except OSError as error:
            if error.errno not in _NO_ATTRIBUTES:
                raise
            logger.debug("The file system has no extended attributes; %s is not recorded with the file.", name)
            return


def read_attributes(path: Path) -> dict[str, str] | None:
    """Return the attributes of a file, by names in lower case; None where they cannot be read."""
    if not hasattr(os, "getxattr"):
        return None
    with contextlib.suppress(OSError):
        names = [name for name in os.listxattr(path) if name.startswith(_PREFIX)]
        return {
            name.removeprefix(_PREFIX).lower(): os.getxattr(path, name).decode("utf-8", "replace") for name in names
        }
    return None


def keeps_attributes(probe: Path) -> bool:
    """Return whether the file system supports attributes; tried on a new file that is removed at once."""
    try:
        probe.touch(exist_ok=False)
        os.setxattr(probe, f"{_PREFIX}labelbox-probe", b"1")
    except (OSError, AttributeError):
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True
