"""One look at an export from a worker: for the sensor's first look and its pokes, and for exports that were adopted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from labelbox_export_provider.client.polling import poll
from labelbox_export_provider.domain.records.external_export import ExternalExport
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.errors import AccessError, NotFoundError
from labelbox_export_provider.hooks.labelbox import LabelboxHook
from labelbox_export_provider.triggers.events import ExportEvent


def poll_once(
    hook: LabelboxHook, export: ExportHandle | ExternalExport, say: Callable[[str], object]
) -> ExportEvent | None:
    """Give the event that a trigger would send now, or None while the export runs; `say` takes the line of progress.

    Errors that are no event are raised as they come: a bad connection, an answer that the protocol does not know.
    """
    export_id = export.export_id
    flow = poll(export_id, export.user_id, export.started_at, lambda: datetime.now(timezone.utc))
    try:
        found = hook.run(flow)
    except (NotFoundError, AccessError) as error:
        return ExportEvent.of(error, export_id)
    say(found.line)
    return None if found.ended is None else ExportEvent(found.ended, export_id, found.line)
