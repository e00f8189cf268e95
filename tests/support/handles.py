"""Handles for the tests of what is made from them."""

from __future__ import annotations

from typing import Any

WINDOW: dict[str, Any] = {
    "field": "last_activity_at",
    "start": "2026-11-22T02:00:00Z",
    "end": "2026-11-23T02:00:00Z",
    "queried_start": "2026-11-22T01:59:59Z",
    "queried_end": "2026-11-23T02:00:01Z",
    "trim": True,
}


def handle_json(**changes: Any) -> dict[str, Any]:
    """The handle of a nightly export of project clp1, in its plain form."""
    return {
        "v": 1,
        "export_id": "clx1",
        "source": {"kind": "project", "id": "clp1"},
        "filters_digest": "sha256:" + "1" * 64,
        "labelbox_conn_id": "labelbox_default",
        "window": dict(WINDOW),
        "user_id": "clu1",
        "organization_id": "clo1",
        "fingerprint": "sha256:" + "2" * 64,
        "started_at": "2026-11-23T02:05:00Z",
        "adopted": False,
        "query": {},
        **changes,
    }
