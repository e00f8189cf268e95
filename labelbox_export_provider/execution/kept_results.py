"""Whether the results of an export that ended long ago are still there.

How long Labelbox keeps them is not documented. Results that it removed read like an export without rows, which would
land as an empty night.
"""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.polling import require_complete
from labelbox_export_provider.client.types import ExportTaskState, StreamType, TaskStatus
from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.errors import ExportPurgedError, IntegrityError, NotFoundError

if TYPE_CHECKING:
    from labelbox_export_provider.client.http_clients import LabelboxClient
    from labelbox_export_provider.domain.records.handle import ExportHandle

BELIEVED_FOR = timedelta(hours=24)
"""How long after its end an export that reads empty is believed to be empty."""


def ended_with_results(client: LabelboxClient, handle: ExportHandle) -> datetime | None:
    """Return when an export ended; fail where its results may not be read, or are gone."""
    state = client.run(require_complete(handle.export_id, handle.user_id))
    require_results(client, state, datetime.now(timezone.utc))
    return state.updated_at


def may_be_gone(handle: ExportHandle, now: datetime) -> bool:
    """Return whether an export may have ended so long ago that its results are not believed to be there."""
    return now - handle.started_at > BELIEVED_FOR


def require_results(client: LabelboxClient, state: ExportTaskState, now: datetime) -> None:
    """Fail with `ExportPurgedError` where an export that ended long ago reads empty, or fresh URLs are refused."""
    ended = state.updated_at or state.created_at
    if state.status != TaskStatus.COMPLETE.value or ended is None or now - ended <= BELIEVED_FOR:
        return
    why = _why_not_believed(client, state.export_id)
    if why is not None:
        raise ExportPurgedError(
            f"Export {state.export_id} was COMPLETE at {iso_utc(ended)}, and more than a day later it {why}. Labelbox "
            "may have removed its results, so this is not treated as an export without rows."
        )


def _why_not_believed(client: LabelboxClient, export_id: str) -> str | None:
    for stream in (StreamType.RESULT, StreamType.ERRORS):
        if client.run(flows.stream_totals(export_id, stream)) is not None:
            return _why_unreadable(client, export_id, stream)
    return "reads empty"


def _why_unreadable(client: LabelboxClient, export_id: str, stream: StreamType) -> str | None:
    """Read the first byte of a stream by two fresh URLs; a host that merely breaks off is left to the landing."""
    from labelbox_export_provider.streaming.download.file_answer import read_answer
    from labelbox_export_provider.streaming.download.file_host import BrokenTransferError, FileHost

    host = FileHost(client.settings, user_agent=client.user_agent, connections=1, token=client.token)
    status: int | None = None
    try:
        for _ in range(2):
            try:
                file = client.run(flows.file_at(export_id, stream, 0))
            except (NotFoundError, IntegrityError):
                return "has no first file any more"
            status = None
            try:
                with closing(host.get(file.url, first=0, last=0)) as response:
                    read_answer(response, file, f"export {export_id}", 0, 0)
            except BrokenTransferError as broken:
                status = broken.refused
            if status is None:
                return None
    finally:
        host.close()
    return f"has files that are refused (HTTP {status}), though their URLs are fresh"
