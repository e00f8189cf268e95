"""The resolvers of the schema's queries and mutations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from labelbox_export_provider.testing.errors import ApiError, not_found
from labelbox_export_provider.testing.exports import Export, ExportRequest
from labelbox_export_provider.testing.graphql.engine import Resolver
from labelbox_export_provider.testing.graphql.lookups import PLACE_QUERIES, batches
from labelbox_export_provider.testing.graphql.task_fields import (
    TASK_FIELDS,
    Arguments,
    Context,
    organization,
    show_user,
)


def _user(context: Context, _: object, arguments: Arguments) -> dict[str, Any]:
    where = arguments.get("where")
    if where is None:
        return show_user(context.user)
    user = context.service.accounts.find(where["id"])
    if user is None:
        raise not_found("User", where["id"])
    return show_user(user)


def _created_tasks(context: Context, source: Mapping[str, Any], arguments: Arguments) -> list[Export]:
    visible = [export for export in context.service.visible_to(context.user) if export.user.user_id == source["id"]]
    return _page_of_tasks(context, visible, arguments)


def _organization_tasks(context: Context, _: object, arguments: Arguments) -> list[Export]:
    return _page_of_tasks(context, context.service.exports, arguments)


def _page_of_tasks(context: Context, exports: list[Export], arguments: Arguments) -> list[Export]:
    where = {name: value for name, value in (arguments.get("where") or {}).items() if value is not None}
    if "id" in where:
        exports = [export for export in exports if export.export_id == where["id"]]
    if "name" in where:
        exports = [export for export in exports if export.request.name == where["name"]]
    now = context.service.clock()
    exports = [export for export in exports if not export.is_hidden(now, by_id="id" in where)]
    if context.service.behaviour.created_tasks_newest_first:
        exports.reverse()
    skip, first = arguments.get("skip") or 0, arguments.get("first")
    return exports[skip:] if first is None else exports[skip : skip + first]


def _task(context: Context, _: object, arguments: Arguments) -> Export | None:
    task_id = (arguments.get("where") or {}).get("id")
    for export in context.service.visible_to(context.user):
        if export.export_id == task_id and not export.is_hidden(context.service.clock(), by_id=True):
            return export
    if context.service.behaviour.unknown_task == "null":
        return None
    raise not_found("Task", task_id)


def _start(place: Literal["Project", "Catalog", "Slice", "ModelRun"]) -> Resolver:
    def start(context: Context, _: object, arguments: Arguments) -> dict[str, Any]:
        given = arguments["input"]
        kind, source_id = _source(place, given["filters"])
        asked_streamable = bool(given.get("streamable") or given.get("isStreamableReady"))
        request = ExportRequest(
            name=(given.get("taskName") or "")[: context.service.behaviour.name_characters] or None,
            mutation=f"exportDataRowsIn{place}",
            source_kind=kind,
            source_id=source_id,
            filters=given["filters"],
            params=given.get("params") or {},
            is_streamable=asked_streamable and context.service.behaviour.is_streamable,
        )
        export = context.service.start(request, context.user)
        return {"taskId": export.export_id, "isStreamable": request.is_streamable}

    return start


def _source(place: str, filters: Mapping[str, Any]) -> tuple[str, str | None]:
    if place == "Project":
        return "project", filters["projectId"]
    if place == "Slice":
        return "slice", filters["sliceId"]
    if place == "ModelRun":
        return "model_run", filters["modelRunId"]
    entries = {entry["type"]: entry for entry in filters["searchQuery"]["query"]}
    if "dataset" in entries:
        return "dataset", (entries["dataset"].get("ids") or [None])[0]
    return ("data_rows" if entries.keys() & {"data_row_id", "global_key"} else "catalog"), None


def _cancelable(context: Context, _: object, __: Arguments) -> list[str]:
    return ["importDataRows", *(["exportDataRows"] if context.service.behaviour.exports_cancelable else [])]


def _cancel(context: Context, _: object, arguments: Arguments) -> dict[str, bool]:
    export = next((e for e in context.service.visible_to(context.user) if e.export_id == arguments["id"]), None)
    if export is None:
        raise not_found("BulkOperationJob", arguments["id"])
    if not context.service.behaviour.exports_cancelable:
        raise ApiError("OPERATION_NOT_ALLOWED", "tasks of type export-data-rows cannot be canceled")
    return {"success": export.cancel(context.service.clock())}


RESOLVERS: Mapping[str, Mapping[str, Resolver]] = {
    "Query": {
        "user": _user,
        "organization": organization,
        **PLACE_QUERIES,
        "task": _task,
        "cancelableTaskTypes": _cancelable,
    },
    "Mutation": {
        "exportDataRowsInProject": _start("Project"),
        "exportDataRowsInCatalog": _start("Catalog"),
        "exportDataRowsInSlice": _start("Slice"),
        "exportDataRowsInModelRun": _start("ModelRun"),
        "cancelBulkOperationJob": _cancel,
    },
    "User": {"organization": organization, "createdTasks": _created_tasks},
    "Project": {"batches": batches},
    "Organization": {"tasks": _organization_tasks},
    "Task": TASK_FIELDS,
    "ExportTaskStreams": TASK_FIELDS,
}
