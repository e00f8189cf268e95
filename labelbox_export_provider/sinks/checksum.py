"""CRC32C of a whole from the CRC32C of its parts, so that workers can compute it out of order.

Appending a part multiplies the first checksum, seen as a polynomial over GF(2), by x^(8 * length) and adds the second.
"""

from __future__ import annotations

import base64
from functools import lru_cache

_POLYNOMIAL = 0x82F63B78  # Castagnoli, bits reversed
_ONE = 0x80000000


def combine(first: int, second: int, second_length: int) -> int:
    """Return the CRC32C of two parts together, from theirs and the length of the second."""
    return _multiply(_power_of_x(8 * second_length), first) ^ second


def text(checksum: int) -> str:
    """Return a checksum as in manifests and metadata: eight hex digits."""
    return f"{checksum:08x}"


def base64_text(checksum: int) -> str:
    """Return a checksum as in Google Cloud Storage: base64 of its four bytes, the highest first."""
    return base64.b64encode(checksum.to_bytes(4, "big")).decode()


def from_storage_headers(values: list[str]) -> dict[str, bytes]:
    """Return what the `x-goog-hash` headers of a file host announce and can be read: `crc32c`, `md5`, or neither."""
    found: dict[str, bytes] = {}
    for item in ",".join(values).split(","):
        name, _, value = item.strip().partition("=")
        raw = from_base64(value, {"crc32c": 4, "md5": 16}.get(name.lower(), 0))
        if raw:
            found[name.lower()] = raw
    return found


def from_base64(value: str, size: int) -> bytes | None:
    """Return the bytes of a checksum of this size; None where the text is not one."""
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError:
        return None
    return raw if len(raw) == size else None


def _multiply(first: int, second: int) -> int:
    product = 0
    mask = _ONE
    while mask:
        if first & mask:
            product ^= second
        mask >>= 1
        second = (second >> 1) ^ _POLYNOMIAL if second & 1 else second >> 1
    return product


@lru_cache(maxsize=64)
def _squared(exponent: int) -> int:
    """Return x^(2^exponent)."""
    return _ONE >> 1 if exponent == 0 else _multiply(_squared(exponent - 1), _squared(exponent - 1))


@lru_cache(maxsize=256)
def _power_of_x(exponent: int) -> int:
    power = _ONE
    bit = 0
    while exponent >> bit:
        if exponent >> bit & 1:
            power = _multiply(power, _squared(bit))
        bit += 1
    return power
