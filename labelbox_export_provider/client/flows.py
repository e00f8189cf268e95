"""Requests to Labelbox as flows: generators without I/O, clock or randomness.

Run a flow with `LabelboxClient.run` or `await AsyncLabelboxClient.run`. Every flow that reads is retried as its policy
allows; the one that starts an export is not, except in the cases that its docstring names. `start_or_adopt` finds an
export again after a lost start.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from labelbox_export_provider.client import graphql, parsing
from labelbox_export_provider.client.asking import ask, describe_operation, elapsed_of, sleep_or_raise
from labelbox_export_provider.client.graphql import Document
from labelbox_export_provider.client.reply_bodies import read_body
from labelbox_export_provider.client.reply_errors import Delivery, Fatal, Ok, classify
from labelbox_export_provider.client.retry import DEFAULT_RETRY, Budget, RetryPolicy
from labelbox_export_provider.client.types import (
    Answer,
    ExportFile,
    ExportTaskState,
    Flow,
    KeyOwner,
    Send,
    Started,
    StartLost,
    StreamTotals,
    StreamType,
)
from labelbox_export_provider.domain.records.start_record import is_name
from labelbox_export_provider.errors import (
    AnotherUsersExportError,
    AuthorizationError,
    NotFoundError,
    ProtocolError,
    RefusedError,
    RunningExportLimitError,
)

EXPORT_TASK_TYPE = "export-data-rows"
TASKS_PER_PAGE = 100
MAX_PAGES = 100
NEWEST_PAGES = 10


def who_am_i(policy: RetryPolicy = DEFAULT_RETRY) -> Flow[KeyOwner]:
    """Read whose key it is; cheap and without side effects."""
    data = yield from ask(graphql.WHO_AM_I, {}, policy)
    return parsing.key_owner(data)


def start_once(
    document: Document,
    input: Mapping[str, Any],  # noqa: A002 - the wire's own word
    policy: RetryPolicy = DEFAULT_RETRY,
    *,
    wait_at_limit: bool = True,
) -> Flow[Started | StartLost]:
    """Start an export, at most once.

    The mutation is not idempotent, so it is sent again only when it certainly was not carried out: after a definite
    refusal (too many requests, too many running exports) or when nothing reached the server. When the answer is lost,
    `StartLost` is returned at once: look the export up by its `taskName` before starting anything else. Raises
    `RateLimitedError`, `RunningExportLimitError` or `UnreachableError` when the policy is used up; nothing
    was started then. `wait_at_limit=False` raises `RunningExportLimitError` at once, for callers that wait elsewhere.
    """
    budget = Budget(policy)
    operation = describe_operation(document, {"input": input})
    while True:
        reply = yield Send(document, {"input": input})
        outcome = classify(reply, operation)
        if isinstance(reply, Answer) and (body := read_body(reply.body)) and (export := parsing.started(body.data)):
            # An id proves the start, whatever errors the answer has.
            return export
        if isinstance(outcome, Ok):
            return StartLost(f"{operation}: the answer names no export")
        if outcome.delivery is Delivery.UNKNOWN:
            return StartLost(outcome.error.details or outcome.error.message)
        if isinstance(outcome, Fatal):
            raise outcome.error
        if not wait_at_limit and isinstance(outcome.error, RunningExportLimitError):
            error = outcome.error
            refusal = RunningExportLimitError(
                f"{error.message} No export was started.", details=error.details, retry_after=outcome.after
            )
            refusal.in_project = error.in_project
            raise refusal
        budget.spend(elapsed_of(reply))
        yield sleep_or_raise(budget, outcome, " No export was started.")


def created_tasks_named(
    user_id: str, name: str, policy: RetryPolicy = DEFAULT_RETRY
) -> Flow[tuple[ExportTaskState, ...]]:
    """Return the tasks of this name that the user created, oldest first.

    Asks Labelbox to filter by name and falls back to reading the whole list where that is refused; names are compared
    here in both cases, also where the server has shortened them. Does not find tasks that the index does not show yet.
    Raises `NotFoundError` when the user is hidden from this key, and `ProtocolError` when the list could not be
    read to its end.
    """
    try:
        found = yield from _list_tasks(graphql.CREATED_TASKS_BY_NAME, user_id, {"name": name}, policy)
    except RefusedError:
        found = yield from _list_tasks(graphql.CREATED_TASKS, user_id, {}, policy)
    return tuple(sorted((each for each in found if is_name(each.name, name)), key=task_age))


def task_state(
    export_id: str, user_id: str | None = None, policy: RetryPolicy = DEFAULT_RETRY
) -> Flow[ExportTaskState]:
    """Read an export's state, among the tasks of the user who started it (by default the key's owner).

    Raises `NotFoundError`, or `AnotherUsersExportError` when the key belongs to another user than the one given, whose
    tasks it may not see. A task that was started a moment ago can still be invisible.
    """
    owner = (yield from who_am_i(policy)) if user_id is None else None
    hidden: AuthorizationError | None = None
    try:
        found = yield from _find_task(export_id, user_id or (owner.user_id if owner else ""), policy)
    except AuthorizationError as error:
        found, hidden = None, error
    if found is not None:
        return found
    if owner is None:
        owner = yield from who_am_i(policy)
    if user_id is not None and owner.user_id != user_id:
        raise AnotherUsersExportError(
            "The export was started with the key of another Labelbox user, and this key cannot see it. Use a key of "
            f"user {user_id}, or start a new export with this key.",
            details=f"export {export_id} is of user {user_id}, the connection's key of {_described(owner)}",
        )
    if hidden is not None:
        raise hidden
    raise NotFoundError(
        f"Labelbox shows no export {export_id} to the user of this key. Check the id and whose key the connection "
        "holds; an old export may have been deleted: start a new one.",
        details=f"the key is of {_described(owner)}",
    )


def _described(owner: KeyOwner) -> str:
    return (
        f"user {owner.user_id} ({owner.email or 'no e-mail'}) in organization {owner.organization_name or '?'} "
        f"({owner.organization_id})"
    )


def was_created_by(export_id: str, user_id: str, policy: RetryPolicy = DEFAULT_RETRY) -> Flow[bool]:
    """Return whether an export is among the tasks that a user created, as far as this key may see them."""
    try:
        return (yield from _created_task(export_id, user_id, policy)) is not None
    except (NotFoundError, AuthorizationError):
        return False


def stream_totals(export_id: str, stream: StreamType, policy: RetryPolicy = DEFAULT_RETRY) -> Flow[StreamTotals | None]:
    """Read the size of one stream of a COMPLETE export; None when the stream is empty.

    An answer that comes too early may also look empty: `confirmed_totals` reads twice.
    """
    variables = {"where": {"id": export_id}, "streamType": stream.value}
    data = yield from ask(graphql.STREAM_HEADER, variables, policy)
    return parsing.stream_totals(data, export_id, stream)


def has_file(export_id: str, stream: StreamType, policy: RetryPolicy = DEFAULT_RETRY) -> Flow[bool]:
    """Return whether a stream has a first file, which settles whether a missing header means that it is empty."""
    try:
        data = yield from ask(graphql.FILE_FROM_OFFSET, _file_variables(export_id, stream, 0), policy)
    except NotFoundError:
        return False
    return parsing.has_file(data, export_id)


def file_at(export_id: str, stream: StreamType, offset: int, policy: RetryPolicy = DEFAULT_RETRY) -> Flow[ExportFile]:
    """Read which file holds byte `offset` of a stream, with a fresh signed URL.

    Raises `IntegrityError` when Labelbox has no file there or describes one that does not hold the offset.
    """
    data = yield from ask(graphql.FILE_FROM_OFFSET, _file_variables(export_id, stream, offset), policy)
    return parsing.export_file(data, export_id, stream, offset)


def cancel_export(
    export_id: str, task_type: str | None = EXPORT_TASK_TYPE, policy: RetryPolicy = DEFAULT_RETRY
) -> Flow[bool]:
    """Ask Labelbox to cancel an export; return whether it accepted.

    Best effort: whether exports can be canceled at all is up to Labelbox, so a refusal is False, not an error. Errors
    of the connection or the key are raised as usual.
    """
    try:
        types = parsing.cancelable_types((yield from ask(graphql.CANCELABLE_TASK_TYPES, {}, policy)))
    except (RefusedError, ProtocolError):
        types = None
    if types is not None and (task_type or EXPORT_TASK_TYPE) not in types:
        return False
    try:
        data = yield from ask(graphql.CANCEL_TASK, {"id": export_id}, policy)
    except (RefusedError, NotFoundError):
        return False
    return parsing.canceled(data)


def _file_variables(export_id: str, stream: StreamType, offset: int) -> dict[str, Any]:
    # The official client sends the offset as text, since a UInt64 does not fit every JSON number.
    return {"where": {"id": export_id}, "streamType": stream.value, "offset": str(offset)}


def _find_task(export_id: str, user_id: str, policy: RetryPolicy) -> Flow[ExportTaskState | None]:
    try:
        found = yield from _created_task(export_id, user_id, policy)
        if found is not None:
            return found
    except NotFoundError:
        pass  # the fallback decides
    try:
        data = yield from ask(graphql.TASK, {"where": {"id": export_id}}, policy)
        return parsing.task(data)
    except (NotFoundError, RefusedError):
        return None


def _created_task(export_id: str, user_id: str, policy: RetryPolicy) -> Flow[ExportTaskState | None]:
    data = yield from ask(graphql.CREATED_TASK_BY_ID, {"userId": user_id, "taskId": export_id}, policy)
    tasks = parsing.created_tasks(data, user_id)
    return next((each for each in tasks if each.export_id == export_id), None)


def _list_tasks(
    document: Document, user_id: str, where: Mapping[str, Any], policy: RetryPolicy
) -> Flow[list[ExportTaskState]]:
    seen: dict[str, ExportTaskState] = {}
    received = 0
    for page in range(1, MAX_PAGES + 1):
        variables = {"userId": user_id, **where, "skip": received, "first": TASKS_PER_PAGE}
        tasks = parsing.created_tasks((yield from ask(document, variables, policy)), user_id)
        received += len(tasks)
        known = len(seen)
        seen.update((each.export_id, each) for each in tasks)
        filtered = "name" in where and all(is_name(each.name, where["name"]) for each in tasks)
        if len(seen) == known or (filtered and len(tasks) < TASKS_PER_PAGE):
            return list(seen.values())
        if page >= NEWEST_PAGES and _newest_first(seen.values()):
            return list(seen.values())
    raise ProtocolError(
        f"User {user_id} has created more than {received} tasks and Labelbox does not list the newest first, so "
        "looking for an export by its name cannot be finished. Use a key of a user who starts exports only."
    )


def _newest_first(tasks: Iterable[ExportTaskState]) -> bool:
    moments = [each.created_at for each in tasks]
    return all(
        earlier is not None and later is not None and earlier >= later for earlier, later in itertools.pairwise(moments)
    )


def task_age(task: ExportTaskState) -> tuple[bool, datetime, str]:
    """Return the key that sorts tasks oldest first, those without a date last."""
    return task.created_at is None, task.created_at or datetime.max.replace(tzinfo=timezone.utc), task.export_id
