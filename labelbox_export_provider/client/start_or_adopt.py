"""Starts an export, or adopts the one that an earlier try of the same task already started (guarantee G1).

The mutation is not idempotent and its answer can be lost. So an intent is recorded before the call, the export gets a
name that only this start can have, and a try that finds an unfinished intent first looks for that name.

What cannot be excluded: an index of names that shows a new task later than the grace (the mutation's time limit and
half a minute), and two tries that both write their intents and read them back within one call of the store. A second
export may then be started; it only costs time, since a handle names one export and the other is never read.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.graphql import START_BY_MUTATION
from labelbox_export_provider.client.polling import BELIEVED_AFTER
from labelbox_export_provider.client.recorded_start import another_owner, recorded_exports, usable_record
from labelbox_export_provider.client.retry import DEFAULT_RETRY, RetryPolicy
from labelbox_export_provider.client.start_request import (
    Load,
    Save,
    StartedExport,
    StartFlow,
    StartRequest,
)
from labelbox_export_provider.client.types import (
    ExportTaskState,
    Flow,
    Send,
    Sleep,
    Started,
    StartLost,
    TaskStatus,
)
from labelbox_export_provider.domain.records.start_record import StartRecord
from labelbox_export_provider.errors import (
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
) -> StartFlow[StartedExport]:
    """Return the one export of this start; `record` is what an earlier try recorded.

    Raises `AnotherUsersExportError` when the recorded export belongs to an organization or user whose tasks this key
    cannot see, `StartUncertainError` when a lost start stays invisible, and what the start itself raises.
    """
    while True:
        seen = set(request.not_believed)
        usable = yield from usable_record(record, request, policy)
        found = yield from _find(request, usable, seen, policy)
        if found is not None:
            return (yield from _adopt(found, usable, request))
        outcome = yield from _start(request, record, seen, policy)
        if isinstance(outcome, StartedExport):
            return outcome
        log.info("Another try of this task starts the export at this moment: looking for it.")
        record = outcome


def _adopt(found: ExportTaskState, record: StartRecord | None, request: StartRequest) -> StartFlow[StartedExport]:
    kept = record or request.intent(found.created_at or request.now())
    kept = kept.model_copy(
        update={
            "export_id": found.export_id,
            "state": "open",
            "clear_count": request.clear_count,
            "try_id": request.try_id,
        }
    )
    yield Save(kept)
    log.info(
        "Adopted export %s (%s), named %r, which an earlier try had started.", found.export_id, found.status, found.name
    )
    return StartedExport(found.export_id, adopted=True, record=kept)


def _find(
    request: StartRequest, record: StartRecord | None, seen: set[str], policy: RetryPolicy
) -> Flow[ExportTaskState | None]:
    """Look for the export of an earlier try until it must be visible."""
    if record is None:
        return (yield from _unrecorded(request, seen, policy))
    waited = 0.0
    visible_by = request.call_limit + VISIBLE_WITHIN - (request.now() - record.intent_at).total_seconds()
    if record.export_id is not None:
        # This export was started: it takes empty answers for as long as a wait does to start another.
        visible_by = max(visible_by, BELIEVED_AFTER)
    while True:
        tasks = yield from recorded_exports(record, request, policy)
        found = _oldest_alive(tasks, seen)
        # An unusable export is conclusive only if it is the recorded one: a later start may not be visible by name yet.
        if found is not None or record.export_id in {task.export_id for task in tasks}:
            return found
        if not tasks and record.user_id != request.user_id:
            raise another_owner(record, request)
        if waited >= visible_by:
            log.info("No export %r that can be adopted is visible: starting one.", record.export_id or record.name)
            return None
        yield Sleep(LOOK_EVERY, f"an export named {record.name!r} may become visible")
        waited += LOOK_EVERY


def _unrecorded(request: StartRequest, seen: set[str], policy: RetryPolicy) -> Flow[ExportTaskState | None]:
    """Look for an export of this name where no record says that there is one.

    Without a store the name alone tells. With one a record precedes each start, so what has the name is of a run that
    was deleted and came again with the same ids, or of another Airflow: not of this start.
    """
    tasks = yield from flows.created_tasks_named(request.user_id, request.name, policy)
    if not request.has_store:
        return _oldest_alive(tasks, seen)
    for task in tasks:
        if task.export_id not in seen:
            log.info("Export %s has this name, but this task did not start it: not adopted.", task.export_id)
        seen.add(task.export_id)
    return None


def _oldest_alive(tasks: tuple[ExportTaskState, ...], seen: set[str]) -> ExportTaskState | None:
    """Choose the export to adopt, and log once for each other one why not; `seen` collects them all."""
    for task in tasks:
        if task.status not in _DEAD and task.export_id not in seen:
            return task
        if task.export_id not in seen:
            log.warning("Export %s of an earlier try is %s: starting a new one.", task.export_id, task.status)
        seen.add(task.export_id)
    return None


def _start(
    request: StartRequest, known: StartRecord | None, seen: set[str], policy: RetryPolicy
) -> StartFlow[StartedExport | StartRecord]:
    """Start the export; return the record of another try instead where one has begun to start it meanwhile."""
    document = START_BY_MUTATION[request.mutation]
    mutation_input = {**request.mutation_input, "taskName": request.name}
    reason = ""
    for _ in range(MAX_STARTS):
        start = flows.start_once(document, mutation_input, policy, wait_at_limit=request.wait_at_limit)
        outcome, record = yield from _start_recorded(request, start, known)
        if isinstance(outcome, StartRecord):
            return outcome
        if isinstance(outcome, Started):
            record = record.model_copy(update={"export_id": outcome.export_id})
            yield Save(record)
            log.info("Started export %s, named %r.", outcome.export_id, request.name)
            return (yield from _settle_rivals(request, record, seen, policy))
        known, reason = record, outcome.reason
        log.warning("The answer to the start was lost (%s): looking for the export by its name.", reason)
        found = yield from _look_after_loss(request, seen, policy)
        if found is not None:
            record = record.model_copy(update={"export_id": found.export_id})
            yield Save(record)
            log.info("Found export %s, named %r: the start was carried out.", found.export_id, request.name)
            return StartedExport(found.export_id, adopted=False, record=record)
        log.warning("No export named %r became visible: the start was not carried out.", request.name)
    raise StartUncertainError(
        f"Labelbox did not answer {MAX_STARTS} starts in a row, and no export of this start is visible. It is looked "
        "for again before another one is started.",
        details=f"{reason}; looked for the name {request.name!r}",
    )


def _start_recorded(
    request: StartRequest, start: Flow[Started | StartLost], known: StartRecord | None
) -> StartFlow[tuple[Started | StartLost | StartRecord, StartRecord]]:
    """Save the intent before each time that the start is sent, and mark it as refused where that is certain.

    An intent without an answer is looked for until its export must be visible; a refused one left nothing, and gives
    way to an earlier one whose answer was lost. Where another try has written its intent since `known` was read,
    nothing is sent and that record is returned.
    """
    lost = known if known is not None and _may_show_yet(known, request) else None
    record = request.intent(request.now())
    reply: Any = None
    while True:
        try:
            effect = start.send(reply)
        except StopIteration as stop:
            return stop.value, record
        except LabelboxExportError:
            yield Save(lost or record.model_copy(update={"state": "refused"}))
            raise
        if isinstance(effect, Send):
            record = request.intent(request.now())
            other = yield from _claim(record, known)
            if other is not None:
                start.close()
                return other, record
        else:  # the flow sleeps only between a refusal and the next request
            known = lost or record.model_copy(update={"state": "refused"})
            yield Save(known)
        reply = yield effect


def _may_show_yet(record: StartRecord, request: StartRequest) -> bool:
    return record.state == "open" and record.export_id is None and record.name == request.name


def _claim(record: StartRecord, known: StartRecord | None) -> Generator[Load | Save, Any, StartRecord | None]:
    """Save the intent and read it back; return the record of another try that wrote its own since `known` was read.

    Of two tries at one moment the one that wrote last reads its own record and starts; the other looks for that export.
    """
    stored = yield Load()
    if stored is not None and (known is None or stored.to_json() != known.to_json()):
        return stored  # type: ignore[no-any-return]  # the reply to Load is a record or None
    yield Save(record)
    stored = yield Load()
    return None if stored is None or stored.try_id == record.try_id else stored


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


def _settle_rivals(
    request: StartRequest, record: StartRecord, seen: set[str], policy: RetryPolicy
) -> StartFlow[StartedExport]:
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
