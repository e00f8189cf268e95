"""Starts an export, or adopts the one that an earlier try of the same task already started (guarantee G1).

The mutation is not idempotent and its answer can be lost. So an intent is recorded before the call, the export gets a
name that only this start can have, and a try that finds an unfinished intent first looks for that name.

What cannot be excluded: an index of names that shows a new task later than the grace (the mutation's time limit and
half a minute). A second export may then be started; it only costs time, since a handle names one export and the other
is never read.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from datetime import datetime

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.graphql import START_BY_MUTATION
from labelbox_export_provider.client.retry import DEFAULT_RETRY, RetryPolicy
from labelbox_export_provider.client.start_request import AdoptionFlow, Save, StartedExport, StartRequest
from labelbox_export_provider.client.types import (
    Effect,
    ExportTaskState,
    Flow,
    Reply,
    Send,
    Sleep,
    Started,
    StartLost,
    TaskStatus,
)
from labelbox_export_provider.domain.records.start_record import StartRecord
from labelbox_export_provider.errors import (
    AnotherUsersExportError,
    AuthorizationError,
    LabelboxExportError,
    NotFoundError,
    StartUncertainError,
)

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0
"""Seconds between two look-ups of a name that is not visible yet."""
VISIBLE_WITHIN = 30.0
"""Seconds after the mutation's time limit within which a started export must be visible by name."""
MAX_STARTS = 2
"""Maximum number of mutations that one try sends, when answers are lost and nothing becomes visible."""

_DEAD = {TaskStatus.FAILED.value, TaskStatus.CANCELED.value, TaskStatus.CANCELLING.value}


def start_or_adopt(
    request: StartRequest, record: StartRecord | None, policy: RetryPolicy = DEFAULT_RETRY
) -> AdoptionFlow:
    """Return the one export of this start.

    Raises `AnotherUsersExportError` when the recorded export belongs to a user whose tasks this key cannot see,
    `StartUncertainError` when a lost start stays invisible, and what the start itself raises.
    """
    seen: set[str] = set()
    record = _usable(record, request)
    found = yield from _find(request, record, seen, policy)
    if found is not None:
        kept = record or _intent(request, found.created_at or request.now())
        kept = kept.model_copy(
            update={"export_id": found.export_id, "state": "open", "clear_count": request.clear_count}
        )
        yield Save(kept)
        log.info("Adopted export %s (%s), which an earlier try had started.", found.export_id, found.status)
        return StartedExport(found.export_id, adopted=True, record=kept)
    return (yield from _start(request, seen, policy))


def _usable(record: StartRecord | None, request: StartRequest) -> StartRecord | None:
    """Drop a record whose export is not the one of this start, and log why."""
    if record is None or record.state == "refused":
        return None
    if record.state == "consumed" and record.clear_count != request.clear_count:
        log.info("Export %s was consumed before this task was cleared: starting a new one.", record.export_id)
        return None
    if record.fingerprint != request.fingerprint:
        log.info("The recorded export %s has another request: starting a new one.", record.export_id or record.name)
        return None
    return record


def _find(
    request: StartRequest, record: StartRecord | None, seen: set[str], policy: RetryPolicy
) -> Generator[Effect | Save, Reply, ExportTaskState | None]:
    """Look for the export of an earlier try until it must be visible."""
    if record is None:
        tasks = yield from flows.created_tasks_named(request.user_id, request.name, policy)
        return _oldest_alive(tasks, seen)
    waited = 0.0
    visible_by = request.call_limit + VISIBLE_WITHIN - (request.now() - record.intent_at).total_seconds()
    if record.export_id is not None:
        # This export was started: one empty answer is not enough to start another.
        visible_by = max(visible_by, LOOK_EVERY)
    while True:
        tasks = yield from _recorded(record, request, policy)
        found = _oldest_alive(tasks, seen)
        # An unusable export is conclusive only if it is the recorded one: a later start may not be visible by name yet.
        if found is not None or record.export_id in {task.export_id for task in tasks}:
            return found
        if not tasks and record.user_id != request.user_id:
            raise AnotherUsersExportError(
                "An earlier try of this task began an export with the key of another Labelbox user, and this key "
                f"cannot see it. Nothing was started. Put back a key of user {record.user_id}, or clear the task "
                "state of this task to start a new export.",
                details=f"the export is of user {record.user_id}, the connection's key of user {request.user_id}",
            )
        if waited >= visible_by:
            log.info("No export %r that can be adopted is visible: starting one.", record.export_id or record.name)
            return None
        yield Sleep(LOOK_EVERY, f"an export named {record.name!r} may become visible")
        waited += LOOK_EVERY


def _recorded(record: StartRecord, request: StartRequest, policy: RetryPolicy) -> Flow[tuple[ExportTaskState, ...]]:
    if record.export_id is not None:
        try:
            return ((yield from flows.task_state(record.export_id, record.user_id, policy)),)
        except (NotFoundError, AnotherUsersExportError):
            pass  # it may still be found by name
    try:
        return (yield from flows.created_tasks_named(record.user_id, record.name, policy))
    except (NotFoundError, AuthorizationError):
        if record.user_id == request.user_id:
            raise
        return ()  # another user, whose tasks this key may not list


def _oldest_alive(tasks: tuple[ExportTaskState, ...], seen: set[str]) -> ExportTaskState | None:
    """Choose the export to adopt, and log once for each other one why not; `seen` collects them all."""
    for task in tasks:
        if task.status not in _DEAD:
            return task
        if task.export_id not in seen:
            log.warning("Export %s of an earlier try is %s: starting a new one.", task.export_id, task.status)
        seen.add(task.export_id)
    return None


def _intent(request: StartRequest, moment: datetime) -> StartRecord:
    return StartRecord(
        name=request.name,
        fingerprint=request.fingerprint,
        user_id=request.user_id,
        intent_at=moment,
        clear_count=request.clear_count,
    )


def _start(request: StartRequest, seen: set[str], policy: RetryPolicy) -> AdoptionFlow:
    document = START_BY_MUTATION[request.mutation]
    mutation_input = {**request.mutation_input, "taskName": request.name}
    reason = ""
    for _ in range(MAX_STARTS):
        start = flows.start_once(document, mutation_input, policy, wait_at_limit=request.wait_at_limit)
        outcome, record = yield from _start_recorded(request, start)
        if isinstance(outcome, Started):
            record = record.model_copy(update={"export_id": outcome.export_id})
            yield Save(record)
            return (yield from _settle_rivals(request, record, seen, policy))
        reason = outcome.reason
        log.warning("The answer to the start was lost (%s): looking for the export by its name.", reason)
        found = yield from _look_after_loss(request, seen, policy)
        if found is not None:
            record = record.model_copy(update={"export_id": found.export_id})
            yield Save(record)
            log.info("Found export %s: the start was carried out.", found.export_id)
            return StartedExport(found.export_id, adopted=False, record=record)
        log.warning("No export named %r became visible: the start was not carried out.", request.name)
    raise StartUncertainError(
        f"Labelbox did not answer {MAX_STARTS} starts in a row, and no export of this start is visible. It is looked "
        "for again before another one is started.",
        details=f"{reason}; looked for the name {request.name!r}",
    )


def _start_recorded(
    request: StartRequest, start: Flow[Started | StartLost]
) -> Generator[Effect | Save, Reply, tuple[Started | StartLost, StartRecord]]:
    """Save the intent before each time that the start is sent, and mark it as refused where that is certain.

    An intent without an answer is looked for until its export must be visible; a refused one left nothing.
    """
    record = _intent(request, request.now())
    reply: Reply = None
    while True:
        try:
            effect = start.send(reply)
        except StopIteration as stop:
            return stop.value, record
        except LabelboxExportError:
            yield Save(record.model_copy(update={"state": "refused"}))
            raise
        if isinstance(effect, Send):
            record = _intent(request, request.now())
            yield Save(record)
        else:  # the flow sleeps only between a refusal and the next request
            yield Save(record.model_copy(update={"state": "refused"}))
        reply = yield effect


def _look_after_loss(request: StartRequest, seen: set[str], policy: RetryPolicy) -> Flow[ExportTaskState | None]:
    waited = 0.0
    while True:
        found = yield from _new_by_name(request, seen, policy)
        if found:
            return found[0]
        if waited >= request.call_limit + VISIBLE_WITHIN:
            return None
        yield Sleep(LOOK_EVERY, f"an export named {request.name!r} may become visible")
        waited += LOOK_EVERY


def _new_by_name(request: StartRequest, seen: set[str], policy: RetryPolicy) -> Flow[tuple[ExportTaskState, ...]]:
    tasks = yield from flows.created_tasks_named(request.user_id, request.name, policy)
    return tuple(task for task in tasks if task.export_id not in seen and task.status not in _DEAD)


def _settle_rivals(request: StartRequest, record: StartRecord, seen: set[str], policy: RetryPolicy) -> AdoptionFlow:
    """Look the name up once more: of two tries that started at once the older export wins, the newer is canceled."""
    ours = record.export_id
    assert ours is not None  # noqa: S101  set by the caller one line above; states it for the type checker
    rivals = yield from _new_by_name(request, seen, policy)
    if rivals and ours not in {task.export_id for task in rivals}:
        rivals = yield from _with_ours(ours, rivals, request, policy)
    if not rivals or rivals[0].export_id == ours:
        return StartedExport(ours, adopted=False, record=record)
    winner = rivals[0]
    log.warning("Another try started export %s first: adopting it and canceling %s.", winner.export_id, ours)
    own_type = next((task.type for task in rivals if task.export_id == ours), None)
    try:
        canceled = yield from flows.cancel_export(ours, own_type, policy)
        log.info("Export %s was %s.", ours, "canceled" if canceled else "not cancelable and continues unread")
    except LabelboxExportError as error:
        log.warning("Export %s could not be canceled and continues unread: %s", ours, error)
    record = record.model_copy(update={"export_id": winner.export_id})
    yield Save(record)
    return StartedExport(winner.export_id, adopted=True, record=record)


def _with_ours(
    ours: str, rivals: tuple[ExportTaskState, ...], request: StartRequest, policy: RetryPolicy
) -> Flow[tuple[ExportTaskState, ...]]:
    """Insert our export, which the index of names does not show yet, by age; first where its age is unknown."""
    try:
        own = yield from flows.task_state(ours, request.user_id, policy)
    except (NotFoundError, AuthorizationError):
        return ()
    return tuple(sorted((*rivals, own), key=flows.task_age))
