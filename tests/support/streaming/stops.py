"""Landings that are stopped at a moment, in one of many ways, while their hosts misbehave."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from support.streaming.exports import NOW, VERSIONS
from support.streaming.landing import KilledAt

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.object_names import layout_names
from labelbox_export_provider.errors import IntegrityError, StorageUnavailableError
from labelbox_export_provider.sinks.base import NewObject, ObjectWriter, Part, Sink
from labelbox_export_provider.streaming.landing.land import LandedExport, LandingOptions, land_export
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import (
    BrokenFile,
    DrippingFile,
    ErrorStatus,
    Fault,
    LongerFile,
    LostAnswer,
    SlowAnswer,
    SlowFile,
)

NEXT_FILE = "exportFileFromOffset"

HOSTS: dict[str, Fault] = {
    "drips": DrippingFile(after_bytes=3000, seconds_per_byte=0.5, times=None, after=1),
    "stalls": DrippingFile(after_bytes=3000, seconds_per_byte=3600, times=None, after=1),
    "is silent": SlowFile(seconds=3600, times=None, after=1),
    "resets": BrokenFile(after_bytes=50, times=None, after=1),
    "API is slow": SlowAnswer(operation=NEXT_FILE, seconds=15, times=None, after=2),
    "API is slow at once": SlowAnswer(seconds=15, times=None),
    "API is down": ErrorStatus(operation=NEXT_FILE, status=503, times=None, after=2),
    "API loses answers": LostAnswer(operation=NEXT_FILE, times=None, after=2),
}
OUTSIDE = ("token", "on_kill", "alarm", "Ctrl-C")
"""Ways that end a landing at a moment of their own."""
INSIDE = ("longer file", "upload")
"""Ways in which the landing itself fails, in one of its threads."""


class StoppedByTestError(BaseException):
    """What the task's thread raises in a signal handler, as Airflow does for `execution_timeout`."""


@dataclass(frozen=True)
class StopCase:
    """One stopped landing: `moment` is in seconds after its start, `sound` requests come before the host's fault."""

    host: str
    way: str
    moment: float
    compression: Any
    workers: int
    objects: int | None
    sound: int

    @classmethod
    def of(cls, seed: int) -> StopCase:
        chance = random.Random(seed)
        hosts, ways = list(HOSTS), [*OUTSIDE, *INSIDE]
        way = ways[seed % len(ways)]
        host = chance.choice(hosts)
        # Some are to have uploads open by then; one that is to fail by itself needs enough of the first object.
        sound = 30 if way in INSIDE else chance.choice([0, 8])
        workers = 1 if way in INSIDE else chance.choice([1, 3])
        objects = 65536 if way in INSIDE else chance.choice([None, 65536])
        compression = chance.choice(["gzip", None, "zstd"])
        return cls(host, way, chance.uniform(0.02, 0.6), compression, workers, objects, sound)

    @property
    def expected(self) -> type[BaseException]:
        inside = {"longer file": IntegrityError, "upload": StorageUnavailableError, "Ctrl-C": KeyboardInterrupt}
        return inside.get(self.way, StoppedByTestError)

    def faults(self) -> list[Fault]:
        wrong = [LongerFile(file_index=0)] if self.way == "longer file" else []
        fault = HOSTS[self.host]
        return [*wrong, replace(fault, after=fault.after + self.sound)]

    def land(self, client: LabelboxClient, handle: ExportHandle, sink: Sink, token: CancelToken) -> LandedExport:
        return land_export(
            client=client,
            handle=handle,
            names=layout_names(handle, "lake", self.compression),
            sink=sink,
            versions=VERSIONS,
            options=LandingOptions(
                compression=self.compression, workers=self.workers, max_object_bytes=self.objects or 2**29
            ),
            now=lambda: NOW,
            token=token,
        )


class BusyStore(KilledAt):
    """A store that takes objects but no part."""

    def begin(self, new: NewObject) -> ObjectWriter:
        writer = self._sink.begin(new)

        def put_part(part: Part) -> None:
            raise StorageUnavailableError("the store is busy")

        writer.put_part = put_part  # type: ignore[method-assign]
        return writer


@contextmanager
def stopping(case: StopCase, token: CancelToken) -> Iterator[Callable[[], float]]:
    """Stop what runs inside at the case's moment; yield what returns the seconds since then."""
    begun: list[float] = [time.monotonic() + (case.moment if case.way in OUTSIDE else 0)]

    def raise_it(*_: object) -> None:
        raise StoppedByTestError

    def on_kill(*_: object) -> None:
        token.cancel(StoppedByTestError())

    handled = {"on_kill": (signal.SIGTERM, on_kill), "alarm": (signal.SIGALRM, raise_it)}
    number, handler = handled.get(case.way, (signal.SIGINT, signal.default_int_handler))
    before = signal.signal(number, handler)

    def send() -> None:
        begun[0] = time.monotonic()
        # Python ignores what a handler raises while it runs a finalizer: then the user presses again.
        again.start()
        if case.way == "token":
            on_kill()
        else:
            os.kill(os.getpid(), number)

    timer = threading.Timer(case.moment, send)
    again = threading.Timer(2, lambda: os.kill(os.getpid(), number))
    try:
        if case.way in OUTSIDE:
            timer.start()
        yield lambda: time.monotonic() - begun[0]
    finally:
        timer.cancel()
        again.cancel()
        signal.signal(number, before)


def threads_left() -> list[str]:
    """Return the threads of landings that run, each with where it is."""
    frames = sys._current_frames()
    running = [thread for thread in threading.enumerate() if thread.name.startswith("labelbox-")]
    return [f"{each.name}: {traceback.format_stack(frames[each.ident])}" for each in running if each.ident in frames]


def sockets_to(fake: FakeLabelbox) -> int:
    """How many connections of this process to the servers of a fake are open."""
    ports = {int(url.rpartition(":")[2]) for url in (fake.base_url, fake.file_base_url)}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return sum(int(row[2].partition(":")[2], 16) in ports and row[3] in {"01", "08"} for row in rows)


def until_none(count: Callable[[], Any], seconds: float) -> Any:
    """Return what is left after that time, as soon as nothing is."""
    deadline = time.monotonic() + seconds
    while (left := count()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left
