"""Labelbox's answers as plain values, and the two effects by which a flow asks for them.

A flow is a generator without I/O: it yields `Send` or `Sleep`, is given an `Answer` or a `TransportFailure` (None after
a sleep), and returns a value of this module. The same flow therefore runs in a worker and in the triggerer.
"""

from __future__ import annotations

import enum
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from labelbox_export_provider.client.graphql import Document


class StreamType(str, enum.Enum):
    """The two streams of an export task, by their wire names."""

    RESULT = "RESULT"
    ERRORS = "ERRORS"


class TaskStatus(str, enum.Enum):
    """Known states of an export task; any other text is treated as still running."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whose API key it is. `timezone` is the zone that Labelbox reads dates without offset in; None where not set."""

    user_id: str
    email: str | None
    timezone: str | None
    organization_id: str
    organization_name: str | None


@dataclass(frozen=True, slots=True)
class ExportTaskState:
    """The state of an export task. `status` is raw text, since unknown states must not break a wait."""

    export_id: str
    name: str | None
    status: str
    type: str | None
    completion_percentage: float | None
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class StreamTotals:
    """The size of one stream in bytes and in rows, as the server announces it."""

    size: int
    lines: int


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of a stream: bytes `start` to `end` and rows `line_start` to `line_end`, both ends included, 0-based.

    `url` is signed: whoever has it can read the rows. It is kept out of `repr` and must stay out of logs and errors.
    """

    start: int
    end: int
    line_start: int
    line_end: int
    url: str = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self.end - self.start + 1


@dataclass(frozen=True, slots=True)
class ListedSource:
    """A project or a dataset as Labelbox lists it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Started:
    """The mutation was answered: this export runs."""

    export_id: str


@dataclass(frozen=True, slots=True)
class StartLost:
    """The answer to the mutation was lost: an export may or may not run. `reason` is fit for a log."""

    reason: str


@dataclass(frozen=True, slots=True)
class Send:
    """Ask the driver to post one GraphQL operation."""

    document: Document
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sleep:
    """Ask the driver to wait. `reason` is logged when the wait is long enough to be noticed."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer of any status. Header names are lower case. `elapsed` is in seconds. `host` is for messages."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed: float
    host: str = "the endpoint"


class FailureKind(str, enum.Enum):
    """The kinds of failure of a request that got no answer."""

    TIMEOUT = "timeout"
    NOT_SENT = "not sent"  # refused, DNS, TLS, proxy: nothing reached the server
    UNTRUSTED = "untrusted"  # the certificate was not accepted: nothing was sent, and waiting does not change it
    BROKEN = "broken"  # the connection broke after the request may have been read


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """A request without an answer. `message` may name the host, never a key or URL query. `elapsed` is in seconds."""

    kind: FailureKind
    message: str
    elapsed: float


Effect: TypeAlias = Send | Sleep
Reply: TypeAlias = Answer | TransportFailure | None
T = TypeVar("T")
Flow: TypeAlias = Generator[Effect, Reply, T]
