"""The fields of an export task, as GraphQL answers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from labelbox_export_provider.testing.accounts import FakeUser
from labelbox_export_provider.testing.clock import api_text
from labelbox_export_provider.testing.data.streams import FilePiece, Stream
from labelbox_export_provider.testing.exports import Export
from labelbox_export_provider.testing.faults import Fault, NullFile, NullHeader
from labelbox_export_provider.testing.graphql.engine import Resolver
from labelbox_export_provider.testing.service import Service

Arguments: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Context:
    """One request: the organization, and whose key came with it."""

    service: Service
    user: FakeUser


def show_user(user: FakeUser) -> dict[str, Any]:
    """Return a user, except the fields that have resolvers of their own."""
    return {
        "id": user.user_id,
        "email": user.email,
        "name": user.name,
        "nickname": user.name,
        "picture": None,
        "timezone": user.timezone,
        "isViewer": False,
        "isExternalUser": False,
        "createdAt": api_text(user.created_at),
        "updatedAt": api_text(user.created_at),
        "lastLoginAt": None,
    }


def organization(context: Context, _: object, __: Arguments) -> dict[str, Any]:
    """Return the organization, except the fields that have resolvers of their own."""
    accounts = context.service.accounts
    created = api_text(accounts.users[0].created_at)
    return {
        "id": accounts.organization_id,
        "name": accounts.organization_name,
        "createdAt": created,
        "updatedAt": created,
    }


def _of(read: Callable[[Export], Any]) -> Resolver:
    """Return a field that depends on the export alone."""

    def resolve(_: Context, export: Export, __: Arguments) -> Any:
        return read(export)

    return resolve


def _of_now(read: Callable[[Export, datetime], Any]) -> Resolver:
    """Return a field that depends on the export and the time."""

    def resolve(context: Context, export: Export, _: Arguments) -> Any:
        return read(export, context.service.clock())

    return resolve


def _percentage(context: Context, export: Export, _: Arguments) -> float:
    return export.share_done(context.service.clock()) * context.service.behaviour.completion_percentage_of


def _stream(context: Context, export: Export, arguments: Arguments) -> Stream | None:
    """Return the stream, once the export is COMPLETE and the stream not empty."""
    if export.status_at(context.service.clock()) != "COMPLETE":
        return None
    if context.service.removed_as(export) == "empty":
        return None
    stream = export.streams[arguments["streamType"]]
    return stream if stream.pieces else None


def _header(context: Context, export: Export, arguments: Arguments) -> dict[str, int | None] | None:
    service = context.service
    stream = _stream(context, export, arguments)
    if stream is None:
        if export.status_at(service.clock()) != "COMPLETE" or service.behaviour.empty_header == "null":
            return None
        nothing = 0 if service.behaviour.empty_header == "zero" else None
        return {"totalSize": nothing, "totalLines": nothing}
    if _is_due(context, NullHeader, arguments):
        return None
    wrong = export.faults.totals
    off = wrong if wrong is not None and wrong.stream == arguments["streamType"] else None
    return {
        "totalSize": len(stream.content) + (off.bytes_by if off else 0),
        "totalLines": stream.lines + (off.lines_by if off else 0),
    }


def _is_due(context: Context, kind: type[NullHeader] | type[NullFile], arguments: Arguments) -> bool:
    def concerns(fault: Fault) -> bool:
        return getattr(fault, "stream", None) in (None, arguments["streamType"])

    return context.service.faults.take(kind, concerns) is not None


def _file_from_offset(context: Context, export: Export, arguments: Arguments) -> dict[str, Any] | None:
    stream = _stream(context, export, arguments)
    return _show_file(context, export, arguments, stream.piece_at(arguments["offset"]) if stream else None)


def _file_from_line(context: Context, export: Export, arguments: Arguments) -> dict[str, Any] | None:
    stream = _stream(context, export, arguments)
    return _show_file(context, export, arguments, stream.piece_at_line(arguments["line"]) if stream else None)


def _show_file(
    context: Context, export: Export, arguments: Arguments, piece: FilePiece | None
) -> dict[str, Any] | None:
    if piece is None or _is_due(context, NullFile, arguments):
        return None
    name = arguments["streamType"]
    wrong = export.faults.ranges
    off = wrong if wrong is not None and (wrong.stream, wrong.file_index) == (name, piece.index) else None
    return {
        "offsets": {"start": piece.start, "end": piece.end + (off.offsets_by if off else 0)},
        "lines": {"start": piece.line_start, "end": piece.line_end + (off.lines_by if off else 0)},
        "file": context.service.sign(export, name, piece),
    }


TASK_FIELDS: Mapping[str, Resolver] = {
    "id": _of(lambda export: export.export_id),
    "name": _of(lambda export: export.request.name),
    "status": _of_now(Export.poll),
    "type": _of(lambda _: "export-data-rows"),
    "completionPercentage": _percentage,
    "createdAt": _of(lambda export: api_text(export.started_at)),
    "updatedAt": _of_now(lambda export, now: api_text(export.updated_at(now))),
    # Streamable exports have neither a result nor an errors URL, and no metadata.
    "result": _of(lambda _: None),
    "errors": _of(lambda _: None),
    "metadata": _of(lambda _: None),
    "deleted": _of(lambda _: False),
    "createdBy": _of(lambda export: show_user(export.user)),
    "organization": organization,
    "exportMetadataHeader": _header,
    "exportFileFromOffset": _file_from_offset,
    "exportFileFromLine": _file_from_line,
}
