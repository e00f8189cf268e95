"""The request of a start, its result, and the effects by which the flow keeps its record."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from labelbox_export_provider.client.types import Effect, Flow
from labelbox_export_provider.domain.records.start_record import StartRecord
from labelbox_export_provider.domain.request.query import condensed_query


@dataclass(frozen=True, slots=True)
class StartRequest:
    """The export to start, its user and its name. `now` is the clock that dates intents.

    `try_id` tells the records of two tries apart. `has_store`: records outlive the try, so that without one nothing was
    started. `not_believed` are exports whose results are gone, which are not adopted. `wait_at_limit=False`: while too
    many exports run, the caller waits, not the flow.
    """

    mutation: str
    mutation_input: Mapping[str, Any]
    name: str
    fingerprint: str
    clear_count: str
    user_id: str
    organization_id: str
    call_limit: float
    now: Callable[[], datetime]
    try_id: str
    has_store: bool = False
    not_believed: frozenset[str] = frozenset()
    wait_at_limit: bool = True

    def asked(self) -> dict[str, Any]:
        """Return what is asked for, as the record keeps it."""
        return {"mutation": self.mutation, **condensed_query(self.mutation_input)}

    def intent(self, moment: datetime) -> StartRecord:
        """Return the record of the intent to start, at a moment."""
        return StartRecord(
            name=self.name,
            fingerprint=self.fingerprint,
            user_id=self.user_id,
            organization_id=self.organization_id,
            intent_at=moment,
            clear_count=self.clear_count,
            try_id=self.try_id,
            asked=self.asked(),
        )


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


@dataclass(frozen=True, slots=True)
class Load:
    """Ask for the record that is stored by now, which another try may have written; None where there is none."""


T = TypeVar("T")
StartFlow: TypeAlias = Generator[Effect | Save | Load, Any, T]
"""A flow that keeps a record too: the reply to an `Effect` is a `Reply`, to a `Load` a record or None."""


def saving(
    flow: StartFlow[T], save: Callable[[StartRecord], None], load: Callable[[], StartRecord | None] = lambda: None
) -> Flow[T]:
    """Perform the `Save` and `Load` effects of a flow, and leave the others to a driver."""
    reply: Any = None
    while True:
        try:
            effect = flow.send(reply)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # a generator's return value is untyped in StopIteration
        if isinstance(effect, Save):
            save(effect.record)
            reply = None
        elif isinstance(effect, Load):
            reply = load()
        else:
            reply = yield effect
