"""The ETags of an object's parts, in little memory: a landing keeps them to its end, 655,360 of them of 10 TiB."""

from __future__ import annotations

import re

_MD5 = re.compile(r'"([0-9a-f]{32})"')
_SIZE = 16


class ETags:
    """ETags by the number of their part; 16 bytes each where they are MD5 sums, as most are."""

    __slots__ = ("_md5", "_others")

    def __init__(self) -> None:
        self._md5 = bytearray()
        self._others: dict[int, str] = {}

    def add(self, number: int, etag: str) -> None:
        """Note the ETag of a part; the same number again replaces it."""
        end = _SIZE * number
        self._others.pop(number, None)
        self._md5.extend(bytes(max(0, end - len(self._md5))))
        if (found := _MD5.fullmatch(etag)) is not None:
            self._md5[end - _SIZE : end] = bytes.fromhex(found[1])
        else:
            self._others[number] = etag

    def by_number(self) -> dict[int, str]:
        """Return all of them; of a part that was never noted, one that no store gives."""
        starts = range(0, len(self._md5), _SIZE)
        known = {start // _SIZE + 1: f'"{self._md5[start : start + _SIZE].hex()}"' for start in starts}
        return known | self._others
