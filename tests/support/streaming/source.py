"""A stream of an export, cut into files as a test likes, served over real HTTP by URLs that look signed."""

from __future__ import annotations

import base64
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import google_crc32c
from support.streaming.http import Reply, Request, http_server

from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.errors import IntegrityError

SIGNATURE = "X-Goog-Signature=5ec2e7"
SETTINGS = ConnectionSettings(api_key="test-key-that-goes-nowhere", timeout=5.0)

Twist = Callable[[int, Request, Reply], Reply]
"""Changes an answer: gets the number of the file, the request, and what would be right."""


@dataclass
class Source:
    """One served stream. `asked` holds the offsets asked for, `requests` the file requests with their numbers."""

    address: str
    content: bytes
    borders: list[int]
    lines: int
    size: int
    line_ranges: list[tuple[int, int]]
    asked: list[int] = field(default_factory=list)
    requests: list[tuple[int, Request]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def totals(self) -> StreamTotals:
        return StreamTotals(self.size, self.lines)

    def ask(self, offset: int) -> ExportFile:
        """What `exportFileFromOffset` answers; each URL is a new one."""
        if offset >= len(self.content):
            raise IntegrityError(f"no file at {offset}")
        with self.lock:
            self.asked.append(offset)
            number = next(number for number, end in enumerate(self.borders[1:]) if offset < end)
            url = f"{self.address}/secret-path/{number}?{SIGNATURE}{len(self.asked)}"
            self.urls.append(url)
        start, end = self.borders[number], self.borders[number + 1]
        return ExportFile(start, end - 1, *self.line_ranges[number], url)


def whole(source: Source, number: int, request: Request) -> Reply:
    """What a sound file host answers."""
    content = source.content[source.borders[number] : source.borders[number + 1]]
    digest = base64.b64encode(struct.pack(">I", google_crc32c.value(content))).decode()
    headers = {"x-goog-hash": f"crc32c={digest},md5=unused"}
    asked = request.headers.get("range")
    if asked is None:
        return Reply(200, content, headers)
    first, last = (int(part) for part in asked.removeprefix("bytes=").split("-"))
    last = min(last, len(content) - 1)
    return Reply(206, content[first : last + 1], {**headers, "Content-Range": f"bytes {first}-{last}/{len(content)}"})


@contextmanager
def serve(
    content: bytes,
    cuts: Sequence[int] = (),
    *,
    lines: int | None = None,
    size: int | None = None,
    line_ranges: Sequence[tuple[int, int]] | None = None,
    twist: Twist | None = None,
) -> Iterator[Source]:
    """Serve `content` cut at `cuts`. Row numbers are those of the rows that have bytes in a file."""
    borders = sorted({0, len(content), *(cut for cut in cuts if 0 < cut < len(content))})
    ranges = list(line_ranges or [])
    if not ranges:
        for start, end in pairwise(borders):
            first = content.count(b"\n", 0, start)
            last = content.count(b"\n", 0, end - 1)
            ranges.append((first, last))
    rows = content.count(b"\n") + (not content.endswith(b"\n")) if lines is None else lines
    source = Source("", content, borders, rows, len(content) if size is None else size, ranges)

    def respond(request: Request) -> Reply:
        number = int(request.path.rpartition("/")[2])
        with source.lock:
            source.requests.append((number, request))
        reply = whole(source, number, request)
        return twist(number, request, reply) if twist is not None else reply

    with http_server(respond) as address:
        source.address = address
        yield source


def faults(*wanted: tuple[int, Callable[[Reply], Reply]]) -> Twist:
    """Spoil the first request for each numbered file, in the order given."""
    left = list(wanted)
    lock = threading.Lock()

    def twist(number: int, request: Request, reply: Reply) -> Reply:
        with lock:
            for place, (fault_number, change) in enumerate(left):
                if fault_number == number:
                    del left[place]
                    return change(reply)
        return reply

    return twist
