"""Whether the record of an earlier try is about the export that this try starts."""

from __future__ import annotations

import logging

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.retry import RetryPolicy
from labelbox_export_provider.client.start_request import StartRequest
from labelbox_export_provider.client.types import ExportTaskState, Flow
from labelbox_export_provider.domain.records.start_record import StartRecord
from labelbox_export_provider.domain.request.query import moved_fields
from labelbox_export_provider.errors import AnotherUsersExportError, AuthorizationError, NotFoundError

log = logging.getLogger(__name__)


def usable_record(record: StartRecord | None, request: StartRequest, policy: RetryPolicy) -> Flow[StartRecord | None]:
    """Drop a record whose export is not the one of this start, and log why.

    Raises `AnotherUsersExportError` where the key belongs to another organization than the record's, or to another user
    who asks for something else: nothing is started beside the recorded export without a word.
    """
    if record is None or record.state == "refused":
        return None
    if record.state == "consumed" and record.clear_count != request.clear_count:
        log.info("Export %s was consumed before this task was cleared: starting a new one.", record.export_id)
        return None
    if record.export_id in request.not_believed:
        return None
    if record.organization_id not in (None, request.organization_id):
        raise another_owner(record, request)
    if record.fingerprint == request.fingerprint:
        return record
    # A user has a time zone, which is part of a request: compare the user first.
    if record.user_id != request.user_id:
        raise another_owner(record, request)
    yield from _warn_of_moved_request(record, request, policy)
    return None


def another_owner(record: StartRecord, request: StartRequest) -> AnotherUsersExportError:
    """Return the error that names whose export is recorded, and whose key the connection holds."""
    recorded, owner = f"user {record.user_id}", f"user {request.user_id}"
    kind = "user"
    if record.organization_id not in (None, request.organization_id):
        kind = "organization"
        recorded += f" of organization {record.organization_id}"
        owner += f" of organization {request.organization_id}"
    return AnotherUsersExportError(
        f"An earlier try of this task began an export with the key of another Labelbox {kind}, and this key cannot see "
        f"it. Nothing was started. Put back a key of {recorded}, or clear the task state of this task to start a new "
        "export.",
        details=f"the export is of {recorded}, the connection's key of {owner}",
    )


def _warn_of_moved_request(record: StartRecord, request: StartRequest, policy: RetryPolicy) -> Flow[None]:
    """Warn that what this try asks for is not what the recorded one asked for.

    The new request counts: whoever corrects a filter and clears the task wants its rows, and the handle describes what
    was asked. But a template that renders differently in each try starts an export per try.
    """
    tasks = yield from recorded_exports(record, request, policy)
    earlier = ", ".join(f"{task.export_id} ({task.status})" for task in tasks) or record.export_id or "not visible"
    moved = moved_fields(record.asked, request.asked()) if record.asked else "not recorded"
    log.warning(
        "This try asks for something else than the export %r of an earlier try (%s), which continues unread: %s. "
        "Starting a new one. If nobody changed the DAG, a template renders differently in each try: use values of the "
        "run, such as data_interval_end, instead of the current time or the try's number.",
        record.name,
        earlier,
        moved or "the endpoint of the connection",
    )


def recorded_exports(
    record: StartRecord, request: StartRequest, policy: RetryPolicy
) -> Flow[tuple[ExportTaskState, ...]]:
    """Look for the recorded export by its id, else by the name that the record has, among its user's tasks."""
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
