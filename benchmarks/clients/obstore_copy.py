"""A rival in Rust: obstore streams the files in order into one object. It is given the files' URLs.

Up to `AHEAD` downloads have begun before their turn, so that no first byte is waited for; up to as many parts are sent
at once. Nothing is counted, verified or recorded.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.clients.common import Notes

AHEAD = 8
PART_BYTES = 16 * 1024**2
PIECE_BYTES = 1024**2


def main() -> None:
    """Copy the files of a list."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--endpoint", "--bucket", "--key"):
        parser.add_argument(name, required=True)
    parser.add_argument("--urls", required=True, type=Path, help="a CSV file whose first column has them, in order")
    given = parser.parse_args()
    with given.urls.open(newline="") as file:
        urls = [row[0] for row in csv.reader(file)]
    notes = Notes()
    asyncio.run(_copy(urls, given))
    notes.write()
    # Now and then obstore's threads abort the interpreter while it ends (0.12.1).
    os._exit(0)


async def _copy(urls: Sequence[str], given: argparse.Namespace) -> None:
    import obstore
    from obstore.store import HTTPStore, S3Store

    plain: Any = {"allow_http": True}
    target = S3Store(given.bucket, endpoint=given.endpoint, virtual_hosted_style_request=False, client_options=plain)
    # One store, so that connections are reused; it keeps the query of its address, which is the signature of all files.
    first = urlsplit(urls[0])
    folder = first.path.rpartition("/")[0]
    source = HTTPStore.from_url(f"{first.scheme}://{first.netloc}{folder}?{first.query}", client_options=plain)

    async def pieces() -> AsyncIterator[Any]:
        ahead: deque[asyncio.Future[Any]] = deque()
        for url in urls:
            name = urlsplit(url).path.rpartition("/")[2]
            ahead.append(asyncio.ensure_future(obstore.get_async(source, name)))
            if len(ahead) == AHEAD:
                async for piece in (await ahead.popleft()).stream(min_chunk_size=PIECE_BYTES):
                    yield piece
        for each in ahead:
            async for piece in (await each).stream(min_chunk_size=PIECE_BYTES):
                yield piece

    await obstore.put_async(target, given.key, pieces(), chunk_size=PART_BYTES, max_concurrency=AHEAD)


if __name__ == "__main__":
    main()
