"""Ids that look like Labelbox's: 25 characters, the same for the same seed."""

from __future__ import annotations

import hashlib

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 25


def make_id(seed: str) -> str:
    """The id that belongs to a seed. Two seeds give two ids."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big")
    characters = []
    for _ in range(ID_LENGTH - 2):
        number, digit = divmod(number, len(_DIGITS))
        characters.append(_DIGITS[digit])
    return "cl" + "".join(characters)
