"""The store under test and the promises that not every store keeps."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, TypeVar

import pytest

from labelbox_export_provider.sinks.base import (
    Sink,
)

TEXT = "text/plain"


@dataclass(frozen=True)
class Store:
    """A store that is empty at first, and ways to inspect it from outside.

    `visible` returns all objects that a reader sees; `litter` names what unfinished writes have left, as far as the
    store shows it; `again` returns another sink for the same store, as the next try of a task has it.
    """

    sink: Sink
    visible: Callable[[], Mapping[str, bytes]]
    litter: Callable[[], Sequence[str]]
    again: Callable[[], Sink]
    unwritable: Callable[[], Sink] | None = None
    """Returns a sink for a store that does not exist, or that this identity may not write to."""
    set_upload_rules: Callable[[Mapping[str, int]], None] | None = None
    """Gives the store rules that remove unfinished uploads below a prefix after so many days."""


class Promise(Enum):
    """Promises that not every store can keep."""

    CREATE_ONLY = "creation is refused where an object is"
    CREATION_HAS_NO_RACE = "of two that create an object at the same time, one wins and the other is refused"
    LEFTOVERS_ARE_FOUND = "what a killed writer left is found and removed"
    ZOMBIES_ARE_FENCED = "a writer whose upload was removed can publish nothing"
    PARTS_CAN_BE_REPEATED = "a part that is put again replaces itself"
    PARTS_CAN_BE_REPLACED = "a part that is put again with other bytes takes the place of the first"
    UPLOADS_CAN_BE_RESUMED = "what a process has stored can be completed by another"
    METADATA_IS_KEPT = "the metadata of an object is kept with it"
    ANY_KEY = "keys may hold any character"


Test = TypeVar("Test", bound=Callable[..., None])


def promised(promise: Promise) -> Callable[[Test], Test]:
    """Mark a test of a promise that a store may lack."""

    def mark(test: Test) -> Test:
        @functools.wraps(test)
        def checked(self: Promises, *arguments: Any, **named: Any) -> None:
            reason = self.lacks.get(promise)
            if reason is None:
                return test(self, *arguments, **named)
            try:
                test(self, *arguments, **named)
            except (Exception, pytest.fail.Exception):  # noqa: BLE001  however it is broken
                pytest.xfail(f"{promise.value}: {reason}")
            pytest.fail(f"the store keeps this promise, so it must not be in `lacks`: {promise.value}")

        return checked  # type: ignore[return-value]  # the wrapper takes what the test takes

    return mark


class Promises:
    """Base of the groups of tests: the store under test, and what it cannot promise."""

    lacks: ClassVar[Mapping[Promise, str]] = {}
    """The promises that the store cannot keep, each with the reason."""

    @pytest.fixture
    def store(self) -> Store:
        """Return an empty store."""
        raise NotImplementedError("a subclass provides the store")
