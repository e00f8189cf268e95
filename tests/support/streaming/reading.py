"""A reader of a stream that a file host of the tests serves."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from support.streaming.source import SETTINGS, Source, Twist, serve

from labelbox_export_provider.client.retry import RetryPolicy
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.download.file_index import FileIndex
from labelbox_export_provider.streaming.download.stream_reader import StreamReader

CONTENT = random.Random(1).randbytes(700_000)


CUTS = (100_000, 100_001, 430_000)


@contextmanager
def reading(
    content: bytes = CONTENT,
    cuts: tuple[int, ...] = CUTS,
    *,
    twist: Twist | None = None,
    settings: ConnectionSettings = SETTINGS,
    change: Callable[[ExportFile], ExportFile] = lambda file: file,
    ahead: bool = False,
) -> Iterator[tuple[StreamReader, Source, list[float]]]:
    waits: list[float] = []
    with serve(content, cuts, twist=twist) as source:
        index = FileIndex(lambda offset: change(source.ask(offset)), source.totals, label="export e1", ahead_files=0)
        host = FileHost(settings, user_agent="tests")
        try:
            yield (
                StreamReader(
                    index,
                    host,
                    size=len(content),
                    label="export e1",
                    sleep=waits.append,
                    policy=RetryPolicy(jitter=lambda: 1.0),
                    ahead=ahead,
                ),
                source,
                waits,
            )
        finally:
            index.close()
            host.close()


def read_all(reader: StreamReader, start: int = 0, size: int = len(CONTENT)) -> bytes:
    return b"".join(piece.data for piece in reader.pieces(start, size))
