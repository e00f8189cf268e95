"""The export of a transfer: `export=`, which another task started, or `source=`, which the transfer starts."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, NoReturn

from labelbox_export_provider.client.external_export import handle_of
from labelbox_export_provider.domain.options.rendered_text import text_as_mapping
from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.domain.records.external_export import (
    WRITE_EXTERNAL,
    ExternalExport,
    check_export,
    is_external,
    parse_export,
)
from labelbox_export_provider.domain.records.handle import ExportHandle, shown
from labelbox_export_provider.domain.request.source_option import check_source, may_take_window
from labelbox_export_provider.domain.windows.windows import plain_window
from labelbox_export_provider.errors import ConfigurationError, HandleError
from labelbox_export_provider.execution.options import written_first
from labelbox_export_provider.hooks.labelbox import LabelboxHook

if TYPE_CHECKING:
    from labelbox_export_provider.domain.records.manifest import Rerun

_REFUSED_RERUN = (
    "rerun={rerun!r} compares what was asked with what older exports asked, which is unknown of an export that no task "
    "of this package started. Use rerun='add', or start the export by source=."
)


def choose_origin(
    export: Any, source: Any, by_default: AbstractSet[str], options: Mapping[str, Any]
) -> tuple[Any, Any, dict[str, Any]]:
    """Return `export`, `source` and the `options` that belong to a source, checked as far as they are known.

    With `export=` those options are refused where the call wrote them and left out where they came by default.
    """
    export, source = written_first(by_default, export=export, source=source)
    if (export is None) == (source is None):
        given = "both are given" if export is not None else "neither is"
        raise ConfigurationError(
            "Exactly one of export= (the handle that another task returns, export=wait.output) and source= (what "
            f"to export, ProjectSource(project_id=...)) is needed; {given}."
        )
    if source is not None:
        if "window" in by_default and not may_take_window(source):
            options = {**options, "window": None}
        check_source(source, plain_window(options["window"]))
        return export, source, dict(options)
    check_export(export)
    if isinstance(text_as_mapping(export), str) and not is_template(export):
        _refuse_bare_id(export)
    # A handle names its own connection; what names none takes that of this task.
    allowed = {*by_default, "labelbox_conn_id"} if is_external(export) else by_default
    misplaced = [f"{name}=" for name, value in options.items() if value is not None and name not in allowed]
    if misplaced:
        raise ConfigurationError(
            f"{', '.join(misplaced)} belong to source=, with which this task starts the export itself. With "
            "export= the task that started it has decided them: give them there."
        )
    return export, source, {**dict.fromkeys(options), "labelbox_conn_id": options["labelbox_conn_id"]}


def check_rerun(export: Any, rerun: str) -> None:
    """Refuse while parsing to compare an export with older ones where it is unknown what was asked."""
    awaited = getattr(getattr(export, "operator", None), "export", None)  # what a sensor waits for and hands on
    if rerun != "add" and (is_external(export) or is_external(awaited)):
        raise ConfigurationError(_REFUSED_RERUN.format(rerun=rerun))


def rerun_of(handle: ExportHandle, rerun: Rerun, by_default: AbstractSet[str]) -> Rerun:
    """Return what an export does with older ones; one that something else started is added, or refused."""
    if not handle.external or rerun == "add" or "rerun" in by_default:
        return "add" if handle.external else rerun
    raise ConfigurationError(_REFUSED_RERUN.format(rerun=rerun))


def find_handle(export: Any, labelbox_conn_id: str | None) -> ExportHandle:
    """Return the handle of what `export=` names; an export that something else started is looked up in Labelbox."""
    found = parse_export(export)
    if isinstance(found, ExportHandle):
        return found
    if found.source is None:
        _refuse_bare_id(found.export_id)
    conn_id = found.labelbox_conn_id or labelbox_conn_id or LabelboxHook.default_conn_name
    return LabelboxHook(conn_id).run(handle_of(found, found.source, conn_id))


def known_of(export: Any) -> dict[str, Any]:
    """Return what `export=` holds of an export that has no handle yet, for the message of a failure."""
    try:
        found = parse_export(export)
    except HandleError:
        return {}
    source = found.source_text if isinstance(found, ExternalExport) else None
    return {"export_id": found.export_id, "source": source}


def _refuse_bare_id(export_id: str) -> NoReturn:
    raise HandleError(
        f"export={shown(export_id)} is not a handle, and names of objects hold the source as well. Pass "
        f"export=wait.output or export=start.output; for an export that no task here started, write {WRITE_EXTERNAL}."
    )
