"""Sends one operation until it is answered or its retry policy is used up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelbox_export_provider.client.graphql import Document
from labelbox_export_provider.client.reply_errors import Again, Fatal, Ok, classify
from labelbox_export_provider.client.retry import Budget, RetryPolicy
from labelbox_export_provider.client.types import Flow, Reply, Send, Sleep
from labelbox_export_provider.errors import RateLimitedError


def ask(document: Document, variables: Mapping[str, Any], policy: RetryPolicy) -> Flow[Mapping[str, Any]]:
    """Send one operation that is safe to repeat, until it is answered or the policy is used up."""
    budget = Budget(policy)
    operation = describe_operation(document, variables)
    while True:
        reply = yield Send(document, variables)
        outcome = classify(reply, operation)
        if isinstance(outcome, Ok):
            return outcome.data
        if isinstance(outcome, Fatal):
            raise outcome.error
        budget.spend(elapsed_of(reply))
        yield sleep_or_raise(budget, outcome)


def sleep_or_raise(budget: Budget, outcome: Again, so_far: str = "") -> Sleep:
    """Return the wait before the next try; raises the error when the policy is used up."""
    limited = isinstance(outcome.error, RateLimitedError)
    seconds = budget.wait(outcome.after, outcome.most_tries, limited=limited)
    if seconds is not None:
        return Sleep(seconds, str(outcome.error))
    times = "1 try" if budget.tries == 1 else f"{budget.tries} tries"
    raise type(outcome.error)(
        f"{outcome.error.message} Gave up after {times} in {budget.seconds:.0f} s; trying again later may help."
        f"{so_far}",
        details=outcome.error.details,
        retry_after=outcome.after,
    )


def elapsed_of(reply: Reply) -> float:
    """Return the seconds that a reply took."""
    return reply.elapsed if reply is not None else 0.0


def describe_operation(document: Document, variables: Mapping[str, Any]) -> str:
    """Return an operation's name with its ids, since Labelbox's own messages often omit them."""
    ids: dict[str, Any] = {**variables}
    for member in ("where", "input"):
        inner = ids.pop(member, None)
        ids.update(inner.get("filters") or inner if isinstance(inner, Mapping) else {})
    shown = ", ".join(f"{key} {ids[key]}" for key in ids if key.lower().endswith("id") and isinstance(ids[key], str))
    return f"{document.name} ({shown})" if shown else document.name
