"""Starts one tiny export, follows it to its end and records what tasks and streams answer on the way."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labelbox_export_provider.check_account.account import Account
from labelbox_export_provider.check_account.ask import Asked, codes_of, recorded
from labelbox_export_provider.client import flows, graphql, parsing
from labelbox_export_provider.client.graphql import START_BY_MUTATION
from labelbox_export_provider.client.reply_bodies import read_body
from labelbox_export_provider.client.retry import RetryPolicy
from labelbox_export_provider.client.start_or_adopt import VISIBLE_WITHIN
from labelbox_export_provider.client.types import Answer, Reply, StartLost, StreamTotals, StreamType
from labelbox_export_provider.domain.records.start_record import MAX_HEAD
from labelbox_export_provider.domain.request.source import Source
from labelbox_export_provider.errors import (
    ExportCanceledError,
    ExportFailedError,
    LabelboxExportError,
    NotFoundError,
    RefusedError,
    StartUncertainError,
    WaitTimeoutError,
)

_STARTING = RetryPolicy(attempts=10, total_seconds=300)
_LOOK_EVERY = 1.0
_VALIDATION = {"GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT", "MALFORMED_REQUEST"}
_HEAD = "labelbox_export_provider check-account: is this name kept whole? (a/b_c.d-e~1+2)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A start that Labelbox refused, or whose export cannot be streamed."""

    error: LabelboxExportError
    codes: tuple[str, ...]
    not_streamable: bool = False

    @property
    def text(self) -> str:
        """The refusal's codes."""
        return ", ".join(self.codes) or "without a code"

    @property
    def is_validation(self) -> bool:
        """Whether the input was refused for its form."""
        return bool(_VALIDATION & set(self.codes))


@dataclass
class TinyExport:
    """A started export and the answers of its task."""

    export_id: str
    name: str
    begun: float
    task: Mapping[str, Any] = field(default_factory=dict)
    percentages: list[float] = field(default_factory=list)
    visible_after: float | None = None
    named_after: float | None = None
    by_name: Asked | None = None
    """The last look-up by name; a refusal means that `createdTasks` takes no name."""
    header: Any = None
    """The raw header of the RESULT stream."""
    totals: StreamTotals | None = None


def task_name() -> str:
    """Return a unique name of the greatest length that the provider gives to an export."""
    return f"{_HEAD[:MAX_HEAD].ljust(MAX_HEAD, '=')} [{secrets.token_hex(10)}]"


def start(account: Account, source: Source, rendered: dict[str, Any]) -> TinyExport | Refusal:
    """Start an export once. Raises `StartUncertainError` when the answer to the start is lost."""
    name = task_name()
    replies: list[Reply] = []
    flow = flows.start_once(START_BY_MUTATION[source.mutation], {**rendered, "taskName": name}, _STARTING)
    try:
        begun = account.run(recorded(flow, replies))
    except (NotFoundError, RefusedError) as error:
        last = replies[-1] if replies else None
        return Refusal(error, codes_of(last), not_streamable=_is_not_streamable(last))
    if isinstance(begun, StartLost):
        raise StartUncertainError(
            f"The answer to a start was lost: {begun.reason}. An export of at most one data row may run; it ends by "
            "itself. Run the check again."
        )
    account.note_export(begun.export_id)
    return TinyExport(begun.export_id, name, account.clock())


def _is_not_streamable(reply: Reply) -> bool:
    body = read_body(reply.body) if isinstance(reply, Answer) else None
    started = (body.data or {}).values() if body else ()
    return any(isinstance(each, Mapping) and each.get("isStreamable") is False for each in started)


def follow(account: Account, export: TinyExport, *, look_up_name: bool = False) -> TinyExport:
    """Wait until the export is COMPLETE and read its header. Raises when it fails, or is not COMPLETE in time."""
    while True:
        elapsed = account.clock() - export.begun
        _look(account, export, elapsed)
        named = not look_up_name or _name_is_settled(export)
        if not named:
            _look_up_name(account, export)
            named = _name_is_settled(export)
        status = export.task.get("status")
        if status == "FAILED":
            raise ExportFailedError("An export of the check is FAILED; Labelbox gives no reason. Run the check again.")
        if status == "CANCELED":
            raise ExportCanceledError("An export of the check was canceled. Run the check again.")
        if status == "COMPLETE" and (named or elapsed > VISIBLE_WITHIN):
            export.header, export.totals = read_totals(account, export.export_id, StreamType.RESULT)
            return export
        if elapsed > account.timeout:
            raise WaitTimeoutError(
                f"An export of the check is {status or 'not listed'} after {elapsed:.0f} s. It ends by itself. Run the "
                "check again, with a longer --timeout."
            )
        account.sleep(_LOOK_EVERY)


def _look(account: Account, export: TinyExport, elapsed: float) -> None:
    variables = {"userId": account.owner.user_id, "taskId": export.export_id}
    found = _tasks(account.ask(graphql.CREATED_TASK_BY_ID, variables))
    if not found:
        return
    export.task = found[0]
    if export.visible_after is None:
        export.visible_after = elapsed
    percentage = export.task.get("completionPercentage")
    if isinstance(percentage, (int, float)) and not isinstance(percentage, bool):
        export.percentages.append(percentage)


def _look_up_name(account: Account, export: TinyExport) -> None:
    variables = {"userId": account.owner.user_id, "name": export.name, "skip": 0, "first": 5}
    export.by_name = account.ask(graphql.CREATED_TASKS_BY_NAME, variables)
    if any(task.get("id") == export.export_id for task in _tasks(export.by_name)):
        export.named_after = account.clock() - export.begun


def _name_is_settled(export: TinyExport) -> bool:
    """Return whether looking for the name again is pointless: it is found, refused, or not the one that was sent."""
    refused = export.by_name is not None and export.by_name.error is not None
    return export.named_after is not None or refused or export.task.get("name", export.name) != export.name


def _tasks(asked: Asked) -> list[Mapping[str, Any]]:
    user = asked.data.get("user")
    tasks = user.get("createdTasks") if isinstance(user, Mapping) else None
    return [task for task in tasks if isinstance(task, Mapping)] if isinstance(tasks, list) else []


def read_totals(account: Account, export_id: str, stream: StreamType) -> tuple[Any, StreamTotals | None]:
    """Return the raw header of a stream and its totals; a missing header is accepted after a second read."""
    for last in (False, True):
        asked = account.ask(graphql.STREAM_HEADER, {"where": {"id": export_id}, "streamType": stream.value})
        if asked.error is not None:
            raise asked.error
        totals = parsing.stream_totals(asked.data, export_id, stream)
        if totals is not None or last or stream is StreamType.ERRORS:
            break
        account.sleep(_LOOK_EVERY)
    return asked.data["task"].get("exportMetadataHeader"), totals
