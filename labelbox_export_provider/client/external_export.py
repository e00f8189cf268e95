"""The handle of an export that was started in Labelbox's app or with its SDK."""

from __future__ import annotations

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.retry import DEFAULT_RETRY, RetryPolicy
from labelbox_export_provider.client.types import Flow
from labelbox_export_provider.domain.records.external_export import ExternalExport
from labelbox_export_provider.domain.records.handle import ExportHandle, SourceName
from labelbox_export_provider.errors import ProtocolError


def handle_of(
    export: ExternalExport, source: SourceName, labelbox_conn_id: str, policy: RetryPolicy = DEFAULT_RETRY
) -> Flow[ExportHandle]:
    """Return the handle of an export that the key can see; its request and its user stay unknown.

    Raises `NotFoundError` or `AccessError` where the key does not see it.
    """
    owner = yield from flows.who_am_i(policy)
    state = yield from flows.task_state(export.export_id, owner.user_id, policy)
    if state.created_at is None:
        raise ProtocolError(
            f"Labelbox does not report when export {export.export_id} was created, the date in names of objects."
        )
    return ExportHandle(
        export_id=export.export_id,
        source=source,
        filters_digest=None,
        labelbox_conn_id=labelbox_conn_id,
        window=None,
        user_id=None,
        organization_id=owner.organization_id,
        fingerprint=None,
        started_at=state.created_at,
    )
