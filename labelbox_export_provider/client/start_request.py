"""The request of a start, its result, and the effect by which the flow stores its record."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from labelbox_export_provider.client.types import Effect, Flow, Reply
from labelbox_export_provider.domain.records.start_record import StartRecord


@dataclass(frozen=True, slots=True)
class StartRequest:
    """The export to start, its user and its name. `now` is the clock that dates intents.

    `wait_at_limit=False`: while too many exports run, the caller waits, not the flow.
    """

    mutation: str
    mutation_input: Mapping[str, Any]
    name: str
    fingerprint: str
    clear_count: str
    user_id: str
    call_limit: float
    now: Callable[[], datetime]
    wait_at_limit: bool = True


@dataclass(frozen=True, slots=True)
class StartedExport:
    """The export of this start. `adopted`: another try had started it, not merely an answer was lost."""

    export_id: str
    adopted: bool
    record: StartRecord


@dataclass(frozen=True, slots=True)
class Save:
    """Ask for the record to be stored before the flow continues."""

    record: StartRecord


AdoptionFlow: TypeAlias = Generator[Effect | Save, Reply, "StartedExport"]
T = TypeVar("T")


def saving(flow: Generator[Effect | Save, Reply, T], save: Callable[[StartRecord], None]) -> Flow[T]:
    """Perform the `Save` effects of a flow, and leave the others to a driver."""
    reply: Reply = None
    while True:
        try:
            effect = flow.send(reply)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # a generator's return value is untyped in StopIteration
        if isinstance(effect, Save):
            save(effect.record)
            reply = None
        else:
            reply = yield effect
