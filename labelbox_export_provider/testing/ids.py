"""Ids that look like Labelbox's: 25 characters, the same for the same seed."""

from __future__ import annotations

import base64
import hashlib

ID_LENGTH = 25


def make_id(seed: str) -> str:
    """The id that belongs to a seed. Two seeds give two ids."""
    letters = base64.b32hexencode(hashlib.sha256(seed.encode()).digest()).decode().lower()
    return "cl" + letters[: ID_LENGTH - 2]
