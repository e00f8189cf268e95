"""The names of temporary files, which tell what object they are on their way to.

Readers of a directory skip names that start with a dot. The digest names the object whatever the length of its name,
the first bytes of that name show whether a prefix matches.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

_TEMPORARY = ".labelbox-"
_HEAD_BYTES = 96


def temporary_path(path: Path) -> Path:
    """Return a new name beside a file that is to be written."""
    head = path.name.encode()[:_HEAD_BYTES].decode(errors="ignore")
    return path.parent / f"{_TEMPORARY}{_digest(path.name)}-{secrets.token_hex(4)}-{head}"


def is_temporary(name: str) -> bool:
    """Return whether a file is on its way and so is not an object."""
    return name.startswith(_TEMPORARY)


def is_leftover(key: str, prefix: str, *, exact: bool) -> bool:
    """Return whether this is a temporary file for the key `prefix` or, unless `exact`, for one that starts with it."""
    (folder, _, name), (asked_folder, _, leaf) = key.rpartition("/"), prefix.rpartition("/")
    if not is_temporary(name):
        return False
    if folder != asked_folder:
        return key.startswith(prefix) and not exact
    digest, _, rest = name.removeprefix(_TEMPORARY).partition("-")
    return digest == _digest(leaf) or (not exact and rest.partition("-")[2].startswith(leaf))


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
