"""Parses the `data` of an answer to the values of `types`, trusting nothing.

Documented members are required, and their absence is a `ProtocolError` that names the path; undocumented ones may be
missing. Numbers of type UInt64 may come as JSON strings or as integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from pydantic import TypeAdapter, ValidationError

from labelbox_export_provider.client.types import (
    ExportFile,
    ExportTaskState,
    KeyOwner,
    ListedSource,
    Started,
    StreamTotals,
    StreamType,
)
from labelbox_export_provider.errors import IntegrityError, NotFoundError, ProtocolError, RefusedError
from labelbox_export_provider.redaction import scrub

_MOMENT: TypeAdapter[datetime] = TypeAdapter(datetime)
_MAX_NUMBER = 2**64 - 1


def key_owner(data: Mapping[str, Any]) -> KeyOwner:
    """Parse whose key it is."""
    user, organization = _object(data, "user"), _object(data, "organization")
    return KeyOwner(
        user_id=_id(user, "user.id"),
        email=_text(user.get("email")),
        timezone=_text(user.get("timezone")),
        organization_id=_id(organization, "organization.id"),
        organization_name=_text(organization.get("name")),
    )


def listed_sources(data: Mapping[str, Any], member: str) -> list[ListedSource]:
    """Read one page of projects or datasets; one without a name is named by its id."""
    page = data.get(member)
    if not isinstance(page, list):
        raise _unexpected(member, "a list", page)
    found = []
    for each in page:
        if not isinstance(each, Mapping):
            raise _unexpected(f"{member}[]", "an object", each)
        source_id = _id(each, f"{member}[].id")
        found.append(ListedSource(source_id, _text(each.get("name")) or source_id))
    return found


def started(data: Mapping[str, Any] | None) -> Started | None:
    """Parse the answer of a start, whatever its mutation; None where it names no export.

    Raises `RefusedError` for an export whose results cannot be streamed, which this package could never read.
    """
    for result in (data or {}).values():
        if isinstance(result, Mapping) and isinstance(result.get("taskId"), (str, int)) and result["taskId"]:
            export_id = str(result["taskId"])
            if result.get("isStreamable") is False:
                raise RefusedError(
                    f"Labelbox started export {export_id} but not as a streamable one (isStreamable: false), and only "
                    "those can be read. Ask Labelbox support to enable streamable exports for the organization."
                )
            return Started(export_id)
    return None


def created_tasks(data: Mapping[str, Any], user_id: str) -> tuple[ExportTaskState, ...]:
    """Read a list of a user's tasks. Raises `NotFoundError` where Labelbox does not show that user to this key."""
    user = data.get("user")
    if user is None:
        raise _hidden_user(user_id)
    tasks = user.get("createdTasks") if isinstance(user, Mapping) else None
    if not isinstance(tasks, list):
        raise _unexpected("user.createdTasks", "a list", tasks)
    return tuple(_task(each, "user.createdTasks[]") for each in tasks)


def created_tasks_by_id(data: Mapping[str, Any], user_id: str, aliases: Iterable[str]) -> list[ExportTaskState]:
    """Read the tasks below these aliases; one that is missing or unreadable is left out."""
    user = data.get("user")
    if user is None:
        raise _hidden_user(user_id)
    found = []
    for alias in aliases if isinstance(user, Mapping) else ():
        tasks = user.get(alias)
        for each in tasks if isinstance(tasks, list) else ():
            try:
                found.append(_task(each, alias))
            except ProtocolError:
                break
    return found


def task(data: Mapping[str, Any]) -> ExportTaskState | None:
    """Read one task; None where Labelbox has none of that id."""
    found = data.get("task")
    return None if found is None else _task(found, "task")


def _task(found: object, path: str) -> ExportTaskState:
    if not isinstance(found, Mapping):
        raise _unexpected(path, "an object", found)
    status = _text(found.get("status"))
    if status is None:
        raise _unexpected(f"{path}.status", "text", found.get("status"))
    return ExportTaskState(
        export_id=_id(found, f"{path}.id"),
        name=_text(found.get("name")),
        status=status,
        type=_text(found.get("type")),
        completion_percentage=_number(found.get("completionPercentage")),
        created_at=_moment(found.get("createdAt")),
        updated_at=_moment(found.get("updatedAt")),
    )


def stream_totals(data: Mapping[str, Any], export_id: str, stream: StreamType) -> StreamTotals | None:
    """Parse a stream's size; None where it is empty, which has three forms: no header, nulls, zeros."""
    header = _task_member(data, export_id, "exportMetadataHeader")
    if header is None:
        return None
    size, lines = (
        0 if header.get(each) is None else _unsigned(header[each], f"exportMetadataHeader.{each}")
        for each in ("totalSize", "totalLines")
    )
    if size == 0 and lines == 0:
        return None
    if size == 0 or header.get("totalLines") is None:
        raise IntegrityError(
            f"export {export_id}, stream {stream.value}: the header contradicts itself: totalSize "
            f"{scrub(str(header.get('totalSize')))}, totalLines {scrub(str(header.get('totalLines')))}."
        )
    return StreamTotals(size=size, lines=lines)


def has_file(data: Mapping[str, Any], export_id: str) -> bool:
    """Return whether there is any file at the requested offset, whatever its members hold."""
    return _task_member(data, export_id, "exportFileFromOffset") is not None


def export_file(data: Mapping[str, Any], export_id: str, stream: StreamType, offset: int) -> ExportFile:
    """Parse the file that holds byte `offset`. Raises `IntegrityError` if there is none or it is inconsistent."""
    label = f"export {export_id}, stream {stream.value}, file at offset {offset}"
    found = _task_member(data, export_id, "exportFileFromOffset")
    if found is None:
        raise IntegrityError(f"{label}: Labelbox has no file there, though its header announces one.")
    offsets, lines = _object(found, "offsets"), _object(found, "lines")
    file = ExportFile(
        start=_unsigned(offsets.get("start"), "offsets.start"),
        end=_unsigned(offsets.get("end"), "offsets.end"),
        line_start=_unsigned(lines.get("start"), "lines.start"),
        line_end=_unsigned(lines.get("end"), "lines.end"),
        url=_text(found.get("file")) or "",
    )
    if not file.url:
        raise ProtocolError(f"{label}: the answer has no URL in `file`.")
    if not file.start <= offset <= file.end:
        raise IntegrityError(
            f"{label}: Labelbox named a file of bytes {file.start} to {file.end}, which does not contain it."
        )
    if file.line_end < file.line_start:
        raise IntegrityError(f"{label}: its rows end ({file.line_end}) before they start ({file.line_start}).")
    return file


def cancelable_types(data: Mapping[str, Any]) -> frozenset[str]:
    """Parse which types of task can be canceled, in the spelling of a task's `type` (`export-data-rows`)."""
    types = data.get("cancelableTaskTypes")
    if not isinstance(types, list):
        raise _unexpected("cancelableTaskTypes", "a list", types)
    return frozenset(_kebab(each) for each in types if isinstance(each, str))


def canceled(data: Mapping[str, Any]) -> bool:
    """Return whether Labelbox accepted to cancel a task."""
    result = data.get("cancelBulkOperationJob")
    return isinstance(result, Mapping) and result.get("success") is True


def _kebab(name: str) -> str:
    return (
        "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).replace("_", "-").lstrip("-")
    )


def _task_member(data: Mapping[str, Any], export_id: str, member: str) -> Mapping[str, Any] | None:
    found = data.get("task")
    if found is None:
        raise NotFoundError(f"Labelbox shows no export {export_id!r} to this key.")
    if not isinstance(found, Mapping):
        raise _unexpected("task", "an object", found)
    value = found.get(member)
    if value is None or isinstance(value, Mapping):
        return value
    raise _unexpected(f"task.{member}", "an object or null", value)


def _object(parent: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    value = parent.get(member)
    if not isinstance(value, Mapping):
        raise _unexpected(member, "an object", value)
    return value


def _id(parent: Mapping[str, Any], path: str) -> str:
    value = parent.get("id")
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise _unexpected(path, "an id", value)
    return str(value)


def _unsigned(value: object, path: str) -> int:
    number = value
    if isinstance(value, str) and value.isascii() and value.lstrip("-").isdigit() and len(value) <= 21:
        number = int(value)
    if isinstance(number, bool) or not isinstance(number, int):
        raise _unexpected(path, "a whole number, as a number or as text", value)
    if not 0 <= number <= _MAX_NUMBER:
        raise IntegrityError(f"Labelbox announced {path} = {number}, which is outside 0 to 2^64 - 1.")
    return number


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _moment(value: object) -> datetime | None:
    """Read a timestamp; None where it is missing or in an unknown form: a date must not fail a wait."""
    if not isinstance(value, str):
        return None
    if len(value) == len("2024-04-08T16:21:26.000Z") and value.endswith("Z"):
        # Labelbox's own form, read in a tenth of the time: a triggerer reads thousands of them a minute.
        with suppress(ValueError):
            return datetime.fromisoformat(f"{value[:-1]}+00:00")
    try:
        moment = _MOMENT.validate_python(value)
    except ValidationError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def _hidden_user(user_id: str) -> NotFoundError:
    return NotFoundError(
        f"Labelbox shows no user {user_id!r} to this key: does the key belong to another organization?"
    )


def _unexpected(path: str, expected: str, value: object) -> ProtocolError:
    return ProtocolError(f"Labelbox answered with {path} = {scrub(repr(value))}, where {expected} was expected.")
