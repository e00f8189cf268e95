"""Flows that keep what the flows of the provider leave out: error codes and the raw form of answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from labelbox_export_provider.client.graphql import Document
from labelbox_export_provider.client.reply_bodies import read_body
from labelbox_export_provider.client.reply_errors import Again, Ok, classify
from labelbox_export_provider.client.retry import Budget, RetryPolicy
from labelbox_export_provider.client.types import Answer, Flow, Reply, Send, Sleep
from labelbox_export_provider.errors import (
    AuthenticationError,
    ConnectionSettingsError,
    LabelboxExportError,
    NotFoundError,
)

T = TypeVar("T")
POLICY = RetryPolicy(attempts=4, total_seconds=60)
"""At most a minute, since a person is waiting."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer to one operation: its `data`, or the `error` that it stands for, with status and codes."""

    data: Mapping[str, Any]
    error: LabelboxExportError | None
    status: int
    codes: tuple[str, ...]

    @property
    def refusal(self) -> str:
        """The refusal's codes, or its HTTP status where it has none."""
        return ", ".join(self.codes) or f"HTTP {self.status}"

    @property
    def not_found(self) -> bool:
        """Whether Labelbox answered that the thing does not exist."""
        return isinstance(self.error, NotFoundError)


def ask(document: Document, variables: Mapping[str, Any], policy: RetryPolicy = POLICY) -> Flow[Asked]:
    """Send an operation that is safe to send again; a refusal is a value, since it may be the answer to the question.

    Raises the errors that end the whole check: a refused key, settings that cannot work, no answer at all.
    """
    budget = Budget(policy)
    while True:
        reply = yield Send(document, variables)
        outcome = classify(reply, document.name)
        if isinstance(outcome, Again):
            budget.spend(reply.elapsed if reply is not None else 0.0)
            seconds = budget.wait(outcome.after, outcome.most_tries)
            if seconds is not None:
                yield Sleep(seconds, str(outcome.error))
                continue
        if isinstance(outcome, Ok):
            return Asked(outcome.data, None, 200, ())
        if not isinstance(reply, Answer) or isinstance(outcome.error, (AuthenticationError, ConnectionSettingsError)):
            raise outcome.error
        return Asked({}, outcome.error, reply.status, codes_of(reply))


def codes_of(reply: Reply) -> tuple[str, ...]:
    """Return the error codes of an answer, each once."""
    body = read_body(reply.body) if isinstance(reply, Answer) else None
    return tuple(dict.fromkeys(error.code for error in body.errors if error.code)) if body else ()


def recorded(flow: Flow[T], replies: list[Reply]) -> Flow[T]:
    """Run a flow and record the replies that it received."""
    reply: Reply = None
    try:
        while True:
            effect = flow.send(reply)
            reply = yield effect
            replies.append(reply)
    except StopIteration as stop:
        value: T = stop.value
        return value
