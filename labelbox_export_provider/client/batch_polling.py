"""Reads the states of up to a hundred exports by one request."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from labelbox_export_provider.client import graphql, parsing
from labelbox_export_provider.client.asking import ask
from labelbox_export_provider.client.reply_bodies import read_body
from labelbox_export_provider.client.reply_errors import Ok, classify
from labelbox_export_provider.client.retry import ONCE
from labelbox_export_provider.client.types import Answer, ExportTaskState, Flow, Reply, Send
from labelbox_export_provider.errors import AuthenticationError, RateLimitedError

MAX_BATCH = 100
"""Maximum number of exports that one request asks for."""


def states_together(user_id: str, export_ids: Sequence[str]) -> Flow[Mapping[str, ExportTaskState]]:
    """Read the states of exports that one user started; an export about which the answer has no state is left out.

    An error whose `path` names one export is about that export alone: the others' states are used, or asked for once
    more where the error took them along. Tries once; raises `TemporaryError` when Labelbox is away or limits requests,
    and `RefusedError` when it refuses so many at once.
    """
    asked = list(export_ids)
    for _ in range(2):
        document = graphql.created_tasks_by_id(len(asked))
        reply = yield Send(document, graphql.task_variables(user_id, asked))
        outcome = classify(reply, document.name)
        named: frozenset[int] = frozenset()
        data: Mapping[str, Any] | None
        if isinstance(outcome, Ok):
            data = outcome.data
        else:
            named, data = _named_and_data(reply, len(asked))
            if not named or isinstance(outcome.error, AuthenticationError | RateLimitedError):
                raise outcome.error
        if data is not None and (not named or data.get("user") is not None):
            aliases = map(graphql.alias_of, range(len(asked)))
            found = parsing.created_tasks_by_id(data, user_id, aliases)
            wanted = set(asked)
            return {each.export_id: each for each in found if each.export_id in wanted}
        asked = [each for position, each in enumerate(asked) if position not in named]
        if not asked:
            break
    return {}


def newest_states(user_id: str) -> Flow[Mapping[str, ExportTaskState]]:
    """Read the states of the tasks that a user started last, for servers that refuse to be asked for many by id."""
    variables = {"userId": user_id, "skip": 0, "first": MAX_BATCH}
    data = yield from ask(graphql.CREATED_TASKS, variables, ONCE)
    return {each.export_id: each for each in parsing.created_tasks(data, user_id)}


def _named_and_data(reply: Reply, number: int) -> tuple[frozenset[int], Mapping[str, Any] | None]:
    """Return the positions of the exports that errors are about, and the data; no position for any other error."""
    body = read_body(reply.body) if isinstance(reply, Answer) else None
    if body is None:
        return frozenset(), None
    positions = {graphql.alias_of(position): position for position in range(number)}
    named = [[positions[each] for each in error.path if each in positions] for error in body.errors]
    return frozenset(itertools.chain(*named)) if all(named) else frozenset(), body.data
