"""Streams of an export task over a file host of the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise

from support.streaming.source import SETTINGS, Source, serve

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.export_task.stream import BufferedStream, StreamConnection, StreamSource
from labelbox_export_provider.streaming.download.file_host import FileHost

ROWS = [
    b'{"n": 0}',
    '{"text": "a \u2028 b \u0085 c"}'.encode(),
    '{"astral": "\U0001d49c\U00010348"}'.encode(),
    b'{"big": 123456789012345678901234567890, "float": 1264.0, "tiny": 1e-07}',
    b'{"escaped": "one\\ntwo"}\r',
    b'{"long": "' + b"x" * 300 + b'"}',
    b"{}",
    b'{"n": 7}',
]


CONTENT = b"\n".join(ROWS) + b"\n"


def stream_of(
    source: Source, *, totals: StreamTotals | None = None, ask: Callable[[int], ExportFile] | None = None
) -> BufferedStream:
    @contextmanager
    def connect() -> Iterator[StreamConnection]:
        with closing(FileHost(SETTINGS, user_agent="tests")) as host, CancelToken().part() as token:
            yield StreamConnection(ask or source.ask, host, lambda seconds: None, token)

    return BufferedStream(StreamSource("export e1, RESULT stream", totals or source.totals, connect))


@contextmanager
def streaming(content: bytes = CONTENT, cuts: tuple[int, ...] = (), **served: object) -> Iterator[BufferedStream]:
    with serve(content, cuts, **served) as source:  # type: ignore[arg-type]  # a test's own keywords
        yield stream_of(source)


def files_that_start_rows(content: bytes, cuts: tuple[int, ...]) -> list[tuple[int, int]]:
    """Row numbers of files when a row counts in the file where it starts, and not in those into which it continues."""
    starts = [0, *(place + 1 for place, byte in enumerate(content[:-1]) if byte == 0x0A)]
    ranges = []
    for begin, end in pairwise([0, *cuts, len(content)]):
        here = [number for number, start in enumerate(starts) if begin <= start < end]
        ranges.append((here[0], here[-1]))
    return ranges
