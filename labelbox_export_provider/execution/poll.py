"""One poll of an export by a worker."""

from __future__ import annotations

from datetime import datetime, timezone

from labelbox_export_provider.client.polling import ProgressLog, poll
from labelbox_export_provider.client.retry import DEFAULT_RETRY, RetryPolicy
from labelbox_export_provider.domain.records.external_export import ExternalExport
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.errors import AccessError, NotFoundError
from labelbox_export_provider.hooks.labelbox import LabelboxHook
from labelbox_export_provider.triggers.events import ExportEvent


def poll_once(
    hook: LabelboxHook,
    export: ExportHandle | ExternalExport,
    progress: ProgressLog,
    policy: RetryPolicy = DEFAULT_RETRY,
) -> ExportEvent | None:
    """Return the event that a trigger would send now, or None while the export runs; logs its progress.

    Errors that are not events are raised as they are: a bad connection, a reply that the protocol does not know.
    """
    export_id = export.export_id
    flow = poll(export_id, export.user_id, export.started_at, lambda: datetime.now(timezone.utc), policy)
    try:
        found = hook.run(flow)
    except (NotFoundError, AccessError) as error:
        return ExportEvent.of(error, export_id)
    progress.add(found)
    return None if found.ended is None else ExportEvent(found.ended, export_id, found.line)
